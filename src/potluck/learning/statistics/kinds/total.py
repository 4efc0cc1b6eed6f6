"""The sum of a column's numbers, each clamped to the declared range."""

from collections.abc import Mapping

from potluck.core.plan import Plan, Statistic
from potluck.core.stages import Floats
from potluck.learning.data.sql.layers import Layer, clipped
from potluck.learning.statistics.kind import Cells, StatisticKind, a_range, of_numbers
from potluck.learning.statistics.opens import sums
from potluck.learning.statistics.reading import by_group
from potluck.learning.statistics.result import Values, declared, single


def cells(plan: Plan, one: Statistic, columns: Mapping[str, str], layer: Layer) -> Cells:
    """Each row's clamped number, in the column's own units."""
    low, high = map(layer.dialect.double, declared(plan, one))
    return Cells((clipped(columns[one.column or ""], low, high, layer),), clipped=True)


def most(plan: Plan, one: Statistic) -> float:
    """The largest absolute value of the column."""
    return max(map(abs, declared(plan, one)))


def read(plan: Plan, one: Statistic, values: Floats, std: Floats) -> Values:
    """The sum."""
    return single(values, std, whole=False)


SUM = StatisticKind(
    scale=lambda plan, one, rows: rows * a_range(plan, one, rows),
    tells="the sum of the column; whoever knows all rows but one reads that one's value",
    keys=frozenset({"column"}),
    check=of_numbers,
    cells=cells,
    read=by_group(read),
    most=most,
    unit="same",
    opens=sums,
)
