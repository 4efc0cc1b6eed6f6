"""The variance of a column's numbers: a row adds (1, x, x^2), with x scaled to [-1, 1]."""

import math

from potluck.core.plan import Plan, Statistic
from potluck.learning.evaluation import intervals
from potluck.learning.evaluation.intervals import Noised
from potluck.learning.statistics import gram
from potluck.learning.statistics.kind import StatisticKind, a_range, of_numbers, powers
from potluck.learning.statistics.opens import squares
from potluck.learning.statistics.reading import by_part, even
from potluck.learning.statistics.result import Values, declared, undefined
from potluck.learning.statistics.sums import Part

WIDTH = 3


def read(plan: Plan, one: Statistic, cell: Part) -> Values:
    """The variance, over n, in the square of the column's own units; None where no row has a value. Without noise its
    ends are apart where few digits are sure."""
    low, high = declared(plan, one)
    square = ((high - low) / 2) ** 2
    rows, total, squares = (Noised(float(v), float(s)) for v, s in zip(cell.values, cell.std, strict=True))
    if rows.value <= 0:
        return undefined(rows, (0.0, square))
    _, variance, lost = gram.variances(cell.values[0], cell.values[1], cell.values[2], cell.blur)
    value, off = float(variance), 0.0 if gram.is_sure(variance, lost) else float(lost)
    exact = max(value - off, 0.0), value + off
    ends = intervals.variance(rows, total, squares, (0.0, 1.0)) if rows.std else exact
    return Values(value=value * square, low=ends[0] * square, high=ends[1] * square)


VARIANCE = StatisticKind(
    scale=lambda plan, one, rows: a_range(plan, one, rows) ** 2 / 12,
    tells=("how many rows there are, their sum and their sum of squares; of two rows alone in a group, both values"),
    keys=frozenset({"column"}),
    check=of_numbers,
    cells=powers(WIDTH),
    read=by_part(read),
    width=lambda plan, one: WIDTH,
    norm=lambda plan, one: math.sqrt(WIDTH),
    alone=False,
    products=True,
    half=even((1.0, 0.0, 1 / 3), lambda plan, one, values, std: read(plan, one, Part(values, std, 0.0))),
    unit="square",
    opens=squares,
)
