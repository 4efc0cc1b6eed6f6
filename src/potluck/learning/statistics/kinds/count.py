"""How many rows there are, or have a value in a column."""

from collections.abc import Iterator, Mapping

import numpy as np

from potluck.core.plan import Plan, Statistic
from potluck.core.stages import Floats
from potluck.learning.statistics.kind import StatisticKind, wanted
from potluck.learning.statistics.result import Result, single


def check(plan: Plan, one: Statistic, at: str) -> Iterator[str]:
    """A column, where one is named, of whatever kind."""
    if one.column is not None:
        yield from wanted(plan, f"{at}.column", one.column)


def cells(plan: Plan, one: Statistic, columns: Mapping[str, Floats], rows: int) -> tuple[Floats, Floats]:
    """A 1 for each row that has a value."""
    place = np.zeros(rows) if one.column is None else np.where(np.isnan(columns[one.column]), np.nan, 0.0)
    return place, np.ones((rows, 1))


def read(plan: Plan, one: Statistic, values: Floats, std: Floats) -> Result:
    """The number of rows."""
    return single(values, std, whole=True)


COUNT = StatisticKind(keys=frozenset({"column"}), check=check, cells=cells, read=read, whole=True)
