"""Models that are linear in their features: what a row adds to the gradient and to the Gram matrix of the objective.

The objective is the sum over all training rows of the log-loss (logistic) or of half the squared error (linear),
plus l2/2 |w|^2 with the intercept free: scikit-learn's C = 1/l2, or ridge with alpha = l2, on the pooled encoded
rows. Coordinate 0 is the intercept. Reference: Hastie, Tibshirani, Friedman, "The Elements of Statistical
Learning", section 4.4.1.
"""

import math
from collections.abc import Callable

import numpy as np

from potluck.core.plan import Model as Spec
from potluck.core.plan import Plan, required
from potluck.core.stages import Floats
from potluck.learning.data.target import Goal
from potluck.learning.models.kind import Link, Slope, kind_of
from potluck.learning.models.layers import Shapes, design, margins

ROOM = 8.0
"""Sums of a linear model have room for errors so large from the first on, and for larger ones as its model grows."""


def link(plan: Plan) -> Link:
    """Of a plan whose kind of model is linear in its features."""
    return required(kind_of(plan).link)


def l2(plan: Plan) -> float:
    """The plan's ridge penalty."""
    return required(plan.model).l2


def residuals(by: Link, weights: Floats, features: Floats, target: Floats, space: Floats | None = None) -> Floats:
    """features [n, p] -> [n] predicted mean minus target: within [-1, 1], but of squared errors. space: see
    `layers.added`."""
    return np.asarray(by.mean(margins(weights, features, space)) - target, dtype=np.float64)


def slope_of(by: Link) -> Callable[[Spec, Shapes, Goal], Slope]:
    """The gradient of the mean loss over a batch, of any model with this link."""

    def of_batch(weights: Floats, x: Floats, y: Floats, factors: Floats | None) -> tuple[Floats]:
        rows = design(x)
        off = by.mean(rows @ weights) - y
        off = off if factors is None else off * factors
        return (np.asarray(rows.T @ off / len(y), dtype=np.float64),)

    return lambda spec, shapes, goal: of_batch


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


def curvature(by: Link, weights: Floats, features: Floats) -> Floats:
    """features [n, p] -> [n] weights of the Gram matrix."""
    return by.curved(margins(weights, features))


def penalty(strength: float, weights: Floats) -> Floats:
    """[p + 1] the gradient of l2/2 |w|^2, the intercept free."""
    out = strength * weights
    out[0] = 0.0
    return out
