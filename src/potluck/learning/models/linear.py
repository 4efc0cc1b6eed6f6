"""Linear and logistic regression: what a row adds to the gradient and to the Gram matrix of the objective.

The objective is the sum over all training rows of the log-loss (logistic) or of half the squared error (linear),
plus l2/2 |w|^2 with the intercept free: scikit-learn's C = 1/l2, or ridge with alpha = l2, on the pooled encoded
rows. Coordinate 0 is the intercept. Reference: Hastie, Tibshirani, Friedman, "The Elements of Statistical
Learning", section 4.4.1.
"""

from __future__ import annotations

import math
from typing import Literal

import numpy as np

from potluck.core.plan import Plan
from potluck.core.stages import Floats
from potluck.learning.data.links import sigmoid

Kind = Literal["linear", "logistic"]
ROOM = 8.0
"""Sums of a linear model have room for errors so large from the first on, and for larger ones as its model grows."""


def kind(plan: Plan) -> Kind:
    """The plan's kind of linear model."""
    assert plan.model is not None
    assert plan.model.kind in ("linear", "logistic")
    return plan.model.kind


def l2(plan: Plan) -> float:
    """The plan's ridge penalty."""
    assert plan.model is not None
    return plan.model.l2


def design(features: Floats) -> Floats:
    """features [n, p] -> [n, p + 1] with a 1 for the intercept in front."""
    return np.column_stack([np.ones(len(features)), features])


def residuals(which: Kind, weights: Floats, rows: Floats, target: Floats) -> Floats:
    """rows [n, p + 1] -> [n] predicted mean minus target: logistic within [-1, 1]."""
    margins = rows @ weights
    return np.asarray((sigmoid(margins) if which == "logistic" else margins) - target, dtype=np.float64)


def largest(which: Kind, weights: Floats) -> float:
    """A power of two that no row's |residual| is beyond, at these public weights [p + 1].

    Logistic: 1. Linear: features and target lie on [-1, 1], so |residual| <= 1 + |w|_1. The sum is exact before it is
    rounded, so that all parties find the same one whatever their mathematical library.
    """
    if which == "logistic":
        return 1.0
    bound = (1 + math.fsum(np.abs(weights).tolist())) * (1 + 2.0**-40)  # more than float64 gets wrong about a margin
    part, power = math.frexp(bound)
    return math.ldexp(1.0, power - (part == 0.5))


def room(which: Kind, weights: Floats) -> float:
    """The headroom that a row has in a gradient, likewise; of small linear models it does not follow the weights."""
    return 1.0 if which == "logistic" else max(ROOM, largest(which, weights))


def curvature(which: Kind, weights: Floats, rows: Floats) -> Floats:
    """rows [n, p + 1] -> [n] weights of the Gram matrix: p (1 - p), at most 1/4, or 1."""
    if which == "linear":
        return np.ones(len(rows))
    mean = sigmoid(rows @ weights)
    return np.asarray(mean * (1 - mean), dtype=np.float64)


def penalty(strength: float, weights: Floats) -> Floats:
    """[p + 1] the gradient of l2/2 |w|^2, the intercept free."""
    out = strength * weights
    out[0] = 0.0
    return out
