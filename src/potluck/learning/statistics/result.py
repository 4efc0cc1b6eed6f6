"""What one statistic says: numbers with their 95 % intervals, as JSON has them."""

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TypeVar

import msgspec

from potluck.core.plan import Plan, Statistic, required
from potluck.core.stages import Floats
from potluck.learning.data.declared import find
from potluck.learning.evaluation.intervals import Noised
from potluck.learning.evaluation.ranking import Z
from potluck.learning.statistics.forms import AnyForm, Bars, Cell, Dot, Dots, Frame, Grid, Number

EVERYBODY = "all"
"""What a table calls all groups together."""
OF = "of"
"""The column of a table that says of which group a row is."""
ROWS = "rows"
"""What counts are of."""
R = TypeVar("R")
Value = float | int | tuple["Value", ...] | None


class Result(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What one statistic says. A kind whose results are no `Values` has a struct of its own on this one: its fields are
    the keys of the JSON."""

    def document(self) -> dict[str, object]:
        """As JSON has it."""
        found: dict[str, object] = msgspec.to_builtins(self)
        return found

    def shown(self, plan: Plan, one: Statistic) -> tuple[AnyForm, ...]:
        """As tables and pictures, what is read first before the rest."""
        return ()

    def warnings(self, one: Statistic) -> Iterator[str]:
        """What to mind of it, a line each."""
        yield from ()


def each(whole: R, by: Mapping[str, R] | None) -> list[tuple[str, R]]:
    """The result of all rows, and that of each group, by what a table calls them."""
    return [(EVERYBODY, whole), *(by or {}).items()]


class Estimate(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A number that is estimated, and its 95 % interval; None: not defined, or open.

    population: the interval for rows like these, where low and high are of these rows.
    """

    value: float | int | None
    low: float | int | None
    high: float | int | None
    population: tuple[float | None, float | None] | None = None


class Values(Result, frozen=True, kw_only=True, omit_defaults=True):
    """A number, a list or nested lists (in declared order), and the ends of the interval of each.

    None where it is not defined (no rows). edges: of a list of bins; labels: of nested lists, of the outer ones and of
    those in them; by: of each declared value.
    """

    value: Value
    low: Value
    high: Value
    edges: tuple[float, ...] | None = None
    labels: tuple[tuple[str, ...], ...] | None = None
    by: "dict[str, Values] | None" = None

    def shown(self, plan: Plan, one: Statistic) -> tuple[AnyForm, ...]:
        """A number, a histogram or a table of counts, of all and of each group; all numbers are looked up."""
        every = each(self, self.by)
        head: tuple[str, ...] = (OF, "value", "low", "high")
        drawn: tuple[AnyForm, ...]
        if self.edges is not None:
            head = (OF, "from", "to", ROWS, "low", "high")
            drawn = tuple(_bars(plan, one, name, values) for name, values in every)
        elif self.labels is not None:
            head = (OF, *one.columns, ROWS, "low", "high")
            drawn = tuple(_grid(one, name, values) for name, values in every)
        else:
            drawn = (Dots(dots=tuple(_dot(one, name, values) for name, values in every)),)
        rows = tuple((name, *row) for name, values in every for row in values._rows())
        return *drawn, Frame(head=head, rows=rows, long=True)

    def _rows(self) -> Iterator[tuple[Cell, ...]]:
        """Where it is, if there are several, and the number with its interval."""
        if self.edges is not None:
            for ends, *row in zip(itertools.pairwise(self.edges), *self._sides(), strict=True):
                yield *ends, *map(_number, row)
        elif self.labels is not None:
            down, across = self.labels
            for label, *lists in zip(down, *self._sides(), strict=True):
                yield from (
                    (label, to, *map(_number, row)) for to, *row in zip(across, *map(_list, lists), strict=True)
                )
        else:
            yield tuple(map(_number, (self.value, self.low, self.high)))

    def _sides(self) -> tuple[tuple[Value, ...], ...]:
        """The numbers, and either end of their intervals."""
        return tuple(map(_list, (self.value, self.low, self.high)))


def _list(value: Value) -> tuple[Value, ...]:
    return value if isinstance(value, tuple) else ()


def _number(value: Value) -> Number:
    return None if isinstance(value, tuple) else value


def _dot(one: Statistic, name: str, values: Values) -> Dot:
    value, low, high = map(_number, (values.value, values.low, values.high))
    return Dot(name=called(one, name), value=value, low=low, high=high)


def _bars(plan: Plan, one: Statistic, name: str, values: Values) -> Bars:
    value, low, high = (tuple(map(_number, side)) for side in values._sides())
    title, x = titled(one, name), axis(plan, one.column)
    return Bars(title=title, x=x, y=ROWS, edges=values.edges or (), values=value, low=low, high=high)


def _grid(one: Statistic, name: str, values: Values) -> Grid:
    value, low, high = (tuple(tuple(map(_number, _list(line))) for line in side) for side in values._sides())
    (down, across), (rows, columns) = one.columns, values.labels or ((), ())
    named = Grid(title=titled(one, name), down=down, across=across, rows=rows, columns=columns, values=value)
    return msgspec.structs.replace(named, low=low, high=high)


def titled(one: Statistic, name: str) -> str:
    """A picture of a group; that of all has the statistic's own title."""
    return "" if name == EVERYBODY else called(one, name)


def called(one: Statistic, name: str) -> str:
    """A group as a picture names it."""
    return name if name == EVERYBODY else f"{one.by} = {name}"


def axis(plan: Plan, name: str | None) -> str:
    """A column of the plan as a picture names it, with its unit; empty without a column."""
    column = find(plan, name) if name else None
    return f"{name} ({column.unit})" if column and column.unit not in ("", name) else name or ""


def declared(plan: Plan, one: Statistic) -> tuple[float, float]:
    """The declared range of the statistic's column, a number."""
    return required(find(plan, one.column or "")).bounds


def plain(value: float, std: float, whole: bool) -> float | int:
    """A number as it is shown: a count without noise is whole."""
    return round(value) if whole and std == 0 else float(value)


def single(values: Floats, std: Floats, *, whole: bool) -> Values:
    """Of values [1]: the number itself."""
    value, reach = float(values[0]), Z * float(std[0])
    low, high = (plain(value + side * reach, reach, whole) for side in (-1, 1))
    return Values(value=plain(value, reach, whole), low=low, high=high)


def undefined(rows: Noised, widest: tuple[float, float]) -> Values:
    """No rows: no value. With noise the truth may be anything in its range."""
    low, high = widest if rows.std else (None, None)
    return Values(value=None, low=low, high=high)


def counts(
    values: Floats,
    std: Floats,
    shape: Callable[[Sequence[float | int]], Value],
    edges: tuple[float, ...] | None = None,
    labels: tuple[tuple[str, ...], ...] | None = None,
) -> Values:
    """Of counts [d], in lists as `shape` makes them."""
    made = [
        shape([plain(float(v + side * Z * s), float(s), True) for v, s in zip(values, std, strict=True)])
        for side in (0, -1, 1)
    ]
    return Values(value=made[0], low=made[1], high=made[2], edges=edges, labels=labels)
