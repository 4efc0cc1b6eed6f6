"""Linear and logistic regression: what a row adds to the gradient and to the Gram matrix of the objective.

The objective is the sum over all training rows of the log-loss (logistic) or of half the squared error (linear),
plus l2/2 |w|^2 with the intercept free: scikit-learn's C = 1/l2, or ridge with alpha = l2, on the pooled encoded
rows. Coordinate 0 is the intercept. Reference: Hastie, Tibshirani, Friedman, "The Elements of Statistical
Learning", section 4.4.1.
"""

from __future__ import annotations

from typing import Literal

import numpy as np

from potluck.core.plan import Plan
from potluck.core.stages import Floats
from potluck.fl.links import sigmoid

Kind = Literal["linear", "logistic"]


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
