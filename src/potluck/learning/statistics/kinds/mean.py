"""The mean of a column's numbers: a row adds (1, x), with x scaled to [-1, 1]."""

import math

from potluck.core.plan import Plan, Statistic
from potluck.core.stages import Floats
from potluck.learning.evaluation import intervals
from potluck.learning.evaluation.intervals import Noised
from potluck.learning.statistics.kind import StatisticKind, a_range, of_numbers, powers
from potluck.learning.statistics.opens import sums
from potluck.learning.statistics.reading import by_group, even
from potluck.learning.statistics.result import Values, declared, undefined

WIDTH = 2


def read(plan: Plan, one: Statistic, values: Floats, std: Floats) -> Values:
    """The mean in the column's own units; None where no row has a value."""
    low, high = declared(plan, one)
    rows, total = (Noised(float(v), float(s)) for v, s in zip(values, std, strict=True))

    def units(scaled: float) -> float:
        return low + (scaled + 1) / 2 * (high - low)

    if rows.value <= 0:
        return undefined(rows, (low, high))
    ends = intervals.mean(rows, total, (-1.0, 1.0)) if rows.std else (total.value / rows.value,) * 2
    return Values(value=units(total.value / rows.value), low=units(ends[0]), high=units(ends[1]))


MEAN = StatisticKind(
    scale=a_range,
    tells="how many rows there are, and their sum; whoever knows all rows but one reads that one's value",
    keys=frozenset({"column"}),
    check=of_numbers,
    cells=powers(WIDTH),
    read=by_group(read),
    width=lambda plan, one: WIDTH,
    norm=lambda plan, one: math.sqrt(WIDTH),
    alone=False,
    half=even((1.0, 0.0), read),
    unit="same",
    opens=sums,
)
