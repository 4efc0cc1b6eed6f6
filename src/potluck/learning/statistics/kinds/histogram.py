"""How many rows have a number in each of `bins` equal parts of the declared range: [a, b), the last one closed."""

from collections.abc import Mapping

from potluck.core.plan import Plan, Statistic, required
from potluck.core.stages import Floats
from potluck.learning.data.sql.layers import Layer
from potluck.learning.statistics.kind import ONE, Cells, StatisticKind, a_cell, binned, edges_of, of_numbers
from potluck.learning.statistics.opens import Axis, Table
from potluck.learning.statistics.reading import by_group
from potluck.learning.statistics.result import Values, counts


def cells(plan: Plan, one: Statistic, columns: Mapping[str, str], layer: Layer) -> Cells:
    """A 1 at the bin of each row, by the stated edges."""
    return Cells((ONE,), (binned(plan, one, one.column, columns, layer),))


def read(plan: Plan, one: Statistic, values: Floats, std: Floats) -> Values:
    """A count a bin, and the edges."""
    return counts(values, std, tuple, edges_of(plan, one, one.column))


HISTOGRAM = StatisticKind(
    scale=a_cell,
    tells="how many rows lie in each bin; of a row alone in its bin, about what its value is",
    keys=frozenset({"column", "bins"}),
    usual={"bins": 10},
    check=of_numbers,
    cells=cells,
    read=by_group(read),
    width=lambda plan, one: required(one.bins),
    whole=True,
    lists=True,
    opens=lambda plan, one: (Table((Axis(one.column or "", edges_of(plan, one, one.column)[1:-1]),)),),
)
