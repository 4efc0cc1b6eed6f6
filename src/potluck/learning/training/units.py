"""The units in which an optimizer steps whose steps are of one size in every coordinate: public ones, from the plan.

A category's feature is 0 or 1, and 1 is a large change. A number's feature is its place on [-1, 1], where most values
of a skewed column lie together near -1: a coefficient of it then does what the intercept does, and the two move against
each other for many rounds. So steps are taken as if a number counted from the low end of its declared range, in
quarters of the range: a quarter is nearly the standard deviation of values that fill it evenly. The margin of a row is
the same, hence the model and its penalty; the intercept alone is another, and is turned back after each step.

With u for the unit's factor, x_j on [-1, 1] and v for weights in these units:
v_0 + sum_j v_j u (x_j + 1) = w_0 + sum_j w_j x_j  where  w_j = u v_j,  w_0 = v_0 + sum_j u v_j,
and the gradient for v_j is u (g_j + g_0). On a census of 48,842 rows with 91 features, 40 rounds of Adam reach an AUC
.001 below the pooled fit's; without these units .017 below. Nothing of the data is used.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from potluck.core.plan import Plan
from potluck.core.stages import Floats
from potluck.learning.data.column import COLUMNS
from potluck.learning.data.encode import encoding

FACTOR = 2.0
"""u: a range is 2 wide on [-1, 1], and 4 quarters."""


@dataclass(frozen=True, slots=True)
class Units:
    """numbers [p + 1]: whether a weight is a number's."""

    numbers: NDArray[np.bool_]

    def gradient(self, plain: Floats) -> Floats:
        """A gradient [p + 1] of the model's weights, in these units."""
        found = plain.copy()
        found[self.numbers] = FACTOR * (plain[self.numbers] + plain[0])
        return found

    def moved(self, inside: Floats) -> Floats:
        """A step [p + 1] in these units, of the model's weights."""
        found = inside.copy()
        found[self.numbers] *= FACTOR
        found[0] += math.fsum(found[self.numbers].tolist())  # exact before it is rounded: in any order the same
        return found


def units(plan: Plan) -> Units:
    """Those of a plan's features, the intercept in front."""
    numbers = [False]
    for one in encoding(plan).fields:
        kind = COLUMNS.of(one.kind)
        flags = len(one.features) - len(kind.names(one))
        numbers += [kind.spread] * len(kind.names(one)) + [False] * flags
    return Units(np.array(numbers))
