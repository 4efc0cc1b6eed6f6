"""The declared values of a category that most rows have: a row adds 1 to its value.

With noise each count holds it, and the first ones are those whose noise was high too: the interval of a count is right
for a value that is named beforehand, and too high for one that is named because its count is large.
"""

from collections.abc import Iterator, Mapping

import msgspec

from potluck.core.plan import Plan, Statistic, required
from potluck.core.stages import Floats
from potluck.learning.data.declared import find
from potluck.learning.data.sql.layers import Layer
from potluck.learning.data.sql.values import other_last
from potluck.learning.statistics.estimates import count
from potluck.learning.statistics.forms import AnyForm, Frame
from potluck.learning.statistics.kind import ONE, Cells, StatisticKind, wanted
from potluck.learning.statistics.opens import Axis, Table
from potluck.learning.statistics.reading import by_group
from potluck.learning.statistics.result import OF, Estimate, Result, each


class Named(msgspec.Struct, frozen=True, kw_only=True):
    """A declared value, and how many rows have it."""

    value: str
    count: Estimate


class Top(Result, frozen=True, kw_only=True, omit_defaults=True):
    """The values that most rows have, from the first on; those with equal counts in declared order. by: of each
    declared value of another column."""

    top: tuple[Named, ...]
    by: "dict[str, Top] | None" = None

    def shown(self, plan: Plan, one: Statistic) -> tuple[AnyForm, ...]:
        """A line a value."""
        rows = tuple(
            (name, mine.value, mine.count.value, mine.count.low, mine.count.high)
            for name, some in each(self, self.by)
            for mine in some.top
        )
        return (Frame(head=(OF, one.column or "", "count", "low", "high"), rows=rows),)


def check(plan: Plan, one: Statistic, at: str) -> Iterator[str]:
    """A category."""
    yield from wanted(plan, f"{at}.column", one.column, measured=False)


def values_of(plan: Plan, one: Statistic) -> tuple[str, ...]:
    """The declared values of its column."""
    return required(find(plan, one.column or "")).values


def width(plan: Plan, one: Statistic) -> int:
    """A number a declared value, and one of all others."""
    return len(values_of(plan, one)) + 1


def cells(plan: Plan, one: Statistic, columns: Mapping[str, str], layer: Layer) -> Cells:
    """A 1 at the value of each row."""
    size = width(plan, one)
    return Cells((ONE,), ((other_last(columns[one.column or ""], size - 1), size),))


def read(plan: Plan, one: Statistic, values: Floats, std: Floats) -> Top:
    """The first `k` of one cell."""
    names = values_of(plan, one)
    order = sorted(range(len(names)), key=lambda place: -values[place])[: required(one.k)]
    return Top(top=tuple(Named(value=names[i], count=count(float(values[i]), float(std[i]))) for i in order))


TOP = StatisticKind(
    tells=(
        "how many rows have each declared value, also those that are not named; of a row alone with its "
        "value, that it is there"
    ),
    title="Most frequent values",
    keys=frozenset({"column", "k"}),
    usual={"k": 10},
    check=check,
    cells=cells,
    read=by_group(read),
    width=width,
    whole=True,
    lists=True,
    opens=lambda plan, one: (Table((Axis(one.column or ""),)),),
)
