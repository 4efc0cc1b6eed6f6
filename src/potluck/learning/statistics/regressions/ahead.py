"""What a regression with noise will be able to say, from the plan alone: from how many rows on it is fitted, and how
much larger the noise makes its errors.

Rows are made up: numbers even over their declared ranges and categories even over their values, all independent. Half
of a gaussian target's variance is explained, by all columns alike; outcomes of a binomial one are even. Real columns
fill less of their ranges, are more unbalanced and depend on each other: then a fit needs more rows, up to many times.
"""

import math

import numpy as np

from potluck.core.plan import Plan, Statistic, required
from potluck.core.seeded import generator
from potluck.core.stages import Floats
from potluck.learning.data.declared import find, measured
from potluck.learning.statistics.reading import Reach
from potluck.learning.statistics.regressions.design import columns_of
from potluck.learning.statistics.regressions.noised import ONCE, STEPS, NewtonSteps, covariance
from potluck.learning.statistics.regressions.regression import Regression

OFTEN = {True: 1.5, False: 4.0}
"""By whether a fit takes one sum: how many times the gate the curvature must be for fits to be refused rarely. As
measured, that is 1 in 20 of those that take one; of the others, which have to settle too, up to 3 in 10."""
MADE = 4096
"""Made-up rows: moments are known to one or two in a hundred."""
EXPLAINED, EVEN = 0.5, 1 / 3
OF = "standard errors, as multiples of those without noise, at most"


def reach(plan: Plan, one: Statistic, std: float, rows: float | None) -> Reach:
    """See `reading.Foresee`."""
    of = Regression(plan, one)
    moments = _moments(of)
    size = len(moments)
    if of.family.scaled:
        off, bent, gate, curved = std, std, ONCE, moments
        phi = (1 - EXPLAINED) * EVEN
        each = np.diag(moments)[1:] - moments[0, 1:] ** 2
        weights = np.concatenate(([0.0], np.sqrt(EXPLAINED * EVEN / np.maximum(each, 1e-12) / max(size - 1, 1))))
    else:
        slope, curvature = NewtonSteps(of).sensitivity
        off, bent, gate = std * slope, std * curvature, STEPS
        curved, phi, weights = moments / 4, 1.0, np.zeros(size)
    least = OFTEN[of.family.scaled] * gate * bent * math.sqrt(size) / float(np.linalg.eigvalsh(curved)[0])
    if rows is None or rows < least:
        return Reach(least, None, OF)
    noised = np.diag(covariance(rows * curved, phi, off, bent, weights))
    return Reach(least, float(np.sqrt(noised / (phi * np.diag(np.linalg.inv(rows * curved)))).max()), OF)


def _moments(of: Regression) -> Floats:
    """[d, d] the mean of x x^T of made-up rows."""
    draw, columns = generator(0, "made-up rows"), {}
    for name in columns_of(of.one.features):
        column = required(find(of.plan, name))
        even = (np.arange(MADE) + 0.5) / MADE
        if measured(column):
            low, high = column.bounds
            columns[name] = draw.permutation(low + even * (high - low))
        else:
            columns[name] = draw.permutation(np.floor(even * len(column.values)))
    rows = of.design.rows(columns, slice(None))
    return np.asarray(rows.T @ rows / MADE, dtype=np.float64)
