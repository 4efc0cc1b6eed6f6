"""A kind of statistic as one object: what a row adds to its cell of the sum, and what the opened cells say.

A kind is a file in `kinds/` and a line in its table; nothing else knows its name.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal, Never

import numpy as np

from potluck.core.plan import Plan, Statistic, repeated, required
from potluck.core.registry import Registry, table
from potluck.learning.data.column import COLUMNS, ColumnKind
from potluck.learning.data.declared import find
from potluck.learning.data.sql.layers import Layer, clipped, placed
from potluck.learning.models.layers import MOST_VALUES
from potluck.learning.statistics.course import Course, MakeCourse
from potluck.learning.statistics.opens import Opens
from potluck.learning.statistics.reading import Foresee, Half, Join, Read, each_number
from potluck.learning.statistics.spread import Spread

Check = Callable[[Plan, Statistic, str], Iterator[str]]
ONE = "1"
"""What a row adds to a number that counts rows."""


@dataclass(frozen=True, slots=True)
class Cells:
    """What a row adds to a statistic, in SQL. values [m]: doubles that it adds from its place on, or ONE.

    digits: the place as digits, each a whole number (NULL: the row has no value) and how many there may be, the most
    significant first; a cell holds `m` numbers, so that the place is their combination times m. What a row without a
    value in a column of the statistic gives is not counted. clipped: each value was brought within the kind's `most` by
    `layers.clipped`, and is NULL where the column has no value; else that is checked, and a row beyond it stops the
    site.
    """

    values: tuple[str, ...]
    digits: tuple[tuple[str, int], ...] = ()
    clipped: bool = False


MakeCells = Callable[[Plan, Statistic, Mapping[str, str], Layer], Cells]


def no_cells(*given: object) -> Never:
    """Of a kind of several rounds."""
    raise TypeError("a statistic of several rounds has no cells")


Scale = Callable[[Plan, Statistic, float], float]


def a_cell(plan: Plan, one: Statistic, rows: float) -> float:
    """Of counts: as many rows as a cell has if all are alike."""
    return rows / kind_of(one).width(plan, one)


def a_range(plan: Plan, one: Statistic, rows: float) -> float:
    """Of a value in a column's units: how wide its range is."""
    low, high = required(find(plan, one.column or "")).bounds
    return high - low


def a_share(plan: Plan, one: Statistic, rows: float) -> float:
    """Of shares of all rows: 1."""
    return 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class StatisticKind:
    """One kind of statistic.

    keys: of `[[statistics]]`, those that it reads beside name, kind and by; usual: of these, what stands where a plan
    does not say it.
    check: what of a statistic, at this key of the plan, does not fit; one line a problem.
    width: how many numbers a cell holds. `by` makes several cells of them.
    cells: what a row adds, given the SQL of its columns' values, and a layer to define parts of it in.
    most: the largest absolute value of a number of one row; norm: the L2 norm of one row's numbers, in units of `most`.
    spread: of a kind that counts rows, what the site makes of each cell's counts (`spread.py`); None: nothing. norm is
    then that of what one row adds.
    read: the opened numbers of all groups, to the result (`by_group` where groups are alike).
    least: below which no value can truly be, though noise may say so; None: there is no such value.
    whole: rows are counted, so numbers are whole; alone: a row adds to one number alone.
    opens: tables of rows whose numbers open together, as an owner's policy judges them; each kind says it.
    products: a cell is (1, x, upper triangle of x x^T) of numbers on [-1, 1], and variances are read off it.
    every: a row counts too that has no value in a column of the statistic.
    parts: what is added up in its place, by what each part is called in it, where it is made of other statistics; join:
    what their opened numbers come to, of a course of one round in one line. Then `cells`, `width` and `read` are not
    asked.
    title: what a heading calls it; empty: its word. tells: what opens without noise; and what that may say of one row.
    which: of a word for several kinds, the one that a statistic means; None: it does not say.
    half: a forecast with noise, half the 95 % interval of the result; reach: where the result has no such interval,
    from how many rows on it says anything, and what it says then; None: there is none.
    scale: what half an interval is small or large beside, of so many rows: a result that is not known to a third of it
    says hardly anything; None: there is nothing.
    unit: of the value, beside the column's: the same, its square, or none. lists: the value is several numbers.
    needed: of a kind that finds values, how many rows one needs to be found in 95 of 100 runs, given the noise in each
    number.
    infers: it says something of rows like these, as p values, errors and intervals of a population do, and takes rows
    to be independent of each other for it.
    course: of a kind of several rounds, which has no cells; later: how many numbers its sums have after the first, at
    most; None: as many. rounds: where a plan does not say, how many at most. follows: words for what goes on, what
    its sums are of, and at which public state they are asked.
    pauses: what runs, but should give pause, likewise one line each.
    """

    keys: frozenset[str]
    check: Check
    opens: Opens
    title: str = ""
    tells: str = ""
    cells: MakeCells = no_cells
    read: Read = no_cells
    usual: Mapping[str, object] = field(default_factory=dict)
    width: Callable[[Plan, Statistic], int] = lambda plan, one: 1
    most: Callable[[Plan, Statistic], float] = lambda plan, one: 1.0
    norm: Callable[[Plan, Statistic], float] = lambda plan, one: 1.0
    spread: Callable[[Plan, Statistic], Spread | None] = lambda plan, one: None
    whole: bool = False
    least: float | None = None
    alone: bool = True
    products: bool = False
    every: bool = False
    parts: Callable[[Plan, Statistic], Mapping[str, Statistic]] = lambda plan, one: {}
    join: Join | None = None
    which: Callable[[Statistic], "StatisticKind | None"] | None = None
    half: Half | None = each_number
    reach: Foresee | None = None
    scale: Scale | None = None
    unit: Literal["", "same", "square"] = ""
    lists: bool = False
    needed: Callable[[Plan, Statistic, float], float] | None = None
    infers: bool = False
    course: MakeCourse | None = None
    later: Callable[[Plan, Statistic], int] | None = None
    rounds: Callable[[Plan, Statistic], int] = lambda plan, one: 1
    follows: tuple[str, str, str] = ("fits", "slope and curvature", "coefficients")
    pauses: Callable[[Plan, Statistic, str], Iterator[str]] = lambda plan, one, at: iter(())


