"""The form of a plan's model: a graph's weights, or the layers of its kind (one layer of a linear model)."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from potluck.core.plan import Plan, required
from potluck.core.slices import slices
from potluck.core.stages import Floats
from potluck.learning.data.mixed import Inputs
from potluck.learning.data.target import Goal, goal_of
from potluck.learning.models import graphs, layers
from potluck.learning.models.class_weights import factors_of
from potluck.learning.models.form import Batch, Form, Steps
from potluck.learning.models.graph_form import GraphForm
from potluck.learning.models.kind import Slope
from potluck.learning.models.kinds import kind_of
from potluck.learning.models.started import first

AT_ONCE = 1024
"""Rows of layers whose gradient is made at a time."""


def form_of(plan: Plan, goal: Goal, features: int) -> Form:
    """What trains of a plan's model, with this target and so many features. Raises PlanError: its graph is not here."""
    if plan.drawn:
        network = graphs.network_of(plan)
        card = isinstance(plan, graphs.Equipped) and plan.card
        trained, held, factors = graphs.trained_of(plan), graphs.held_of(plan), factors_of(plan, goal)
        return GraphForm(network, trained, goal, graphs.at_once(network), factors, card, held)
    return _Layered(plan, goal, features, factors_of(plan, goal))


def weights_of(plan: Plan, features: int) -> int:
    """About how many weights train of the plan's model, without making room for them."""
    if plan.drawn:
        return graphs.length_of(plan)
    widths = (features, *kind_of(plan).hidden(required(plan.model)), goal_of(plan).outputs)
    return layers.size(tuple(pairwise(widths)))


@dataclass(frozen=True)
class _Layered:
    """See `form.Form`. Matrices and biases in float64."""

    plan: Plan
    goal: Goal
    features: int
    factors: Floats | None
    at_once: int = AT_ONCE

    @cached_property
    def shapes(self) -> tuple[tuple[int, int], ...]:
        """(inputs, outputs) of each layer; one layer for a linear model."""
        hidden = kind_of(self.plan).hidden(required(self.plan.model))
        return tuple(pairwise((self.features, *hidden, self.goal.outputs)))

    @property
    def size(self) -> int:
        """As its layers have."""
        return layers.size(self.shapes)

    @property
    def held(self) -> int:
        """None: names that stay at a site are a graph's."""
        return 0

    def initial(self) -> Floats:
        """As the kind of model begins, or an earlier run ended."""
        return first(self.plan, lambda: kind_of(self.plan).initial(required(self.plan.model), self.shapes))

    def initial_held(self) -> Floats:
        """None."""
        return np.zeros(0)

    def penalised(self) -> NDArray[np.bool_]:
        """All but biases."""
        return layers.penalised(self.shapes, intercept_first=kind_of(self.plan).link is not None)

    def _gradient(self) -> Slope:
        """Of the mean loss, by its kind. A kind without a slope is not trained on sums: see the plan's check."""
        return required(kind_of(self.plan).slope)(required(self.plan.model), self.shapes, self.goal)

    def _weighed(self, y: Floats) -> Floats | None:
        """[n] by how much each row counts."""
        return None if self.factors is None else self.factors[y.astype(np.int64)]

    def descend(self, weights: Floats, batches: Iterable[Batch], x: Inputs, y: Floats, steps: Steps) -> None:
        """By the gradient of its kind; nothing is drawn."""
        assert isinstance(x, np.ndarray)  # tensors are for graphs alone: see the plan's check
        slope, penalised = self._gradient(), self.penalised()
        for batch in batches:
            at, target = 0, y[batch.rows]
            for gradient in slope(weights, x[batch.rows], target, self._weighed(target)):
                for part in slices(len(gradient)):
                    here = slice(at + part.start, at + part.stop)
                    down = gradient[part] + steps.pull * penalised[here] * weights[here]
                    if steps.anchor is not None:
                        down += steps.mu * (weights[here] - steps.anchor[here])
                    if steps.shift is not None:
                        down += steps.shift[here]
                    weights[here] -= steps.rate * down
                at += len(gradient)

    def add_slope(self, total: Floats, weights: Floats, batches: Iterable[Batch], x: Inputs, y: Floats) -> None:
        """By the gradient of its kind, times the rows of each batch."""
        assert isinstance(x, np.ndarray)  # as above
        slope, held = self._gradient(), weights.copy()  # those announced are not to be written to, and torch wants to
        for batch in batches:
            at, target = 0, y[batch.rows]
            for gradient in slope(held, x[batch.rows], target, self._weighed(target)):
                for part in slices(len(gradient)):
                    total[at + part.start : at + part.stop] += gradient[part] * len(target)
                at += len(gradient)
