"""The table that describes the rows of a study: what the values of some columns are, of all rows and by group.

A number has rows, mean, standard deviation (over n - 1), median and quartiles; each declared value of a category has
rows and percent, of those with a declared value. Each of these is read off a statistic that has a kind of its own, and
has that kind's interval. `smd` says how far two groups are apart (`apart.py`); of a category it is each value's.
"""

import math
from collections.abc import Callable, Iterator, Mapping

import msgspec

from potluck.core.plan import Plan, Statistic, required
from potluck.learning.data.column import COLUMNS
from potluck.learning.data.declared import find
from potluck.learning.statistics.apart import apart, of_number, of_value
from potluck.learning.statistics.estimates import count, share
from potluck.learning.statistics.forms import AnyForm, Box, Boxes, Cell, Frame
from potluck.learning.statistics.kind import StatisticKind, of_columns
from potluck.learning.statistics.kinds import mean, quantile, variance
from potluck.learning.statistics.opens import elsewhere
from potluck.learning.statistics.reading import Opened, each_group
from potluck.learning.statistics.result import OF, Estimate, Result, Values, axis, called, each

ROWS, QUARTERS = "rows", "quarters"
NUMBER = ("percent", "mean", "sd", "median", "q1", "q3")
"""Of a line, what is there or not: a category has the first, a number the others."""


