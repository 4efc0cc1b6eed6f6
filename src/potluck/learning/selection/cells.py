"""Cells: rows whose numbers are opened as one. A whole statistic is one, a group of `by`, a cell of a table, the rows
that a model learns from.

Of each is known how many rows it has, which share of its sum the largest one gives, and a sketch of which rows they
are. Rows fall into BUCKETS by a keyed hash of what they hold, and a sketch is, by bucket, the sum of the hashes modulo
2^64. Selections that differ in d rows differ in at most d buckets, so that fewer than k rows are never taken for k or
more. They are taken for none where hashes of different rows add up to the same: once in 2^55. More than k rows may be
taken for fewer where several fall into one bucket: for k = 5 about once in 50 of 5 rows, once in 2,000 of 6.

Hashes tell rows apart by all columns that the site's policy lets plans read, not by those of one plan, or a plan with
one column more would be another selection of other rows.
"""

import math
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import product

import numpy as np
from msgspec import structs
from numpy.typing import NDArray

from potluck.core.plan import Plan, Statistic, required
from potluck.core.stages import Floats
from potluck.core.tables.statistic import counted
from potluck.learning.data.declared import find
from potluck.learning.data.tally import Index, having
from potluck.learning.selection.distances import Sum, sums_of
from potluck.learning.statistics.kinds import kind_of
from potluck.learning.statistics.opens import Axis, Table
from potluck.learning.statistics.parts import parted

BUCKETS = 512
MOST_PLACES = 1 << 14
"""Of all tables of a plan, occupied or not."""
ROWS = ""
"""What rows that are counted open, as a column."""
Words = NDArray[np.uint64]
Mark = Callable[[Index], Words]
"""Keyed hashes of rows, by their hashes."""
There = Callable[[Mapping[str, Floats]], NDArray[np.bool_]]
"""Of columns [n], which rows count."""
NEARLY = 1e-9
"""Rows that weigh alike are as many as they are, however their weights are added up."""
UNKNOWN = np.zeros(BUCKETS, np.uint64)
"""The sketch of rows that are not to be known again."""


@dataclass(frozen=True, slots=True, eq=False)
class Cell:
    """Rows whose numbers are opened as one. of: which they are, for their owner; part: cells of one share no row;
    columns: whose values are opened, ROWS where rows are counted. rows: how many, at least 1; share: of the sum of
    absolute values the largest one, 0 where no numbers are added up; parameters: how many numbers are fitted to them;
    sketch [BUCKETS]."""

    of: str
    part: int
    columns: frozenset[str]
    rows: int = field(repr=False)
    share: float = field(repr=False, default=0.0)
    parameters: int = 0
    sketch: Words = field(repr=False, default_factory=lambda: UNKNOWN)


class Part:
    """Rows in places, each of which becomes a cell, while rows are read; and of each sum over the rows of a place those
    that add to it, which are known again with the place. Where they weigh, they are as many as their
    effective number (Kish, Survey Sampling, 1965): among a thousand of next to no weight one row is alone."""

    def __init__(
        self,
        of: str,
        columns: frozenset[str],
        places: Sequence[str] = ("",),
        sums: Sequence[Sum] = (),
        parameters: int = 0,
    ) -> None:
        """of: whose they are; places: what tells them apart, for words."""
        self.of, self.columns, self.places, self.sums, self.parameters = of, columns, places, sums, parameters
        self._rows = np.zeros(len(places), np.int64)
        self._sketch = np.zeros(len(places) * BUCKETS, np.uint64)
        shape = len(places), len(sums)
        self._adding, self._squares, self._total, self._largest = np.zeros((4, *shape))

    def add(self, place: Index, marks: Words, columns: Mapping[str, Floats] | None = None) -> None:
        """Some rows. place [n]: of each, -1 where it is in none; marks [n]; columns: whose numbers are added up [n]."""
        there = np.flatnonzero(place >= 0)
        there = there[np.argsort(place[there], kind="stable")]
        place, marks = place[there], marks[there]
        self._rows += np.bincount(place, minlength=len(self._rows))
        np.add.at(self._sketch, place * BUCKETS + (marks % BUCKETS).astype(np.int64), marks)
        if not len(there):
            return
        starts = np.flatnonzero(np.diff(place, prepend=-1))
        at = place[starts]
        for number, one in enumerate(self.sums):
            size = one.of(columns or {})[there]
            weight = np.where(size > 0, one.weight(columns or {})[there], 0.0)
            self._adding[at, number] += np.add.reduceat(weight, starts)
            self._squares[at, number] += np.add.reduceat(weight**2, starts)
            self._total[at, number] += np.add.reduceat(size, starts)
            self._largest[at, number] = np.maximum(self._largest[at, number], np.maximum.reduceat(size, starts))

    def cells(self, part: int) -> Iterator[Cell]:
        """Those that have rows. part: a number of its own."""
        for at in np.flatnonzero(self._rows).tolist():
            of, sketch = f"{self.of}{self.places[at]}", self._sketch[at * BUCKETS : (at + 1) * BUCKETS]
            yield Cell(of, part, self.columns, int(self._rows[at]), parameters=self.parameters, sketch=sketch)
            for number in np.flatnonzero(self._adding[at]).tolist():
                share = float(self._largest[at, number] / self._total[at, number])
                words = f"{of}, {self.sums[number].words}"
                rows = math.floor(self._adding[at, number] ** 2 / self._squares[at, number] + NEARLY)
                yield Cell(words, part, self.columns, rows, share)


