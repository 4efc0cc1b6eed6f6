"""The form of a plan's model: a graph's weights, or the layers of its kind (one layer of a linear model)."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np

from potluck.core.plan import Plan, required
from potluck.core.slices import slices
from potluck.core.stages import Floats
from potluck.learning.data.mixed import Inputs
from potluck.learning.data.target import Goal
from potluck.learning.models import graphs, layers
from potluck.learning.models.form import Batch, Form, Steps
from potluck.learning.models.graph_form import GraphForm
from potluck.learning.models.kinds import kind_of


def form_of(plan: Plan, goal: Goal, features: int) -> Form:
    """What trains of a plan's model, with this target and so many features. Raises PlanError: its graph is not here."""
    if plan.drawn:
        return GraphForm(graphs.network_of(plan), graphs.trained_of(plan), goal)
    return _Layered(plan, goal, features)


@dataclass(frozen=True)
class _Layered:
    """See `form.Form`. Matrices and biases in float64."""

    plan: Plan
    goal: Goal
    features: int

    @cached_property
    def shapes(self) -> tuple[tuple[int, int], ...]:
        """(inputs, outputs) of each layer; one layer for a linear model."""
        hidden = kind_of(self.plan).hidden(required(self.plan.model))
        return tuple(pairwise((self.features, *hidden, self.goal.outputs)))

    @property
    def size(self) -> int:
        """As its layers have."""
        return layers.size(self.shapes)

    def initial(self) -> Floats:
        """As the kind of model begins."""
        return kind_of(self.plan).initial(required(self.plan.model), self.shapes)

    def descend(self, weights: Floats, batches: Iterable[Batch], x: Inputs, y: Floats, steps: Steps) -> None:
        """By the gradient of its kind; nothing is drawn."""
        assert isinstance(x, np.ndarray)  # tensors are for graphs alone: see the plan's check
        kind = kind_of(self.plan)
        # A kind without a slope is not trained on sums: see the plan's check.
        slope = required(kind.slope)(required(self.plan.model), self.shapes, self.goal)
        penalised = layers.penalised(self.shapes, intercept_first=kind.link is not None)
        for batch in batches:
            at = 0
            for gradient in slope(weights, x[batch.rows], y[batch.rows]):
                for part in slices(len(gradient)):
                    here = slice(at + part.start, at + part.stop)
                    down = gradient[part] + steps.pull * penalised[here] * weights[here]
                    if steps.anchor is not None:
                        down += steps.mu * (weights[here] - steps.anchor[here])
                    weights[here] -= steps.rate * down
                at += len(gradient)
