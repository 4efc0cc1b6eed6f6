"""Counts of each column and of pairs of columns, in two rounds, of which rows are made up (`learning/synthesis`).

It is what a plan with `[synthesize]` counts, and takes all that it counts from that table.
"""

import math
from collections.abc import Iterator, Mapping
from itertools import pairwise

from potluck.core.plan import Column, Plan, Statistic, Synthesize
from potluck.learning.data.column import COLUMNS
from potluck.learning.data.declared import declared, measured
from potluck.learning.evaluation.ranking import Z
from potluck.learning.models.layers import MOST_VALUES
from potluck.learning.statistics.kind import StatisticKind
from potluck.learning.statistics.opens import Axis, Table
from potluck.learning.statistics.reading import Reach
from potluck.learning.synthesis import never
from potluck.learning.synthesis.apart import ABSOLUTE, LOUD
from potluck.learning.synthesis.axes import synthesized, whole
from potluck.learning.synthesis.course import Synthesis
from potluck.learning.synthesis.drawn import undrawn

MOST_COLUMNS = 200
"""All pairs of them are counted."""
EXACT = 2**53
"""Beyond it floating point has no place for every whole number."""


def check(plan: Plan, one: Statistic, at: str) -> Iterator[str]:
    """Columns that rows can be made up of; and noise, or a word that none is meant."""
    spec = plan.synthesize
    if spec is None:
        yield f'{at}.kind: marginals are what rows are made up of. hint: task = "synthesize", or contingency'
        return
    columns = synthesized(plan)
    wrong = [*_columns(plan, columns), *_named(plan, spec, columns)] or [*never.check(plan, spec)]
    if not plan.noisy and not spec.allow_exact:
        what = "rows made up of exact counts can be those of somebody, and what is alone in a cell is told as it is"
        wrong.append(
            f'privacy.noise: {what}. hint: noise = "shared"; or synthesize.allow_exact = true, if that is meant'
        )
    yield from wrong
    if wrong:
        return
    course = Synthesis(plan, one)
    needed = 2 if course.edges else 1
    if one.rounds != needed:
        yield f"{at}.rounds: marginals of these columns take {needed}. hint: leave the table out"
    size = max(course.layout(0, course.start()).size, course.largest, course.widest)
    if size > MOST_VALUES:
        what = f"a sum, or a table made of it, would have {size:,} numbers, {MOST_VALUES:,} are the most"
        yield f"synthesize.bins: {what}. hint: fewer bins, or columns of fewer values"


def _columns(plan: Plan, columns: Mapping[str, Column]) -> Iterator[str]:
    if patterns := [name for name in columns if "*" in name and plan.data.header]:
        yield f"data.columns: {patterns[0]} is a pattern. hint: columns that rows are made up of are named one by one"
    for name, one in declared(plan).items():
        if not one.ignored and COLUMNS.of(one.kind).reader is not None:
            yield f'data.columns.{name}: no {one.kind} is made up. hint: kind = "ignore", or a category'
    for name, one in columns.items():
        if not _written(plan, name, *one.values):
            what = f"{plan.data.encoding}, in which made-up rows are written, has no letter for its name or a value"
            yield f'data.columns.{name}: {what}. hint: data.encoding = "utf-8"'
    if not columns:
        yield "data.columns: no column is of numbers or values. hint: declare one that rows are made up of"
    if len(columns) > MOST_COLUMNS:
        pairs = math.comb(len(columns), 2)
        what = f"{len(columns):,} columns have {pairs:,} pairs, all of which are counted"
        yield f'data.columns: {what}. hint: at most {MOST_COLUMNS} columns; kind = "ignore" leaves one out'


def _written(plan: Plan, *texts: str) -> bool:
    """Whether these can be told in the files' encoding."""
    try:
        "".join(texts).encode(plan.data.encoding)
    except UnicodeError:
        return False
    except LookupError:  # which is told elsewhere
        return True
    return True