class Clusters:
    """Rows that are added up by a column before their products are. They count as the rows of the smallest cluster, or
    as the number of clusters, whichever is more."""

    def __init__(self, of: str, columns: frozenset[str], column: str) -> None:
        self.of, self.columns, self.column = f"{of}, clusters of {column}", columns, column
        self._rows: Counter[float] = Counter()

    def add(self, place: Index, marks: Words, columns: Mapping[str, Floats]) -> None:
        """See `Part`: there is one place."""
        values, rows = np.unique(columns[self.column][place >= 0], return_counts=True)
        self._rows.update(dict(zip(values.tolist(), rows.tolist(), strict=True)))

    def cells(self, part: int) -> Iterator[Cell]:
        """One, where there are rows."""
        if self._rows:
            yield Cell(self.of, part, self.columns, max(len(self._rows), min(self._rows.values())))


class Distinct:
    """Values of a column that are counted once in each place, as persons are: of one with many rows it is one."""

    def __init__(self, of: str, columns: frozenset[str], places: Sequence[str], column: str) -> None:
        self.of, self.columns, self.places, self.column = of, columns, places, column
        self._seen: set[tuple[int, float]] = set()

    def add(self, place: Index, marks: Words, columns: Mapping[str, Floats]) -> None:
        """See `Part`."""
        there = place >= 0
        self._seen.update(zip(place[there].tolist(), columns[self.column][there].tolist(), strict=True))

    def cells(self, part: int) -> Iterator[Cell]:
        """Those that have values."""
        for at, count in sorted(Counter(place for place, _ in self._seen).items()):
            yield Cell(f"{self.of}{self.places[at]}, different values of {self.column}", part, self.columns, count)


@dataclass(frozen=True, slots=True)
class _Read:
    """A part of one statistic, or of all rows, and how rows find their places in it. there: which rows count."""

    part: Part | Clusters | Distinct
    there: There | None = None
    axes: tuple[Axis, ...] = ()
    sizes: tuple[int, ...] = ()

    def add(self, columns: Mapping[str, Floats], marks: Words) -> None:
        there = np.ones(len(marks), np.bool_) if self.there is None else self.there(columns)
        place = np.zeros(len(marks), np.int64)
        for axis, size in zip(self.axes, self.sizes, strict=True):
            values = columns[axis.column]
            there = there if axis.faults else there & ~np.isnan(values)
            place = place * size + _codes(axis, np.where(there, values, 0.0), size)
        self.part.add(np.where(there, place, -1), marks, columns)


def _codes(axis: Axis, values: Floats, size: int) -> Index:
    """[n] places along an axis; the last one is of values that are not declared."""
    if axis.faults:
        low, high = axis.edges or (0, np.inf)
        wrong = [np.isnan(values), values < low, values > high]
        return np.select(wrong, [1, 2, 3], 0)
    if axis.edges is not None:
        return np.asarray(np.searchsorted(axis.edges, values, "right"), np.int64)
    codes = values.astype(np.int64)
    if axis.sides:
        sides = np.full(len(codes), len(axis.sides))
        for place, some in enumerate(axis.sides):
            sides[np.isin(codes, some)] = place
        return np.where(codes < 0, size - 1, sides)
    return np.where(codes < 0, size - 1, codes)


