"""How far two groups are apart: the standardised mean difference, and what noise leaves open of it.

It is the second mean less the first, over the root of the mean of both variances. Noise moves it by its derivative.
Where a group, or that mean of variances, is smaller than ENOUGH standard deviations of its own noise, nothing is said.
Reference: Austin 2009, "Balance diagnostics for comparing the distribution of baseline covariates between treatment
groups".
"""

import math
from dataclasses import dataclass

import numpy as np

from potluck.core.stages import Floats
from potluck.learning.evaluation.ranking import Z
from potluck.learning.statistics import gram
from potluck.learning.statistics.result import Estimate
from potluck.learning.statistics.sums import Part

ENOUGH = 5.0


@dataclass(frozen=True, slots=True, eq=False)
class Group:
    """Mean and variance of a group, and the covariance of both by noise [2, 2]."""

    mean: float
    variance: float
    noise: Floats


def of_number(cell: Part) -> Group | None:
    """Of sums of (1, x, x^2); the variance is over rows - 1. None where too few rows are known."""
    rows, std = float(cell.values[0]), float(cell.std[0])
    if rows <= 1 or rows < ENOUGH * std:
        return None
    _, totals, squares = cell.values
    mean, variance, _ = map(float, gram.variances(cell.values[0], totals, squares, cell.blur))
    moves = np.array([[-mean, 1, 0], [mean**2 - variance, -2 * mean, 1]]) * std / rows
    over = rows / (rows - 1)
    moves[1] *= over
    return Group(mean, variance * over, moves @ moves.T)


def of_value(cell: Part, place: int) -> Group | None:
    """Of counts of declared values, and of others at the end: of being the one at this place."""
    counts, std = cell.values[:-1], float(cell.std[0])
    rows = float(counts.sum())
    if rows <= 0 or rows < ENOUGH * std * math.sqrt(len(counts)):
        return None
    share = float(counts[place]) / rows
    move = (np.eye(len(counts))[place] - share) * std / rows
    moves = np.array([move, (1 - 2 * share) * move])
    return Group(share, share * (1 - share), moves @ moves.T)


def apart(first: Group | None, second: Group | None) -> Estimate | None:
    """The difference with the interval that noise leaves; None where it is not defined or not known."""
    if first is None or second is None:
        return None
    middle = (first.variance + second.variance) / 2
    if middle <= 0 or middle < ENOUGH * math.sqrt(float(first.noise[1, 1] + second.noise[1, 1])) / 2:
        return None
    value = (second.mean - first.mean) / math.sqrt(middle)
    variance = 0.0
    for side, group in ((-1, first), (1, second)):
        move = np.array([side / math.sqrt(middle), -value / (4 * middle)])
        variance += float(move @ group.noise @ move)
    reach = Z * math.sqrt(variance)
    return Estimate(value=value, low=value - reach, high=value + reach)
