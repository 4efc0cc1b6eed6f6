"""The variance of a column's numbers: a row adds (1, x, x^2), with x scaled to [-1, 1]."""

import math

from potluck.core.plan import Plan, Statistic
from potluck.core.stages import Floats
from potluck.learning.evaluation import intervals
from potluck.learning.evaluation.intervals import Noised
from potluck.learning.statistics.kind import StatisticKind, of_numbers, powers
from potluck.learning.statistics.opens import squares
from potluck.learning.statistics.reading import by_group, even
from potluck.learning.statistics.result import Values, declared, undefined

WIDTH = 3


def read(plan: Plan, one: Statistic, values: Floats, std: Floats) -> Values:
    """The variance, over n, in the square of the column's own units; None where no row has a value,
    or no digit is sure (`digits.py`)."""
    low, high = declared(plan, one)
    square = ((high - low) / 2) ** 2
    rows, total, squares = (Noised(float(v), float(s)) for v, s in zip(values, std, strict=True))
    if rows.value <= 0:
        return undefined(rows, (0.0, square))
    value = squares.value / rows.value - (total.value / rows.value) ** 2
    if value < 0 and not rows.std:
        return undefined(rows, (0.0, square))
    ends = intervals.variance(rows, total, squares, (0.0, 1.0)) if rows.std else (value, value)
    return Values(value=value * square, low=ends[0] * square, high=ends[1] * square)


VARIANCE = StatisticKind(
    keys=frozenset({"column"}),
    check=of_numbers,
    cells=powers(WIDTH),
    read=by_group(read),
    width=lambda plan, one: WIDTH,
    norm=lambda plan, one: math.sqrt(WIDTH),
    alone=False,
    products=True,
    half=even((1.0, 0.0, 1 / 3), read),
    unit="square",
    opens=squares,
)