def _named(plan: Plan, spec: Synthesize, columns: Mapping[str, Column]) -> Iterator[str]:
    """Columns that [synthesize] names."""
    if spec.target is not None and spec.target not in columns:
        yield f"synthesize.target: {spec.target} is no column of numbers or values. hint: one that is declared"
    if spec.target is not None and len(columns) == 1:
        yield "synthesize.target: there is no other column. hint: leave it out"
    wide = [name for name, one in columns.items() if measured(one) and not max(map(abs, one.bounds)) <= EXACT]
    for name in wide:
        if whole(plan, name):
            what = f"{name} is whole, and its range goes beyond {EXACT:,}, where not every whole number can be written"
            yield f"synthesize.whole: {what}. hint: a narrower range, or leave it out"
    for name in spec.whole:
        column = columns.get(name)
        if column is None or not measured(column):
            yield f"synthesize.whole: {name} is no column of numbers. hint: one that is declared"
        elif name not in wide and math.floor(column.bounds[1]) <= math.ceil(column.bounds[0]):
            yield f"synthesize.whole: {name} has no two whole numbers in its range. hint: leave it out"


def rounds(plan: Plan, one: Statistic) -> int:
    """Two, or one where there are no pairs. Asked of plans that nobody has checked."""
    data = plan.data
    if data.reduce is not None:
        count = len(data.reduce.columns)
    else:
        rows = (column for name, column in data.columns.items() if name != data.person and not column.ignored)
        count = sum(not COLUMNS.of(column.kind).dated for column in rows) + len(data.derive)
    return 2 if count - (plan.synthesize is not None and plan.synthesize.target is not None) > 1 else 1


def pauses(plan: Plan, one: Statistic, at: str) -> Iterator[str]:
    """What is meant, and is better not; dates that no made-up row has; rules that refuse no row, or seemingly all."""
    if not plan.noisy:
        what = "exact marginals tell who is alone in a cell, and made-up rows may be somebody's"
        yield f"synthesize.allow_exact: {what}. hint: noise, for whatever leaves the owners"
    if not any(check(plan, one, at)):  # of a plan that cannot be, nothing is tried
        yield from never.pauses(plan)
    for name in undrawn(plan):
        what = "made-up rows have no such date: a date is drawn from the one column of days or years derived of it"
        yield f'data.columns.{name}: {what}. hint: [data.derive] with kind = "years" or "days", up to a day'


def opens(plan: Plan, one: Statistic) -> Iterator[Table]:
    """Each column, and each pair by groups, by the target; which pairs are counted finely follows from these, so that
    sites look at the cells of that round when it comes."""
    course = Synthesis(plan, one)
    for table in course.tables.each:
        yield Table(tuple(_axis(course, side.axis, side.coarse) for side in table.sides))


def _axis(course: Synthesis, place: int, coarse: bool) -> Axis:
    axis = course.axes[place]
    firsts = [level for level in range(1, axis.levels) if not coarse or axis.groups[level] != axis.groups[level - 1]]
    if axis.lows:
        return Axis(axis.name, tuple(axis.lows[level] for level in firsts))
    ends = [0, *firsts, axis.levels]
    sides = tuple(tuple(range(since, to)) for since, to in pairwise(ends))
    return Axis(axis.name, sides=sides if coarse else ())


def half(plan: Plan, one: Statistic, std: float, rows: float | None) -> float:
    """Of the column that is known worst, at most: from both rounds, of all values of the target together. Pairs, that
    tell of it too, may make it less."""
    course = Synthesis(plan, one)
    known, axes = course.alone(std), course.axes
    by = 1 if course.target is None else axes[course.target].size
    each = [one * math.sqrt(by) for one in known.values()]
    if course.target is not None:
        fewest = min(known, key=lambda place: axes[place].size)
        each.append(known[fewest] * math.sqrt(axes[fewest].size))
    return Z * max(each)


def reach(plan: Plan, one: Statistic, std: float, rows: float | None) -> Reach:
    """From how many rows on noise is less than LOUD in every table of a pair."""
    tables = Synthesis(plan, one).tables
    each = zip(tables.sizes, tables.each, strict=True)
    noise = std * ABSOLUTE * max((size / table.weight for size, table in each if table.sides[0].coarse), default=0)
    least = noise / LOUD
    return Reach(least, noise / rows if rows and rows >= least else None, "noise of pairs, of 2 at most")


MARGINALS = StatisticKind(
    title="Marginals",
    tells=(
        "how many rows have each value or lie in each bin of every column, and of pairs of columns; of a row alone in a"
        " cell, what its values are, but for where in a bin they lie"
    ),
    keys=frozenset({"rounds"}),
    check=check,
    pauses=pauses,
    opens=opens,
    whole=True,
    alone=False,
    every=True,
    lists=True,
    half=half,
    reach=reach,
    course=Synthesis,
    later=lambda plan, one: Synthesis(plan, one).largest,
    follows=("made-up rows", "rows by the values of pairs of columns", "pairs"),
    rounds=rounds,
)
