"""Models that are linear in their features: what a row adds to the gradient and to the Gram matrix of the objective.

The objective is the sum over all training rows of the log-loss (logistic) or of half the squared error (linear),
plus l2/2 |w|^2 with the intercept free: scikit-learn's C = 1/l2, or ridge with alpha = l2, on the pooled encoded
rows. Coordinate 0 is the intercept. Of K classes (logistic) the weights of each class follow those of the one before,
and the log-loss is that of softmax. Reference: Hastie, Tibshirani, Friedman, "The Elements of Statistical Learning",
sections 4.4.1 and 18.3.2.
"""

import math
from collections.abc import Callable

import numpy as np

from potluck.core.plan import Model as Spec
from potluck.core.plan import Plan, required
from potluck.core.stages import Floats
from potluck.learning.data.target import Goal, goal_of
from potluck.learning.models import layers
from potluck.learning.models.kind import Link, Slope, kind_of
from potluck.learning.models.layers import Shapes, design

ROOM = 8.0
"""Sums of a linear model have room for errors so large from the first on, and for larger ones as its model grows."""


def link(plan: Plan) -> Link:
    """Of a plan whose kind of model is linear in its features."""
    return required(kind_of(plan).link)


def l2(plan: Plan) -> float:
    """The plan's ridge penalty."""
    return required(plan.model).l2


def by_class(weights: Floats, outputs: int) -> Floats:
    """[outputs (p + 1)] -> [outputs, p + 1], or as they are [p + 1] where there is one. Raises ValueError: they are no
    such number."""
    return weights if outputs == 1 else weights.reshape(outputs, -1)


def margins(weights: Floats, features: Floats, space: Floats | None = None) -> Floats:
    """features [n, p] -> [n], or [n, K] with weights [K, p + 1]: each as `layers.margins`, whatever stands beside."""
    if weights.ndim == 1:
        return layers.margins(weights, features, space)
    return np.column_stack([layers.margins(one, features, space) for one in weights])


def residuals(by: Link, weights: Floats, features: Floats, target: Floats, space: Floats | None = None) -> Floats:
    """features [n, p] -> [n] predicted mean minus target: within [-1, 1], but of squared errors. With weights
    [K, p + 1] [n, K], where the target's class has a 1. space: see `layers.added`."""
    return residual(by.mean(margins(weights, features, space)), target)


def residual(mean: Floats, target: Floats) -> Floats:
    """mean [n] or [n, K] minus target [n]."""
    aim = target if mean.ndim == 1 else target[:, None] == np.arange(mean.shape[1])
    return np.asarray(mean - aim, dtype=np.float64)


def slopes(off: Floats, rows: Floats) -> Floats:
    """off [n] or [n, K], rows [n, p + 1] -> [n, K (p + 1)] the gradient of each row, class by class."""
    return np.asarray((off.reshape(len(rows), -1, 1) * rows[:, None, :]).reshape(len(rows), -1), dtype=np.float64)


def slope_of(by: Link) -> Callable[[Spec, Shapes, Goal], Slope]:
    """The gradient of the mean loss over a batch, of any model with this link."""

    def of_batch(weights: Floats, x: Floats, y: Floats, factors: Floats | None) -> tuple[Floats]:
        rows = design(x)
        away = residual(by.mean(rows @ by_class(weights, len(weights) // rows.shape[1]).T), y)
        away = away if factors is None else (away.T * factors).T
        return (np.asarray((away.T @ rows if away.ndim > 1 else rows.T @ away) / len(y), dtype=np.float64).reshape(-1),)

    return lambda spec, shapes, goal: of_batch


def steepest(plan: Plan) -> float:
    """A row's loss is no more curved in its margins: of classes no eigenvalue of diag(p) - p p' is beyond 1/2."""
    return link(plan).steepest * (2 if goal_of(plan).side == "classes" else 1)


def largest(by: Link, weights: Floats) -> float:
    """A power of two that no row's |residual| is beyond, at these public weights [p + 1].

    1, but of squared errors: features and target lie on [-1, 1], so |residual| <= 1 + |w|_1. The sum is exact before it
    is rounded, so that all parties find the same one whatever their mathematical library.
    """
    if not by.squares:
        return 1.0
    bound = (1 + math.fsum(np.abs(weights).tolist())) * (1 + 2.0**-40)  # more than float64 gets wrong about a margin
    part, power = math.frexp(bound)
    return math.ldexp(1.0, power - (part == 0.5))


def room(by: Link, weights: Floats) -> float:
    """The headroom that a row has in a gradient, likewise; of small models it does not follow the weights."""
    return max(ROOM, largest(by, weights)) if by.squares else 1.0


def at_zero(by: Link, outputs: int) -> float:
    """What every row weighs in the first Gram matrix at zero weights."""
    return float(by.curved(np.zeros((1, outputs) if outputs > 1 else 1)).reshape(-1)[0])


def curvature(by: Link, weights: Floats, features: Floats) -> Floats:
    """features [n, p] -> [n] weights of the Gram matrix."""
    return by.curved(margins(weights, features))


def penalty(strength: float, weights: Floats, outputs: int = 1) -> Floats:
    """[outputs (p + 1)] the gradient of l2/2 |w|^2, intercepts free."""
    out = strength * weights
    by_class(out, outputs)[..., 0] = 0.0
    return out
