"""How many rows have a number in each of `bins` equal parts of the declared range: [a, b), the last one closed."""

from collections.abc import Mapping

import numpy as np

from potluck.core.plan import Plan, Statistic, required
from potluck.core.stages import Floats
from potluck.learning.data.sql.layers import Layer, placed
from potluck.learning.statistics.kind import ONE, Cells, StatisticKind, of_numbers
from potluck.learning.statistics.reading import by_group
from potluck.learning.statistics.result import Values, counts, declared


def cells(plan: Plan, one: Statistic, columns: Mapping[str, str], layer: Layer) -> Cells:
    """A 1 at the bin of each row, by the stated edges."""
    (low, high), x = declared(plan, one), columns[one.column or ""]
    edges = np.linspace(low, high, required(one.bins) + 1)[1:-1].tolist()
    return Cells((ONE,), ((placed(x, low, high, edges, layer), required(one.bins)),))


def read(plan: Plan, one: Statistic, values: Floats, std: Floats) -> Values:
    """A count a bin, and the edges."""
    edges = tuple(np.linspace(*declared(plan, one), required(one.bins) + 1).tolist())
    return counts(values, std, tuple, edges)


HISTOGRAM = StatisticKind(
    keys=frozenset({"column", "bins"}),
    usual={"bins": 10},
    check=of_numbers,
    cells=cells,
    read=by_group(read),
    width=lambda plan, one: required(one.bins),
    whole=True,
    lists=True,
)
