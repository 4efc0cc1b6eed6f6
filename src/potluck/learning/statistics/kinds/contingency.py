"""How many rows have each pair of values of two categories; values that the plan does not declare are left out."""

import math
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from potluck.core.plan import Plan, Statistic, required
from potluck.core.stages import Floats
from potluck.learning.data.declared import find
from potluck.learning.data.sql.layers import Layer
from potluck.learning.data.sql.values import other_last
from potluck.learning.statistics.kind import ONE, Cells, StatisticKind, a_cell, wanted
from potluck.learning.statistics.opens import Axis, Table
from potluck.learning.statistics.reading import by_group
from potluck.learning.statistics.result import Value, Values, counts


def check(plan: Plan, one: Statistic, at: str) -> Iterator[str]:
    """Two different categories."""
    if len(one.columns) != 2 or one.columns[0] == one.columns[1]:
        yield f'{at}.columns: a table needs two columns. hint: columns = ["sex", "cp"]'
        return
    for name in one.columns:
        yield from wanted(plan, f"{at}.columns", name, measured=False)


def shape(plan: Plan, one: Statistic) -> tuple[int, ...]:
    """Declared values and "other", of each column."""
    return tuple(len(required(find(plan, name)).values) + 1 for name in one.columns)


def width(plan: Plan, one: Statistic) -> int:
    """A number a pair."""
    return math.prod(shape(plan, one))


def cells(plan: Plan, one: Statistic, columns: Mapping[str, str], layer: Layer) -> Cells:
    """A 1 at the pair of each row."""
    places = zip(one.columns, shape(plan, one), strict=True)
    return Cells((ONE,), tuple((other_last(columns[name], size - 1), size) for name, size in places))


def read(plan: Plan, one: Statistic, values: Floats, std: Floats) -> Values:
    """A count a pair of declared values: a list a value of the first column."""
    sizes = shape(plan, one)

    def nested(cells: Sequence[float | int]) -> Value:
        table = np.array(cells, dtype=object).reshape(sizes)[:-1, :-1]  # without the cells of undeclared values
        return tuple(tuple(row) for row in table.tolist())

    labels = tuple(required(find(plan, name)).values for name in one.columns)
    return counts(values, std, nested, labels=labels)


CONTINGENCY = StatisticKind(
    scale=a_cell,
    tells=(
        "how many rows have each pair of values; whoever knows one value of a row that is alone with it reads the other"
    ),
    title="Counts",
    keys=frozenset({"columns"}),
    check=check,
    cells=cells,
    read=by_group(read),
    width=width,
    whole=True,
    lists=True,
    opens=lambda plan, one: (Table(tuple(map(Axis, one.columns))),),
)
