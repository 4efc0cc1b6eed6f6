"""The sum of a column's numbers, each clamped to the declared range."""

from collections.abc import Mapping

import numpy as np

from potluck.core.plan import Plan, Statistic
from potluck.core.stages import Floats
from potluck.learning.statistics.kind import StatisticKind, of_numbers
from potluck.learning.statistics.result import Result, declared, single


def cells(plan: Plan, one: Statistic, columns: Mapping[str, Floats], rows: int) -> tuple[Floats, Floats]:
    """Each row's clamped number, in the column's own units."""
    x = columns[one.column or ""]
    return np.where(np.isnan(x), np.nan, 0.0), np.clip(x, *declared(plan, one))[:, None]


def most(plan: Plan, one: Statistic) -> float:
    """The largest absolute value of the column."""
    return max(map(abs, declared(plan, one)))


def read(plan: Plan, one: Statistic, values: Floats, std: Floats) -> Result:
    """The sum."""
    return single(values, std, whole=False)


SUM = StatisticKind(keys=frozenset({"column"}), check=of_numbers, cells=cells, read=read, most=most, unit="same")
