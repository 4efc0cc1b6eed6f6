"""Logistic regression: the log-loss of two sides. The objective is that of `models.linear`.

What a row adds to a sum is computed with +, -, *, / and rounding alone. IEEE 754 defines them to the last bit, so that
every machine adds the same bytes; an exponential of the C library may differ in its last bit between processors.
Reference: Cody and Waite, "Software Manual for the Elementary Functions" (1980), chapter 6.
"""

import math
from dataclasses import replace

import numpy as np

from potluck.core.stages import Floats
from potluck.learning.data.target import sigmoid
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


def mean(margins: Floats) -> Floats:
    """1 / (1 + exp(-margin)), right to two units in the last place."""
    with np.errstate(over="ignore", invalid="ignore"):  # a margin may be infinite, and no number stays none
        down = np.minimum(np.maximum(-margins, -FAR), FAR)
        power = np.rint(down * PER_LOG2)
        rest = down - power * LOG2 - power * BELOW
        value = np.full_like(rest, SERIES[0])
        for term in SERIES[1:]:
            value *= rest
            value += term
        return np.asarray(1 / (1 + np.ldexp(value, power.astype(np.int32))), dtype=np.float64)


def curved(margins: Floats) -> Floats:
    """p (1 - p), at most 1/4."""
    p = mean(margins)
    return np.asarray(p * (1 - p), dtype=np.float64)


LOGIT = Link(mean=mean, curved=curved, steepest=0.25, odds=True)

LOGISTIC = ModelKind(
    title="a logistic regression",
    targets=("binary",),
    link=LOGIT,
    slope=slope_of(replace(LOGIT, mean=sigmoid)),  # of small batches, where a library's one call is faster
    summed=True,
    sklearn=export.straight,
)
