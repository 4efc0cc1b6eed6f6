"""What a row adds of several numbers at once: (1, x, upper triangle of x x^T), each number scaled to [-1, 1]."""

import math
from collections.abc import Iterator, Mapping

import numpy as np

from potluck.core.plan import Plan, Statistic, repeated
from potluck.core.stages import Floats
from potluck.learning.data.sql.layers import Layer
from potluck.learning.statistics.kind import ONE, Cells, scaled, wanted


def of_several(plan: Plan, one: Statistic, at: str) -> Iterator[str]:
    """The check of a kind that takes two or more different numbers."""
    if len(one.columns) < 2 or repeated(one.columns):
        yield f'{at}.columns: at least two different columns. hint: columns = ["age", "chol"]'
        return
    for name in one.columns:
        yield from wanted(plan, f"{at}.columns", name, measured=True)


def width(plan: Plan, one: Statistic) -> int:
    """How many numbers a row adds."""
    size = len(one.columns) + 1
    return size * (size + 1) // 2


def norm(plan: Plan, one: Statistic) -> float:
    """The L2 norm of what a row adds, at most: every number lies within [-1, 1]."""
    return math.sqrt(width(plan, one))


def cells(plan: Plan, one: Statistic, columns: Mapping[str, str], layer: Layer) -> Cells:
    """A row's numbers, row by row of the triangle."""
    xs = [scaled(plan, name, columns, layer) for name in one.columns]
    products = (f"{x} * {y}" for place, x in enumerate(xs) for y in xs[place:])
    return Cells((ONE, *xs, *products))


def square(values: Floats, columns: int) -> Floats:
    """[1 + p, 1 + p], symmetric, of opened numbers."""
    full = np.zeros((columns + 1, columns + 1))
    full[np.triu_indices(columns + 1)] = values
    return np.asarray(np.triu(full) + np.triu(full, 1).T, dtype=np.float64)


def covariances(sums: Floats) -> tuple[float, Floats, Floats]:
    """Rows, means [p] and covariances [p, p] (divided by rows) of a `square` of more than no rows."""
    rows = float(sums[0, 0])
    mean = sums[0, 1:] / rows
    return rows, mean, np.asarray(sums[1:, 1:] / rows - np.outer(mean, mean), dtype=np.float64)
