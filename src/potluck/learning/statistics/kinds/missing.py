"""How much of some columns is not as declared: a row adds 1 to what its cell is.

A cell of a number may be missing, below or above its declared range; one of a category missing or undeclared. Where a
column's `missing` is "refuse", a missing cell stops the site, so none is counted. Of `data.person`, which has no
declared values, the fault is a duplicate: a row beyond the first of its person at a site. There are as many as rows
less persons, which are a statistic each: a row changes either by at most 1.
"""

import math
from collections.abc import Iterator, Mapping

import msgspec

from potluck.core.plan import Plan, Statistic, repeated, required
from potluck.learning.data.column import COLUMNS
from potluck.learning.data.declared import find
from potluck.learning.data.sql.layers import Layer, cases
from potluck.learning.evaluation.intervals import Noised, mean
from potluck.learning.evaluation.ranking import Z
from potluck.learning.statistics.estimates import share
from potluck.learning.statistics.forms import AnyForm, Frame
from potluck.learning.statistics.kind import ONE, Cells, StatisticKind, a_share, of_columns, wanted
from potluck.learning.statistics.opens import Axis, Table
from potluck.learning.statistics.reading import Opened, each_group, groups
from potluck.learning.statistics.result import OF, Estimate, Result, each
from potluck.learning.statistics.sums import Part

NUMBER, CATEGORY = ("missing", "below", "above"), ("missing", "undeclared")
DUPLICATE, ROWS = "duplicate", "rows"


class Rates(Result, frozen=True, kw_only=True, omit_defaults=True):
    """Of each column and each fault the share of rows that have it. by: of each declared value of another column."""

    rates: dict[str, dict[str, Estimate]]
    by: "dict[str, Rates] | None" = None

    def shown(self, plan: Plan, one: Statistic) -> tuple[AnyForm, ...]:
        """A line a column and fault."""
        rows = tuple(
            (name, column, fault, rate.value, rate.low, rate.high)
            for name, some in each(self, self.by)
            for column, faults in some.rates.items()
            for fault, rate in faults.items()
        )
        return (Frame(head=(OF, "column", "what", "rate", "low", "high"), rows=rows),)


def faults(plan: Plan, name: str) -> tuple[str, ...]:
    """What a cell of a column may be beside as declared."""
    return NUMBER if COLUMNS.of(required(find(plan, name)).kind).measured else CATEGORY


def check(plan: Plan, one: Statistic, at: str) -> Iterator[str]:
    """Columns, of which one may be that of persons."""
    others = tuple(name for name in one.columns if name != plan.data.person)
    if others == one.columns or repeated(one.columns):
        yield from of_columns(plan, one, at)
        return
    yield from (wrong for name in others for wrong in wanted(plan, f"{at}.columns", name))
    if ROWS in others:
        yield f"{at}.columns: beside persons {ROWS} are counted by that name. hint: call the column otherwise"


def opens(plan: Plan, one: Statistic) -> tuple[Table, ...]:
    """Each fault is a cell of a table."""
    (name,) = one.columns
    what = faults(plan, name)
    return (Table((Axis(name, required(find(plan, name)).bounds if what is NUMBER else None, faults=what),)),)


def cells(plan: Plan, one: Statistic, columns: Mapping[str, str], layer: Layer) -> Cells:
    """A 1 at the fault of each row's cell, or at the first place where it has none."""
    (name,) = one.columns
    value, double = columns[name], layer.dialect.double
    column = required(find(plan, name))
    beyond = [f"{value} < {double(0)}"]
    if faults(plan, name) is NUMBER:
        low, high = map(double, column.bounds)
        beyond = [f"{value} < {low}", f"{value} > {high}"]
    found = [f"{value} IS NULL", *beyond]
    return Cells((ONE,), ((cases([(one, str(place)) for place, one in enumerate(found, 1)], "0"), len(found) + 1),))


def parts(plan: Plan, one: Statistic) -> Mapping[str, Statistic]:
    """Of several columns each; of persons how many there are, beside how many rows."""
    who = plan.data.person
    if len(one.columns) < 2 and who not in one.columns:
        return {}
    found = {
        name: Statistic(name=name, kind=one.kind, columns=(name,), by=one.by) for name in one.columns if name != who
    }
    if who is not None and who in one.columns:
        found[ROWS] = Statistic(name=ROWS, kind="count", by=one.by)
        found[who] = Statistic(name=who, kind="distinct", by=one.by)
    return found


def join(plan: Plan, one: Statistic, opened: Opened) -> Rates:
    """The rates of all columns."""
    who = plan.data.person or ""
    if who not in opened:
        return _of_columns(plan, one, opened)
    known = _of_columns(plan, one, {name: part for name, part in opened.items() if name not in (who, ROWS)})
    persons, rows = opened[who], opened[ROWS]
    found = _with(known, who, _duplicates(persons, 0, rows.together(), 0))
    groups = enumerate((known.by or {}).items())
    by = {name: _with(some, who, _duplicates(persons, 1 + i, rows, i)) for i, (name, some) in groups}
    return msgspec.structs.replace(found, by=by or None)


def _with(found: Rates, who: str, duplicates: Estimate) -> Rates:
    return msgspec.structs.replace(found, rates={**found.rates, who: {DUPLICATE: duplicates}})


def _duplicates(persons: Part, place: int, rows: Part, group: int) -> Estimate:
    """1 less persons over rows, each a number of its part."""
    known, every = (
        Noised(float(part.values.flat[at]), float(part.std.flat[at])) for part, at in ((persons, place), (rows, group))
    )
    if every.value <= 0:
        return Estimate(value=None, low=0.0 if every.std else None, high=1.0 if every.std else None)
    once = known.value / every.value
    low, high = mean(every, known, (0.0, 1.0)) if every.std else (once, once)
    return Estimate(value=1 - once, low=1 - high, high=1 - low)


def _of_columns(plan: Plan, one: Statistic, opened: Opened) -> Rates:
    def rates(cells: Opened) -> Rates:
        return Rates(
            rates={
                name: {word: share(part.values, part.std, place) for place, word in enumerate(faults(plan, name), 1)}
                for name, part in cells.items()
            }
        )

    return each_group(plan, one, opened, rates)


def read(plan: Plan, one: Statistic, part: Part) -> Rates:
    """The same of one column."""
    return join(plan, one, {one.columns[0]: part})


MISSING = StatisticKind(
    scale=a_share,
    tells="how many cells of each column are missing or not as declared; of a single one, that there is one",
    title="Missing and other faults",
    keys=frozenset({"columns"}),
    check=check,
    opens=opens,
    cells=cells,
    read=read,
    width=lambda plan, one: len(faults(plan, one.columns[0])) + 1,
    whole=True,
    every=True,
    lists=True,
    half=lambda plan, one, std, rows: Z * std * math.sqrt(groups(plan, one)) / rows if rows else None,
    parts=parts,
    join=join,
)