class Statistics:
    """The cells of a plan's statistics, while rows are read."""

    def __init__(self, plan: Plan) -> None:
        """Raises ValueError: its tables have too many places."""
        self._plan, self._places = plan, 0
        wanted = parted(plan)
        groups = dict.fromkeys(one.by for one in wanted if one.by)
        self._reads = [_Read(Part("all rows", frozenset({ROWS})))]
        self._reads += [self._part("rows", frozenset({ROWS}), None, Table((Axis(by),))) for by in groups]
        for one in wanted:
            self._reads += self._of(one)

    @property
    def person(self) -> str | None:
        """The column that says whose a row is, where something is added up by it."""
        name, parts = self._plan.data.person, [read.part for read in self._reads]
        return name if any(isinstance(one, Clusters | Distinct) and one.column == name for one in parts) else None

    def add(self, columns: Mapping[str, Floats], marks: Words) -> None:
        """Some rows. columns: by name [n], numbers or codes, NaN where there is no value."""
        for read in self._reads:
            read.add(columns, marks)

    def cells(self) -> tuple[Cell, ...]:
        """Of all rows so far."""
        return tuple(cell for part, read in enumerate(self._reads) for cell in read.part.cells(part))

    def _of(self, one: Statistic) -> Iterator[_Read]:
        kind = kind_of(one)
        columns = frozenset(counted(one)) or frozenset({ROWS})
        # Of a kind in which every row counts all have a value, but for those without a group.
        there = partial(having, self._plan, structs.replace(one, columns=()) if kind.every else one)
        by = (Axis(one.by),) if one.by else ()
        tables = tuple(kind.opens(self._plan, one))
        whole = any(not (table.axes or table.clusters or table.distinct) for table in tables)
        for table in tables if whole else (Table(), *tables):
            if not table.axes:
                yield self._part(one.name, columns, there, table)
            if (by or table.axes) and not table.clusters:
                axes = (*by, *(axis for axis in table.axes if axis not in by))
                yield self._part(one.name, columns, there, replace(table, axes=axes))

    def _part(self, of: str, columns: frozenset[str], there: There | None, table: Table) -> _Read:
        labels = [self._labels(axis) for axis in table.axes]
        sizes = tuple(map(len, labels))
        self._places += int(np.prod(sizes, dtype=np.float64))
        if self._places > MOST_PLACES:
            raise too_many("the plan's tables")
        places = ["".join(some) and " where " + ", ".join(some) for some in product(*labels)]
        part: Part | Clusters | Distinct
        if table.clusters is not None:
            part = Clusters(of, columns, table.clusters)
        elif table.distinct is not None:
            part = Distinct(of, columns, places, table.distinct)
        else:
            part = Part(of, columns, places, sums_of(self._plan, table.products), table.parameters)
        return _Read(part, there, table.axes, sizes)

    def _labels(self, axis: Axis) -> list[str]:
        name = axis.column
        if axis.faults:
            return [f"{name} is {what}" for what in ("as declared", *axis.faults)]
        if axis.edges is not None:
            return [f"{name} is in bin {place}" for place in range(1, len(axis.edges) + 2)]
        values, other = required(find(self._plan, name)).values, f"{name} is not declared"
        if axis.sides:
            named = [" or ".join(repr(values[place]) for place in some) for some in axis.sides]
            return [*(f"{name} is {one}" for one in named), f"{name} is another value", other]
        return [*(f"{name} is {value!r}" for value in values), other]


def too_many(of: str) -> ValueError:
    """Of more places than anybody looks at."""
    return ValueError(f"{of} have more than {MOST_PLACES:,} cells")


def differing(one: Cell, others: Words) -> Index:
    """[n] in how many buckets a cell differs from others, whose sketches [n, BUCKETS] these are."""
    found: Index = (others != one.sketch).sum(axis=1)
    return found
