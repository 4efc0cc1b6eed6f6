"""Rounds of `average` at many sites in one process: their local steps side by side, and what they add, added up.

The steps are those of `average` (the same batches, rates, ridge and pull), taken for many sites by the same operations
(`graph_models`); a model of layers is trained as the graph that says the same. What differs from a run: a site's change
is bounded or clipped as a float, and the sum of several sites is put on the grid, not each by itself. The two agree to
the last digits of the graph's type.
It promises nothing about privacy.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from potluck.core.plan import Plan, required
from potluck.core.rounds import Abort, Cause
from potluck.core.stages import Floats
from potluck.learning.data.mixed import FEATURES, Inputs
from potluck.learning.data.units import Index
from potluck.learning.graph.interpreter import memory
from potluck.learning.graph.value import DType
from potluck.learning.models.class_weights import factors_of
from potluck.learning.models.fitted import training
from potluck.learning.models.form import Batch
from potluck.learning.models.graph_form import GraphForm
from potluck.learning.models.graphs import Equipped
from potluck.learning.models.kinds import kind_of
from potluck.learning.models.one_thread import one_thread
from potluck.learning.models.slopes import present
from potluck.learning.training.average import AVERAGE, BATCH, Average
from potluck.learning.training.drawn import gone_through
from potluck.learning.training.local import keeps
from potluck.learning.training.method import by_unit, counts, method_of
from potluck.learning.training.slots import Net, net_of
from potluck.simulation.graph_models import descend_all, draws

COPIES = 6
"""So many times its weights a model takes while it is trained: itself, its gradient, and what is made of them."""


def obstacle(plan: Plan) -> str:
    """Why sites of this plan cannot be trained side by side; empty where they can."""
    if method_of(plan) is not AVERAGE:
        return f"training.method = {training(plan).method!r} has sums over rows"
    if keeps(plan):
        return "sites keep weights of their own between rounds"
    if by_unit(plan):
        return f"each {plan.privacy.unit} is clipped by itself"
    if isinstance(plan, Equipped) and draws(plan.network.graph):
        return "the graph draws at random (dropout)"
    if not kind_of(plan).layered or not present():
        return "torch is missing"
    return ""


@dataclass(frozen=True)
class Stacked:
    """Sites of a plan for which there is no `obstacle`."""

    method: Average = field(repr=False)

    @cached_property
    def _net(self) -> Net:
        return net_of(self.method.plan, self.method.form.size)

    @cached_property
    def _form(self) -> GraphForm:
        plan, goal, net = self.method.plan, self.method.goal, self._net
        card = isinstance(plan, Equipped) and plan.card
        return GraphForm(net.network, net.trained, goal, 0, factors_of(plan, goal), card)

    @property
    def kind(self) -> DType | None:
        """The type in which the graph takes the features of the table; None: it takes none of them."""
        return next((one.dtype for one in self._net.network.graph.inputs if one.name == FEATURES), None)

    def room(self, rows: int) -> int:
        """Bytes that one site with so many rows takes, beside them."""
        checked, spec = self._form.network.checked, training(self.method.plan)
        batch = min(rows, spec.batch or BATCH)
        return memory(checked, batch) - memory(checked, 0) + COPIES * 8 * self._form.size

    def added(self, weights: Floats, step: int, sites: Sequence[Index], x: Inputs, y: Floats) -> Floats:
        """What `Average.contribute` of these sites comes to, on rows x (n) with targets y [n]: its blocks one after
        another, [d] or [d + cells]. sites: row numbers of each, at least one.

        Raises Abort: RANGE, a site's coefficient is beyond training.range, or no number; REFUSED, as `contribute`.
        """
        plan, method, exact = self.method.plan, self.method, not self.method.plan.noisy
        sites = sorted(sites, key=len, reverse=True)
        sizes = np.array([len(rows) for rows in sites])
        order = self._net.order
        at = weights[order]
        planned: dict[int, list[Batch]] = {}
        for size in set(sizes.tolist()):
            gone_through(plan, size)
            planned[size] = list(method.batches_of(step, size))
        batches = [[Batch(rows[one.rows], one.seed) for one in planned[len(rows)]] for rows in sites]
        steps = {size: method.steps_of(step, size, at) for size in planned}
        out = np.empty(len(weights) + exact * method.goal.cells)
        with one_thread():  # of a process that was forked, torch's other threads are not there
            moved = descend_all(self._form, at, batches, x, y, [steps[size] for size in sizes.tolist()])
            if exact:
                if not moved.furthest() <= training(plan).range:
                    what = "a local coefficient is beyond training.range. hint: lower training.rate"
                    raise Abort(Cause.RANGE, detail=what)
                factors = sizes.astype(np.float64)
            else:
                factors = _clipping(moved.norms(), required(plan.privacy.clip))
            out[order] = moved.total(factors)
        if exact:
            out[len(weights) :] = counts(method.goal, y[np.concatenate(sites)])
        return out


def _clipping(norms: Floats, most: float) -> Floats:
    """[k]: by how much a change of each norm is scaled down to be within the clip; 0 where it is no number."""
    finite = np.isfinite(norms)
    return np.where(finite, most / np.maximum(np.where(finite, norms, 1.0), most), 0.0)
