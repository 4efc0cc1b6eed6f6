"""What training ends with, before it is a model: weights, what to mind, and the curvature that its sums opened."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import msgspec

from potluck.core.plan import Plan, Training, required
from potluck.core.stages import Floats


class Sums(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """gram: rows of the Gram matrix [d, d] at the model, intercept first, without the penalty; rows: trained on;
    events: of them positive, None where the target is a number; squares: of a linear model the sum of squared errors,
    on the target's scale; gram_error, squares_error: how far off an entry and that sum may be at most."""

    gram: tuple[tuple[float, ...], ...]
    gram_error: float
    rows: int
    events: int | None
    squares: float | None
    squares_error: float | None


@dataclass(frozen=True, slots=True, eq=False)
class Fitted:
    """Final weights [d], what to mind, whether the fit has converged (None: not known), and where the method opened it
    the curvature there. averaged: they are the mean of those after several rounds. ending: what to mind beside of these
    weights alone, not of those of an earlier round. clips: of each round, where they followed what was opened.
    importances: of weights of any round, by column, where the method knows how much each counts."""

    weights: Floats = field(repr=False)
    warnings: tuple[str, ...] = ()
    converged: bool | None = None
    curvature: Sums | None = field(default=None, repr=False)
    averaged: bool = False
    ending: tuple[str, ...] = ()
    clips: tuple[float, ...] = ()
    importances: Callable[[Floats], Mapping[str, float]] = lambda weights: {}

    @property
    def told(self) -> tuple[str, ...]:
        """All that there is to mind."""
        return (*self.warnings, *self.ending)


def training(plan: Plan) -> Training:
    """The plan's training table, which a plan that trains has."""
    return required(plan.training)
