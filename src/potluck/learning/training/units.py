"""The units in which features count while a model is trained. The model itself stays one of encoded features.

Public ones from the plan are for an optimizer whose steps are of one size in every coordinate; those that follow from
a noised sum are in `standardize`.

A category's feature is 0 or 1, and 1 is a large change. A number's feature is its place on [-1, 1], where most values
of a skewed column lie together near -1: a coefficient of it then does what the intercept does, and the two move against
each other for many rounds. So steps are taken as if a number counted from the low end of its declared range, in
quarters of the range: a quarter is nearly the standard deviation of values that fill it evenly. The margin of a row is
the same, hence the model and its penalty; the intercept alone is another, and is turned back after each step.

With x_j on [-1, 1], the unit's scale s_j and its center c_j, and v for weights in these units:
v_0 + sum_j v_j s_j (x_j - c_j) = w_0 + sum_j w_j x_j  where  w_j = s_j v_j,  w_0 = v_0 - sum_j c_j s_j v_j,
and the gradient for v_j is s_j (g_j - c_j g_0). Here s_j = 2 and c_j = -1. On a census of 48,842 rows with 91 features,
40 rounds of Adam reach an AUC .001 below the pooled fit's; without these units .017 below. Nothing of the data is used.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from potluck.core.plan import Plan
from potluck.core.stages import Floats
from potluck.learning.data.column import COLUMNS
from potluck.learning.data.encode import encoding

SCALE, CENTER = 2.0, -1.0
"""A range is 2 wide on [-1, 1], and 4 quarters."""


@dataclass(frozen=True, slots=True)
class Units:
    """numbers [p + 1]: whether a weight is a number's. Of each of these q, in order: where it counts from, centers [q],
    and how many units an encoded 1 is, scales [q]. All other features count as they are. Of several classes the weights
    of each are turned alike."""

    numbers: NDArray[np.bool_]
    centers: Floats
    scales: Floats

    def rows(self, features: Floats) -> Floats:
        """Encoded rows [n, p], in these units."""
        found = features.copy()
        some = self.numbers[1:]
        found[:, some] = (found[:, some] - self.centers) * self.scales
        return found

    def gradient(self, plain: Floats) -> Floats:
        """A gradient [K (p + 1)] of the model's weights, in these units."""
        found = plain.copy()
        for one in found.reshape(-1, len(self.numbers)):
            one[self.numbers] = self.scales * (one[self.numbers] - self.centers * one[0])
        return found

    def moved(self, inside: Floats) -> Floats:
        """A step [K (p + 1)] in these units, of the model's weights."""
        found = inside.copy()
        for one in found.reshape(-1, len(self.numbers)):
            one[self.numbers] *= self.scales
            # exact before it is rounded: in any order the same
            one[0] -= math.fsum((self.centers * one[self.numbers]).tolist())
        return found


def numbers(plan: Plan) -> NDArray[np.bool_]:
    """[p + 1]: which weights are numbers', the intercept in front."""
    found = [False]
    for one in encoding(plan).fields:
        kind = COLUMNS.of(one.kind)
        flags = len(one.features) - len(kind.names(one))
        found += [kind.spread] * len(kind.names(one)) + [False] * flags
    return np.array(found)


def units(plan: Plan) -> Units:
    """Those of a plan's features, from the plan alone."""
    which = numbers(plan)
    return Units(which, np.full(which.sum(), CENTER), np.full(which.sum(), SCALE))