KINDS: Registry[StatisticKind] = table("statistics.kind")
TESTS: Registry[StatisticKind] = table("statistics.test")
METAS: Registry[StatisticKind] = table("statistics.of")
"""Tests of hypotheses, and what meta-analyses pool, are kinds too: `kinds/test.py` and `kinds/meta.py` are the words
for all of them."""


def kind_of(one: Statistic) -> StatisticKind:
    """What a statistic is. Raises PlanError: no table has its word."""
    kind = KINDS.of(one.kind)
    return (kind.which(one) if kind.which else None) or kind


def wanted(
    plan: Plan, at: str, name: str | None, measured: bool | None = None, *, spelled: bool = False
) -> Iterator[str]:
    """What is wrong with a column that a statistic names. measured: whether it takes numbers on a declared range, or
    else declared values; None: any of both. spelled: or it takes strings."""
    known = " or ".join(word for word, one in COLUMNS.entries.items() if _fits(one, measured, spelled))
    if name is None:
        yield f"{at}: is missing. hint: name a declared column of kind {known}"
        return
    column = find(plan, name)
    if column is None or column.ignored or name == plan.data.person:
        yield f"{at}: {name} is not a declared column. hint: declare it in data.columns"
    elif not _fits(COLUMNS.of(column.kind), measured, spelled):
        yield f"{at}: {name} is a {column.kind}. hint: it takes a {known}"


def _fits(kind: ColumnKind, measured: bool | None, spelled: bool) -> bool:
    if spelled or kind.spelled:
        return spelled and kind.spelled
    return not kind.dated and kind.reader is None and measured in (None, kind.measured)


def of_numbers(plan: Plan, one: Statistic, at: str) -> Iterator[str]:
    """The check of a kind that takes one column of numbers."""
    yield from wanted(plan, f"{at}.column", one.column, measured=True)


def of_columns(plan: Plan, one: Statistic, at: str) -> Iterator[str]:
    """The check of a kind that takes columns of whatever kind, each once."""
    if not one.columns or repeated(one.columns):
        yield f'{at}.columns: one column or several, each once. hint: columns = ["age", "sex"]'
        return
    for name in one.columns:
        yield from wanted(plan, f"{at}.columns", name)


def too_large(course: Course, at: str) -> Iterator[str]:
    """The check of a fit: a sum that nobody has room for."""
    size = course.layout(0, course.start()).size
    if size > MOST_VALUES:
        yield f"{at}.features: a sum would have {size:,} numbers, {MOST_VALUES:,} are the most. hint: fewer features"


def without_noise(plan: Plan, one: Statistic, at: str, why: str, instead: str) -> Iterator[str]:
    """The check of a kind that is refused with noise. why; instead: what the plan may ask for, for words."""
    if plan.noisy:
        yield f'{at}.kind: {one.kind} is refused with noise: {why}. hint: noise = "none", or {instead}'


def edges_of(plan: Plan, one: Statistic, name: str | None) -> tuple[float, ...]:
    """[bins + 1] the edges of equal parts of a number's declared range."""
    return tuple(np.linspace(*required(find(plan, name or "")).bounds, required(one.bins) + 1).tolist())


def binned(plan: Plan, one: Statistic, name: str | None, columns: Mapping[str, str], layer: Layer) -> tuple[str, int]:
    """The digit of a number's bin: [a, b), the last one closed; what lies outside is in the first or last one."""
    low, *inner, high = edges_of(plan, one, name)
    return placed(columns[name or ""], low, high, inner, layer), required(one.bins)


def scaled(plan: Plan, name: str | None, columns: Mapping[str, str], layer: Layer) -> str:
    """SQL of a column's number on [-1, 1], clamped, in the arithmetic of `data.encode.scale`."""
    low, high = required(find(plan, name or "")).bounds
    d, double = layer.dialect, layer.dialect.double
    inside = clipped(columns[name or ""], double(low), double(high), layer)
    above = d.tame(f"({inside} - {double(low)})")
    return layer.define(f"{double(2)} * {above} / {double(high - low)} - {double(1)}")


def powers(width: int) -> MakeCells:
    """The cells of a kind to which a row adds (1, x, x^2, ...), `width` numbers, with x scaled to [-1, 1]."""

    def cells(plan: Plan, one: Statistic, columns: Mapping[str, str], layer: Layer) -> Cells:
        x = scaled(plan, one.column, columns, layer)
        return Cells((ONE, *(" * ".join([x] * power) for power in range(1, width))), clipped=True)

    return cells
