"""The table of a plan that says what is trained, or which trained model scores."""

from functools import lru_cache
from typing import Annotated, Literal, Protocol, runtime_checkable

import msgspec

from potluck.core.bounds import Bounds, Size
from potluck.core.registry import Known, variant
from potluck.core.tables.derived import Names, Text

ModelKind = Annotated[str, Known("model.kind")]
WIDEST_LAYER, DEEPEST_TREE = 4_096, 5
"""Layers and trees here are small: larger ones would only exhaust the memory."""


@runtime_checkable
class Levelled(Protocol):
    """What whoever reads plans has to know of a kind of model. levels: a round of its training takes a sum for each
    level of its trees."""

    @property
    def levels(self) -> bool: ...


class Model(msgspec.Struct, frozen=True, kw_only=True):
    """What is trained, or, to predict, which trained model: `file`, or where that is not at hand its `digest`.

    graph: the file of a network's graph, instead of layers; trainable: names of its parameters, or patterns of them
    (`*`, `?`, `[ab]`): the rest is frozen; local: likewise, which of these stay at each site and never leave it;
    start: an earlier run's model file, whose weights are the first ones; first: sha256:... of it, where it is no graph
    (whose own digest tells its weights); base: sha256:... of the safetensors file with frozen weights, which each site
    holds; loss: where no target says it, that of the next token of a text.
    digest: sha256:... of the model file as `run` printed it, or of the graph's file with the first weights; parties
    agree on it, not on where the file lies. files, digests: the same of several models that are judged side by side;
    where one is judged, it is the only one of `digests`.
    """

    kind: ModelKind | None = None
    file: Text | None = None
    digest: Text | None = None
    files: Names = ()
    digests: Names = ()
    l2: Annotated[float, Bounds(ge=0, le=1e12)] = 1.0
    layers: Annotated[tuple[Annotated[int, Bounds(ge=1, le=WIDEST_LAYER, hint="e.g. 64")], ...], Size(100)] = (64,)
    graph: Text | None = None
    trainable: Names = ("*",)
    local: Names = ()
    start: Text | None = None
    first: Text | None = None
    base: Text | None = None
    loss: Literal["next-token"] | None = None
    activation: Literal["relu", "tanh", "square"] = "relu"
    seed: int = 0
    depth: Annotated[int, Bounds(ge=1, le=DEEPEST_TREE)] = 3
    bins: Annotated[int, Bounds(ge=2, le=256, hint="e.g. 16")] = 16

    @property
    def sums(self) -> int:
        """How many sums over training rows a round of training takes."""
        return self.depth if _levels(variant("model.kind", self.kind)) else 1


@lru_cache(maxsize=64)
def _levels(kind: object) -> bool:
    """Kept, as it is asked for at every step of training, and a protocol is slow to be looked for."""
    return isinstance(kind, Levelled) and kind.levels
