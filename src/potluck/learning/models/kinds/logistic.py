"""Logistic regression: the log-loss of two sides, or the cross-entropy of several classes (multinomial, by softmax).
The objective is that of `models.linear`.

Of K classes every one has its intercept and coefficients: probabilities are exp(margin_k) over their sum. What is added
to all classes alike moves no probability; a ridge makes coefficients add up to 0 over the classes, and so does training
from zero weights of intercepts, and without a ridge of all: the symmetric form, as in scikit-learn.
Reference: Hastie, Tibshirani, Friedman, "The Elements of Statistical Learning", sections 4.4 and 18.3.2.

What a row adds to a sum is computed with +, -, *, / and rounding alone. IEEE 754 defines them to the last bit, so that
every machine adds the same bytes; an exponential of the C library may differ in its last bit between processors.
Reference: Cody and Waite, "Software Manual for the Elementary Functions" (1980), chapter 6.
"""

import math
from dataclasses import replace

import numpy as np

from potluck.core.stages import Floats
from potluck.learning.data.target import sigmoid, softmax
from potluck.learning.models import export
from potluck.learning.models.kind import Link, ModelKind
from potluck.learning.models.linear import slope_of

PER_LOG2 = float.fromhex("0x1.71547652b82fep+0")
LOG2, BELOW = float.fromhex("0x1.62e42ffp-1"), float.fromhex("-0x1.718432a1b0e26p-35")
"""ln 2 in two parts: multiples of the first, which has 32 bits, are exact."""
SERIES = tuple(1 / math.factorial(power) for power in range(13, -1, -1))
"""Of exp, from the highest power: on |x| <= ln 2 / 2 what is left out is below 2^-57."""
FAR = 800.0
"""Beyond it a probability is 0 or 1 in float64."""
STEEPEST = 0.25
"""No product of two probabilities that add up to at most 1 is larger."""


def mean(margins: Floats) -> Floats:
    """1 / (1 + exp(-margin)) of each, right to two units in the last place."""
    with np.errstate(over="ignore", invalid="ignore"):  # a margin may be infinite, and no number stays none
        return np.asarray(1 / (1 + _exp(-margins)), dtype=np.float64)


def shares(margins: Floats) -> Floats:
    """margins [n, K] -> exp(margin) over the sum of those of all classes."""
    with np.errstate(over="ignore", invalid="ignore"):
        each = _exp(margins - margins.max(axis=1, keepdims=True))
        return np.asarray(each / each.sum(axis=1, keepdims=True), dtype=np.float64)


def probabilities(margins: Floats) -> Floats:
    """Of two sides [n], or of classes [n, K]."""
    return mean(margins) if margins.ndim == 1 else shares(margins)


def _exp(values: Floats) -> Floats:
    """Right to two units in the last place; beyond FAR as at FAR."""
    values = np.minimum(np.maximum(values, -FAR), FAR)
    power = np.rint(values * PER_LOG2)
    rest = values - power * LOG2 - power * BELOW
    value = np.full_like(rest, SERIES[0])
    for term in SERIES[1:]:
        value *= rest
        value += term
    return np.asarray(np.ldexp(value, power.astype(np.int32)), dtype=np.float64)


def curved(margins: Floats) -> Floats:
    """p (1 - p), at most 1/4; of classes p_k (1 - p_k) and p_k p_l, in the order of `np.triu_indices`."""
    p = probabilities(margins)
    if margins.ndim == 1:
        return np.asarray(p * (1 - p), dtype=np.float64)
    one, other = np.triu_indices(p.shape[1])
    found = p[:, one] * np.where(one == other, 1 - p[:, other], p[:, other])
    return np.minimum(found, STEEPEST)  # of two classes of 1/2 each rounding may go beyond


def fast(margins: Floats) -> Floats:
    """The mean of small batches, where a library's one call is faster."""
    return sigmoid(margins) if margins.ndim == 1 else softmax(margins)


LOGIT = Link(mean=probabilities, curved=curved, steepest=STEEPEST, odds=True)

LOGISTIC = ModelKind(
    title="a logistic regression",
    targets=("binary", "classes"),
    link=LOGIT,
    slope=slope_of(replace(LOGIT, mean=fast)),
    summed=True,
    sklearn=export.straight,
)
