"""First and second derivatives of each row's loss by its margins, as XGBoost takes them, and what bounds them.

Log-loss of two sides: p - y and p (1 - p). Of several classes p_k - [y = k] and 2 p_k (1 - p_k): the diagonal of the
Hessian, doubled, which bounds the whole of it, since beside the diagonal a row of it adds up to as much. Half the
squared
error of a number on [-1, 1]: margin - y and 1.
Reference: Chen, Guestrin, XGBoost, KDD 2016, section 2.2; the objectives binary:logistic, multi:softprob and
reg:squarederror of its program.
"""

import math

import numpy as np

from potluck.core.plan import Plan
from potluck.core.stages import Floats
from potluck.learning.data.target import Goal, softmax
from potluck.learning.models.class_weights import factors_of, heaviest
from potluck.learning.models.kinds.logistic import mean

LEAST = 1e-16
"""No row's second derivative is smaller, as in XGBoost."""
CURVED = {"binary": 1 / 4, "classes": 1 / 2, "number": 1.0}
"""No row's loss is more curved in its margins."""
PARTS = 30
"""Derivatives are whole multiples of 2^-30 of a power of two above the largest: a site of 2^23 rows adds them up
exactly as float64."""


def derivatives(plan: Plan, goal: Goal, margins: Floats, target: Floats) -> tuple[Floats, Floats]:
    """margins [n, k], target [n] -> first and second derivatives [n, k], times what each row counts."""
    if goal.side == "number":
        return margins - target[:, None], np.ones(margins.shape)
    if goal.side == "classes":
        chance, factor = softmax(margins), 2.0
        side: Floats = np.asarray(target[:, None] == np.arange(margins.shape[1]), dtype=np.float64)
    else:
        chance, factor, side = mean(margins), 1.0, target[:, None]
    first, second = chance - side, np.maximum(factor * chance * (1 - chance), LEAST)
    counts = factors_of(plan, goal)
    if counts is None:
        return first, second
    each = counts[target.astype(np.int64)][:, None]
    return first * each, second * each


def bounds(plan: Plan, goal: Goal, reach: float) -> tuple[float, float]:
    """The largest |first| and second derivative of a row. reach: no margin is beyond it."""
    if goal.side == "number":
        return 1.0 + reach, 1.0
    return heaviest(plan), heaviest(plan) / (2 if goal.side == "classes" else 4)


def parts(high: float) -> int:
    """One part of the grid is 1 / parts, a power of two, for derivatives up to `high`."""
    return 1 << max(0, PARTS - max(0, math.ceil(math.log2(high))))