class Line(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One column, or one declared value (`level`) of it. n: rows that have a value, or this one; missing: rows without
    a value in this column."""

    column: str
    level: str | None = None
    n: Estimate
    percent: Estimate | None = None
    mean: Estimate | None = None
    sd: Estimate | None = None
    median: Estimate | None = None
    q1: Estimate | None = None
    q3: Estimate | None = None
    missing: Estimate
    smd: Estimate | None = None


class Table(Result, frozen=True, kw_only=True, omit_defaults=True):
    """A line a number and a declared value, in the plan's order. by: of each declared value of another column."""

    rows: tuple[Line, ...]
    by: "dict[str, Table] | None" = None

    def shown(self, plan: Plan, one: Statistic) -> tuple[AnyForm, ...]:
        """As papers print it, groups side by side; how each number is spread; and all lines, without intervals."""
        head = (OF, "column", "level", "n", *NUMBER, "missing", "smd")
        rows = tuple(
            (name, line.column, line.level or "", *_values(line))
            for name, table in each(self, self.by)
            for line in table.rows
        )
        note = "The interval of each number is in run.json." if plan.noisy else ""
        lines = Frame(head=head, rows=rows, note=note, long=True)
        return (self._printed(plan, one), *self._boxes(plan, one), lines)

    def _printed(self, plan: Plan, one: Statistic) -> Frame:
        """A line a number and a declared value, a column a group."""
        every = each(self, self.by)
        apart = any(line.smd is not None for line in self.rows)
        rows = []
        for place, line in enumerate(self.rows):
            here = [table.rows[place] for _, table in every]
            smd = ("" if line.smd is None else _said(line.smd.value, 2),) if apart else ()
            if line.level is not None:
                rows.append((f"{line.column} = {line.level}, n (%)", *map(_counted, here), *smd))
            else:
                name = axis(plan, line.column)
                digits = _digits(plan, line.column)
                rows.append((f"{name}, mean (sd)", *(_pair(one.mean, one.sd, digits, digits) for one in here), *smd))
                nothing = ("",) * len(smd)
                rows.append((f"{name}, median [q1, q3]", *(_middle(one, digits) for one in here), *nothing))
            last = place + 1 == len(self.rows) or self.rows[place + 1].column != line.column
            if last and any(one.missing.value for one in here):
                missing = (_said(one.missing.value, 0) for one in here)
                rows.append((f"{line.column}, missing", *missing, *(("",) * len(smd))))
        head = ("column", *(called(one, name) for name, _ in every), *(("smd",) if apart else ()))
        return Frame(name="printed", head=head, rows=tuple(rows))

    def _boxes(self, plan: Plan, one: Statistic) -> Iterator[Boxes]:
        """Of each number, all rows and each group."""
        for place, line in enumerate(self.rows):
            if line.median is not None:
                boxes = tuple(_box(called(one, name), table.rows[place]) for name, table in each(self, self.by))
                yield Boxes(title=line.column, x=axis(plan, line.column), boxes=boxes)


def _said(value: float | None, decimals: int) -> str:
    return "" if value is None else f"{value:,.{decimals}f}"


def _digits(plan: Plan, name: str) -> int:
    """Decimals by which numbers of a column are told apart: hundredths to thousandths of its declared range."""
    low, high = required(find(plan, name)).bounds
    return max(1, 2 - math.floor(math.log10(high - low)))


def _pair(first: Estimate | None, second: Estimate | None, decimals: int, more: int) -> str:
    found = [None if one is None else one.value for one in (first, second)]
    return "" if found[0] is None else f"{_said(found[0], decimals)} ({_said(found[1], more)})"


def _counted(line: Line) -> str:
    return _pair(line.n, line.percent, 0, 1)


def _middle(line: Line, decimals: int) -> str:
    """The quartiles, with no more decimals than the mean has, or none where they are whole numbers."""
    median, q1, q3 = (None if one is None else one.value for one in (line.median, line.q1, line.q3))
    whole = all(one is None or one == round(one) for one in (median, q1, q3))
    said = [_said(one, 0 if whole else decimals) for one in (median, q1, q3)]
    return f"{said[0]} [{said[1]}, {said[2]}]" if said[0] else ""


def _box(name: str, line: Line) -> Box:
    q1, median, q3 = (None if one is None else one.value for one in (line.q1, line.median, line.q3))
    return Box(name=name, q1=q1, median=median, q3=q3)


def _values(line: Line) -> Iterator[Cell]:
    for found in (line.n, *(getattr(line, name) for name in NUMBER), line.missing, line.smd):
        yield None if found is None else found.value


def measured(plan: Plan, name: str) -> bool:
    """Whether a column has numbers."""
    return COLUMNS.of(required(find(plan, name)).kind).measured


def parts(plan: Plan, one: Statistic) -> Mapping[str, Statistic]:
    """How many rows there are; of each number its powers and its quarters, of each category its values."""
    found = {ROWS: Statistic(name=ROWS, kind="count", by=one.by)}
    for name in one.columns:
        if measured(plan, name):
            found[name] = Statistic(name=name, kind="variance", column=name, by=one.by)
            found[f"{name}/{QUARTERS}"] = Statistic(
                name=name, kind="quantile", column=name, by=one.by, q=quantile.QUARTILES, bins=one.bins
            )
        else:
            found[name] = Statistic(name=name, kind="top", column=name, by=one.by)
    return found


def join(plan: Plan, one: Statistic, opened: Opened) -> Table:
    """The lines of all rows and of each group, and how far two groups are apart."""
    whole = each_group(plan, one, opened, lambda cells: Table(rows=tuple(_lines(plan, one, cells))))
    if len(whole.by or {}) != 2:
        return whole
    lines = zip(whole.rows, _apart(plan, one, opened), strict=True)
    return msgspec.structs.replace(whole, rows=tuple(msgspec.structs.replace(line, smd=smd) for line, smd in lines))


def _apart(plan: Plan, one: Statistic, opened: Opened) -> Iterator[Estimate | None]:
    """Of each line, how far both groups are apart."""
    for name in one.columns:
        first, second, *_ = opened[name].groups()
        if measured(plan, name):
            yield apart(of_number(first), of_number(second))
            continue
        for place in range(len(required(find(plan, name)).values)):
            yield apart(of_value(first, place), of_value(second, place))


def _lines(plan: Plan, one: Statistic, cells: Opened) -> Iterator[Line]:
    everything = cells[ROWS]
    for name in one.columns:
        values, std = cells[name].values, cells[name].std
        known = (values[:1], std[:1]) if measured(plan, name) else (values, std)
        n, noise = float(known[0].sum()), math.sqrt(float((known[1] ** 2).sum()))
        missing = count(float(everything.values[0]) - n, math.hypot(float(everything.std[0]), noise))
        if measured(plan, name):
            yield _number(plan, one, name, cells, missing)
            continue
        for place, level in enumerate(required(find(plan, name)).values):
            part = share(values[:-1], std[:-1], place)
            at = count(float(values[place]), float(std[place]))
            yield Line(column=name, level=level, n=at, percent=_changed(part, lambda x: 100 * x), missing=missing)


def _number(plan: Plan, one: Statistic, name: str, cells: Opened, missing: Estimate) -> Line:
    of, cell = Statistic(name=name, kind="", column=name, q=quantile.QUARTILES, bins=one.bins), cells[name]
    n, bins = float(cell.values[0]), cells[f"{name}/{QUARTERS}"]
    first, middle, third = (
        Estimate(value=each.value, low=each.low, high=each.high, population=each.population)
        for each in quantile.read(plan, of, bins.values, bins.std).quantiles
    )
    return Line(
        column=name,
        n=count(n, float(cell.std[0])),
        mean=_estimate(mean.read(plan, of, cell.values[:2], cell.std[:2])),
        sd=_changed(
            _estimate(variance.read(plan, of, cell)),
            lambda x: math.sqrt(x * n / (n - 1)) if n > 1 and x >= 0 else None,
        ),
        median=middle,
        q1=first,
        q3=third,
        missing=missing,
    )


def _estimate(found: Values) -> Estimate:
    value, low, high = (end if isinstance(end, int | float) else None for end in (found.value, found.low, found.high))
    return Estimate(value=value, low=low, high=high)


def _changed(found: Estimate, change: Callable[[float], float | None]) -> Estimate:
    """An estimate of a rising function of what is estimated."""
    value, low, high = (None if end is None else change(end) for end in (found.value, found.low, found.high))
    return Estimate(value=value, low=low, high=high)


def check(plan: Plan, one: Statistic, at: str) -> Iterator[str]:
    """Columns, none of which has the name of a part."""
    yield from of_columns(plan, one, at)
    if ROWS in one.columns:
        yield f"{at}.columns: all {ROWS} are counted by that name. hint: call the column otherwise"


TABLE1 = StatisticKind(
    tells=(
        "how many rows there are, of each number its sum, its sum of squares and rows by bin, of each category rows by"
        " value; of a row alone in a bin or with a value, what its value is"
    ),
    title="Table 1",
    keys=frozenset({"columns", "bins"}),
    usual={"bins": 256},
    check=check,
    opens=elsewhere,
    half=None,
    parts=parts,
    join=join,
)
