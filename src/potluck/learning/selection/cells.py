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

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from potluck.core.plan import Plan, Statistic, required
from potluck.core.stages import Floats
from potluck.core.tables.statistic import named
from potluck.learning.data.declared import find
from potluck.learning.data.tally import Index
from potluck.learning.statistics.kind import Axis
from potluck.learning.statistics.kinds import kind_of
from potluck.learning.statistics.parts import parted

BUCKETS = 512
MOST_PLACES = 4096
"""Of one table, occupied or not."""
ROWS = ""
"""What rows that are counted open, as a column."""
Words = NDArray[np.uint64]
Mark = Callable[[Index], Words]
"""Keyed hashes of rows, by their hashes."""


@dataclass(frozen=True, slots=True, eq=False)
class Cell:
    """Rows whose numbers are opened as one. of: which they are, for their owner; part: cells of one share no row;
    columns: whose values are opened, ROWS where rows are counted. rows: how many, at least 1; share: of the sum of
    absolute values the largest one, 0 where no numbers are added up; sketch [BUCKETS]."""

    of: str
    part: int
    columns: frozenset[str]
    rows: int = field(repr=False)
    share: float = field(repr=False)
    sketch: Words = field(repr=False)


class Part:
    """Rows in places, each of which becomes a cell, while rows are read."""

    def __init__(self, of: str, columns: frozenset[str], places: Sequence[str] = ("",)) -> None:
        """of: whose they are; places: what tells them apart, for words."""
        self.of, self.columns, self.places = of, columns, places
        self._rows = np.zeros(len(places), np.int64)
        self._sketch = np.zeros(len(places) * BUCKETS, np.uint64)
        self._total, self._largest = np.zeros(len(places)), np.zeros(len(places))

    def add(self, place: Index, marks: Words, numbers: Floats | None = None) -> None:
        """Some rows. place [n]: of each, -1 where it is in none; marks [n]; numbers [n]: that are added up."""
        there = place >= 0
        place, marks = place[there], marks[there]
        self._rows += np.bincount(place, minlength=len(self._rows))
        np.add.at(self._sketch, place * BUCKETS + (marks % BUCKETS).astype(np.int64), marks)
        if numbers is not None:
            size = np.abs(numbers[there])
            self._total += np.bincount(place, size, minlength=len(self._rows))
            np.maximum.at(self._largest, place, size)

    def cells(self, part: int) -> Iterator[Cell]:
        """Those that have rows. part: a number of its own."""
        for at in np.flatnonzero(self._rows).tolist():
            share = float(self._largest[at] / self._total[at]) if self._total[at] else 0.0
            sketch = self._sketch[at * BUCKETS : (at + 1) * BUCKETS]
            yield Cell(f"{self.of}{self.places[at]}", part, self.columns, int(self._rows[at]), share, sketch)


@dataclass(frozen=True, slots=True)
class _Read:
    """A part of one statistic, or of all rows, and how rows find their places in it. present: columns that a row needs
    a value in; number: whose numbers are added up."""

    part: Part
    present: tuple[str, ...] = ()
    axes: tuple[Axis, ...] = ()
    sizes: tuple[int, ...] = ()
    number: tuple[str, float, float] | None = None

    def add(self, columns: Mapping[str, Floats], marks: Words) -> None:
        there = np.ones(len(marks), np.bool_)
        for name in self.present:
            there &= ~np.isnan(columns[name])
        place = np.zeros(len(marks), np.int64)
        for axis, size in zip(self.axes, self.sizes, strict=True):
            values = np.where(there, columns[axis.column], 0.0)
            codes = np.searchsorted(axis.edges, values, "right") if axis.edges else values.astype(np.int64)
            place = place * size + np.where(codes < 0, size - 1, codes)
        numbers = None
        if self.number is not None:
            name, low, high = self.number
            numbers = np.clip(columns[name], low, high)
        self.part.add(np.where(there, place, -1), marks, numbers)


class Statistics:
    """The cells of a plan's statistics, while rows are read."""

    def __init__(self, plan: Plan) -> None:
        """Raises ValueError: a table has too many places."""
        self._plan = plan
        wanted = parted(plan)
        groups = dict.fromkeys(one.by for one in wanted if one.by)
        self._reads = [_Read(Part("all rows", frozenset({ROWS})))]
        self._reads += [self._part("rows", frozenset({ROWS}), (Axis(by),), (by,)) for by in groups]
        for one in wanted:
            self._reads += self._of(one)

    def add(self, columns: Mapping[str, Floats], marks: Words) -> None:
        """Some rows. columns: by name [n], numbers or codes, NaN where there is no value."""
        for read in self._reads:
            read.add(columns, marks)

    def cells(self) -> tuple[Cell, ...]:
        """Of all rows so far."""
        return tuple(cell for part, read in enumerate(self._reads) for cell in read.part.cells(part))

    def _of(self, one: Statistic) -> Iterator[_Read]:
        kind, present = kind_of(one), named(one)
        columns = frozenset(name for name in present if name != one.by) or frozenset({ROWS})
        if kind.every:
            present = (one.by,) if one.by else ()
        column = find(self._plan, one.column) if kind.summed and one.column else None
        number = (one.column or "", *column.bounds) if column is not None else None
        by, axes = (Axis(one.by),) if one.by else (), kind.axes(self._plan, one)
        yield _Read(Part(one.name, columns), present, number=number)
        if by:
            yield self._part(one.name, columns, by, present, number)
        if axes:
            yield self._part(one.name, columns, (*by, *axes), present)

    def _part(
        self,
        of: str,
        columns: frozenset[str],
        axes: tuple[Axis, ...],
        present: tuple[str, ...],
        number: tuple[str, float, float] | None = None,
    ) -> _Read:
        labels = [self._labels(axis) for axis in axes]
        sizes = tuple(map(len, labels))
        if np.prod(sizes, dtype=np.float64) > MOST_PLACES:
            raise ValueError(f"{of} has more than {MOST_PLACES:,} cells")
        places = [""]
        for some in labels:
            places = [f"{before}{', ' if before else ' where '}{label}" for before in places for label in some]
        return _Read(Part(of, columns, places), present, axes, sizes, number)

    def _labels(self, axis: Axis) -> list[str]:
        if axis.edges:
            return [f"{axis.column} is in bin {place}" for place in range(1, len(axis.edges) + 2)]
        values = required(find(self._plan, axis.column)).values
        return [*(f"{axis.column} is {value!r}" for value in values), f"{axis.column} is not declared"]


def differing(one: Cell, others: Words) -> Index:
    """[n] in how many buckets a cell differs from others, whose sketches [n, BUCKETS] these are."""
    found: Index = (others != one.sketch).sum(axis=1)
    return found
