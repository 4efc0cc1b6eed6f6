"""How many rows there are, or have a value in a column."""

from collections.abc import Iterator, Mapping

from potluck.core.plan import Plan, Statistic
from potluck.core.stages import Floats
from potluck.learning.data.sql.layers import Layer
from potluck.learning.statistics.kind import ONE, Cells, StatisticKind, a_cell, wanted
from potluck.learning.statistics.opens import rows_alone
from potluck.learning.statistics.reading import by_group
from potluck.learning.statistics.result import Values, single


def check(plan: Plan, one: Statistic, at: str) -> Iterator[str]:
    """A column, where one is named, of whatever kind."""
    if one.column is not None:
        yield from wanted(plan, f"{at}.column", one.column)


def cells(plan: Plan, one: Statistic, columns: Mapping[str, str], layer: Layer) -> Cells:
    """A 1."""
    return Cells((ONE,))


def read(plan: Plan, one: Statistic, values: Floats, std: Floats) -> Values:
    """The number of rows."""
    return single(values, std, whole=True)


COUNT = StatisticKind(
    least=0.0,
    scale=a_cell,
    tells="how many rows there are; of one row alone in its group, that it is there",
    keys=frozenset({"column"}),
    check=check,
    cells=cells,
    read=by_group(read),
    whole=True,
    opens=rows_alone,
)
