"""How many rows have a number in each of `bins` equal parts of the declared range: [a, b), the last one closed."""

from collections.abc import Mapping

import numpy as np

from potluck.core.plan import Plan, Statistic
from potluck.core.stages import Floats
from potluck.learning.statistics.kind import StatisticKind, of_numbers
from potluck.learning.statistics.result import Result, counts, declared


def cells(plan: Plan, one: Statistic, columns: Mapping[str, Floats], rows: int) -> tuple[Floats, Floats]:
    """A 1 at the bin of each row, by the stated edges."""
    x, bounds = columns[one.column or ""], declared(plan, one)
    edges = np.linspace(*bounds, one.bins + 1)
    found = np.clip(np.searchsorted(edges, np.clip(x, *bounds), side="right") - 1, 0, one.bins - 1)
    return np.where(np.isnan(x), np.nan, found.astype(np.float64)), np.ones((rows, 1))


def read(plan: Plan, one: Statistic, values: Floats, std: Floats) -> Result:
    """A count a bin, and the edges."""
    edges = tuple(np.linspace(*declared(plan, one), one.bins + 1).tolist())
    return counts(values, std, tuple, edges)


HISTOGRAM = StatisticKind(
    keys=frozenset({"column", "bins"}),
    check=of_numbers,
    cells=cells,
    read=read,
    width=lambda plan, one: one.bins,
    whole=True,
    lists=True,
)
