"""Of a plan: which rows are left out of training, and how a model is trained."""

from typing import Annotated, Literal, Protocol, runtime_checkable

import msgspec

from potluck.core.bounds import Bounds, Size
from potluck.core.registry import Known, variant
from potluck.core.tables.derived import Text

MOST_COUNTED = 1 << 53
SPLIT = "e.g. 0.25; to train on all rows, leave [data.split] out"
Weight = Annotated[float, Bounds(gt=0, le=1_000_000, hint="e.g. 5.0")]


@runtime_checkable
class Bounding(Protocol):
    """What whoever reads plans has to know of a method. bounded: of a plan with noise, what a unit adds is bounded by
    the method itself, and no `privacy.clip` is asked for."""

    @property
    def bounded(self) -> bool: ...


class Split(msgspec.Struct, frozen=True, kw_only=True):
    """Which rows are held out: a share of them by a keyed hash, or those whose `column` says "test".

    validation: a further share by the same hash, which training leaves out too: what is looked at while it goes on.
    """

    test: Annotated[float | None, Bounds(gt=0, lt=1, hint=SPLIT)] = None
    validation: Annotated[float | None, Bounds(gt=0, lt=1, hint="e.g. 0.1")] = None
    seed: int = 0
    column: Text | None = None


class Stop(msgspec.Struct, frozen=True, kw_only=True):
    """When training ends before its last round: `metric` on validation rows was no better so many times in a row."""

    metric: Literal["loss", "auc", "accuracy", "rmse"]
    patience: Annotated[int, Bounds(ge=1, le=1_000_000, hint="e.g. 5")] = 5


class Vote(msgspec.Struct, frozen=True, kw_only=True):
    """Sites vote on each round's model. tolerance: by how much its mean loss over a site's own rows may exceed the
    least that the site has seen in this run, before the site votes against it."""

    tolerance: Annotated[float, Bounds(gt=0, le=1000, hint="e.g. 0.05")] = 0.05


class Training(msgspec.Struct, frozen=True, kw_only=True):
    """How it is trained. batch: rows of one step, of methods that take some of their rows; None: all of them.

    schedule, warmup: how the rate falls over the rounds, and in how many of the first it rises.
    epochs, steps: of sites that train by themselves, how often they go through their rows in a round, or how many steps
    they take, whatever rows they have. local: what their steps go down: their loss, or with `prox` also mu/2 times the
    squared distance from the round's model; with `scaffold` each step is corrected by how the site's gradients differ
    from all sites'; with `ditto` a site trains a second model for itself, held to the round's as with `prox`.
    iterates: of `gradient`, the model after the last round, or the mean of those after each of the last half of them.
    band: of a network by `gradient` with noise, units are in so many groups, which have their turns, and the noise of
    sums is such that most of it cancels out of later ones; None: all are in each round, or those that `batch` draws.
    standardize: of `gradient` with noise, the first round finds means and spreads of numbers, and the others clip in
    units of them.
    evaluate_every: after so many rounds, and after the last, the model is looked at on validation rows; None: never,
    or with `stop` after each.
    class_weights: how much a row counts in the objective, by its side or class; of those that are not named 1.
    vote: each round's model is voted on before sites add anything to it, and the last one too; None: it is not.
    """

    method: Annotated[str, Known("training.method")]
    rounds: Annotated[int, Bounds(ge=1, le=1_000_000, hint="of boosting at most 1000")] = 20
    rate: Annotated[float, Bounds(gt=0)] = 1.0
    schedule: Literal["constant", "cosine"] = "constant"
    warmup: Annotated[int, Bounds(ge=0, le=1_000_000, hint="fewer than rounds")] = 0
    optimizer: Annotated[str, Known("training.optimizer")] = "sgd"
    iterates: Literal["last", "averaged"] = "last"
    standardize: bool = False
    expected_rows: Annotated[int | None, Bounds(ge=1, le=MOST_COUNTED, hint="as many as there may be")] = None
    range: Annotated[float, Bounds(gt=0, hint="e.g. 8")] = 8.0
    epochs: Annotated[int, Bounds(ge=1, le=10_000)] = 1
    steps: Annotated[int | None, Bounds(ge=1, le=1_000_000, hint="e.g. 50")] = None
    local: Literal["plain", "prox", "scaffold", "ditto"] = "plain"
    mu: Annotated[float, Bounds(gt=0, le=1e12, hint="e.g. 0.01")] = 0.01
    batch: Annotated[int | None, Bounds(ge=1, le=MOST_COUNTED, hint="e.g. 32")] = None
    band: Annotated[int | None, Bounds(ge=2, le=1024, hint="e.g. 32")] = None
    class_weights: Annotated[dict[Text, Weight], Size(10_000)] = {}
    seed: int = 0
    aggregation: Literal["mean", "median", "trimmed", "krum", "norm"] = "mean"
    evaluate_every: Annotated[int | None, Bounds(ge=1, le=1_000_000, hint="e.g. 10")] = None
    stop: Stop | None = None
    vote: Vote | None = None

    @property
    def every(self) -> int | None:
        """After how many rounds the model is looked at on validation rows: each, where they may end it; None: never."""
        return self.evaluate_every or (1 if self.stop else None)

    @property
    def clipped(self) -> bool:
        """Whether, with noise, each unit is clipped to `privacy.clip`."""
        method = variant("training.method", self.method)
        return not (isinstance(method, Bounding) and method.bounded)

    @property
    def looks(self) -> int:
        """How often it is looked at, the last round included."""
        return 0 if self.every is None else -(-self.rounds // self.every)
