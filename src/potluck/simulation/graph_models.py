"""Many models of one graph, side by side: steps of SGD of all of them at once, each on rows of its own.

What one model does in a step is `models.graph_form`'s: the graph's loss, its gradient and how far weights move. Here
torch does it for k models in the same operations (`torch.func.vmap`), which takes the time of a few: small models spend
most of theirs between operations. Sums are of the graph's type, in torch's order for k models, so that a model's last
digits are others than those it has by itself.

It does NOT draw: a graph with dropout would draw otherwise than each model by itself does (`draws`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from potluck.core.errors import GraphError
from potluck.core.stages import Floats
from potluck.learning.data.mixed import Inputs
from potluck.learning.graph.interpreter import forward, program
from potluck.learning.graph.ops import OPS
from potluck.learning.graph.schema import Graph
from potluck.learning.graph.steps import FAILURES, torch
from potluck.learning.models.form import Batch, Steps
from potluck.learning.models.graph_form import GraphForm, downhill
from potluck.learning.models.losses import loss_of
from potluck.simulation.stride import Stride, strides

if TYPE_CHECKING:
    from torch import Tensor


def draws(graph: Graph) -> bool:
    """Whether a graph draws at random while it trains."""
    for node in graph.nodes:
        op = OPS.of(node.op)
        given = op.bound(node)
        if op.evaluating and given.get(*op.evaluating) != op.evaluating[1] and given.get("p") != 0:
            return True
    return False


@dataclass(frozen=True, eq=False)
class Moved:
    """Where k models ended that began at the same weights. after: by weight [k, ...]; common: likewise [...]; weights
    [d]: the same in float64, before they were rounded to the graph's type."""

    after: "Mapping[str, Tensor]" = field(repr=False)
    common: "Mapping[str, Tensor]" = field(repr=False)
    weights: Floats = field(repr=False)

    def furthest(self) -> float:
        """The largest |number| of any model; NaN where one is none."""
        found = [torch().stack(torch().aminmax(one)).abs().max() for one in self.after.values() if one.numel()]
        return float(torch().stack([one.double() for one in found]).max()) if found else 0.0

    def norms(self) -> Floats:
        """[k] L2 norms of how far each went; not finite where a number is none."""
        found = self._norms(None)
        return found if np.isfinite(found).all() else self._norms(torch().float64)

    def _norms(self, kind: object) -> Floats:
        """Squares added up in this type; None: the graph's, in which a square may be beyond all numbers."""
        norm = torch().linalg.vector_norm
        each = [norm((one - self.common[name]).flatten(1), dim=1, dtype=kind) for name, one in self.after.items()]
        return np.asarray(norm(torch().stack(each), dim=0, dtype=kind).cpu().numpy(), dtype=np.float64)

    def total(self, factors: Floats) -> Floats:
        """[d]: the sum of how far each went, times its factor [k]. One with the factor 0 adds nothing, whatever it
        is."""
        out, start = np.empty(len(self.weights)), 0
        whole, some = float(factors.sum()), np.flatnonzero(factors)
        for one in self.after.values():
            stop = start + one[0].numel()
            chosen = one if len(some) == len(factors) else one[torch().from_numpy(some)]
            by = torch().from_numpy(factors[some]).to(one.dtype).to(one.device)
            out[start:stop] = (by @ chosen.flatten(1)).double().cpu().numpy()
            start = stop
        return np.asarray(out - whole * self.weights)


def descend_all(
    form: GraphForm, weights: Floats, batches: Sequence[Sequence[Batch]], x: Inputs, y: Floats, steps: Sequence[Steps]
) -> Moved:
    """What `GraphForm.descend` does, of k models that begin at the same weights [d], each with its own batches and
    steps. Whoever has more batches comes first; all have the same rate. Whoever calls gives torch its threads.

    Raises GraphError: torch is missing or fails, or a model's batch is beyond a bound.
    """
    frozen, common = form.held_and_moved(weights)
    common = {name: one.detach() for name, one in common.items()}
    after: dict[str, Tensor] = {}
    pulls = np.array([one.pull for one in steps])
    try:
        for stride in strides(batches):
            _step(form, stride, (frozen, after, common), x, y, steps[0], pulls)
    except FAILURES as failure:
        said = str(failure).partition("\n")[0][:200]
        raise GraphError(f"torch does not run it for several models at once: {said}", where="graph") from None
    return Moved(after, common, weights)


def _step(
    form: GraphForm,
    stride: Stride,
    held: "tuple[Mapping[str, Tensor], dict[str, Tensor], Mapping[str, Tensor]]",
    x: Inputs,
    y: Floats,
    steps: Steps,
    pulls: Floats,
) -> None:
    """One step of the first models. Before the first of all, `after` is empty: models that stand at one place need no
    weights of their own, and one product goes forward for all of them."""
    loaded, loss, ready = torch(), loss_of(form.goal), program(form.network.checked)
    frozen, after, common = held
    count, width = stride.rows.shape
    own = {name: one[:count] for name, one in after.items()} or common
    flat = stride.rows.reshape(-1)
    inputs, target, weighed = form.given(x[flat], y[flat], stride.factors)

    def several(one: "Tensor") -> "Tensor":
        return one.view(count, width, *one.shape[1:])

    def lost(own: "Mapping[str, Tensor]", taken: "Mapping[str, Tensor]", wanted: "Tensor", by: "Tensor") -> "Tensor":
        return loss.batch(forward(ready, {**frozen, **own}, taken, train=True), wanted, by)

    axes = (0 if after else None, 0, 0, None if weighed is None else 0)
    found = loaded.func.vmap(loaded.func.grad(lost), in_dims=axes)(
        own,
        {name: several(one) for name, one in inputs.items()},
        several(target),
        weighed if weighed is None else several(weighed),
    )
    moved: dict[str, Tensor] = {}
    for name, gradient in found.items():
        pull: Tensor | float = 0.0
        if gradient.dim() > 2 and pulls.any():
            each_own = loaded.from_numpy(pulls[:count]).to(gradient.dtype).to(gradient.device)
            pull = each_own.view(count, *[1] * (gradient.dim() - 1))
        one, anchor = own[name], common[name] if steps.anchor is not None else None
        down = downhill(one, gradient, steps, pull, anchor)
        if after:
            one.sub_(down, alpha=steps.rate)
        else:
            moved[name] = loaded.sub(one, down, alpha=steps.rate)
    after.update(moved)
