"""Which bins each encoded feature has, and which cells of a histogram a row adds to: from the plan alone.

A number has `model.bins` bins of equal width over its declared range, [a, b) each, the last one with its end. A feature
of 0 and 1 (a category's value, the flag of a missing value) has two; rows that are 0 need no cell of their own, since
each node has one cell of all its rows. So a missing value is a bin of its own: a row without a value lies in the cell
of its column's flag, and in no other of that column.
Features and cuts are compared as float32, which is what XGBoost and ONNX take: a model says the same there as here.
"""

from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from potluck.core.plan import Plan, required
from potluck.core.predicting import HALF
from potluck.core.stages import Floats
from potluck.learning.data.column import COLUMNS
from potluck.learning.data.encode import Encoding, encoding

Whole = NDArray[np.int64]


class Questions(NamedTuple):
    """What a node may ask [q], in the order in which XGBoost tries them: of equal gains the first one is taken.

    of: which cut it is; features: of what; left: whether a row goes left whose column has no value. So each cut of a
    column with missing values is there twice, and that of its flag once: no value on one side, any on the other."""

    of: Whole
    features: Whole
    left: NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class Layout:
    """names: of the encoded features [p]. numbers [p]: which of them are numbers. flags [p]: see `Encoding.flags`.
    edges [bins - 1]: rising, what a number is compared with; the largest float32 below where a bin begins: above it
    lies that bin."""

    names: tuple[str, ...]
    numbers: NDArray[np.bool_] = field(repr=False)
    flags: Whole = field(repr=False)
    edges: Floats = field(repr=False)

    @property
    def bins(self) -> int:
        """Of a number."""
        return len(self.edges) + 1

    @property
    def widths(self) -> Whole:
        """[p] how many cells each feature has."""
        return np.where(self.numbers, self.bins, 1)

    @property
    def starts(self) -> Whole:
        """[p] each feature's first cell: behind that of all rows."""
        return np.asarray(1 + np.cumsum(self.widths) - self.widths)

    @property
    def cells(self) -> int:
        """How many cells a node has."""
        return 1 + int(self.widths.sum())

    def cuts(self) -> tuple[Whole, Floats]:
        """[c] whose cut each is and where it lies: feature after feature, rising."""
        whose = np.repeat(np.arange(len(self.names)), np.where(self.numbers, self.bins - 1, 1))
        each = [self.edges if number else np.array([HALF]) for number in self.numbers]
        return whose, np.concatenate(each) if each else np.zeros(0)

    def questions(self) -> Questions:
        """All that a node may ask. XGBoost goes through a feature's cuts upwards with missing values to the right, then
        says "no value" alone, then goes downwards with them to the left."""
        whose, _ = self.cuts()
        gaps, first = np.flatnonzero(self.flags[whose] >= 0), np.arange(len(self.names))
        for feature in np.flatnonzero(self.flags >= 0)[::-1]:
            first[self.flags[feature]] = feature
        of = np.concatenate([np.arange(len(whose)), gaps[::-1]])
        left = np.arange(len(of)) >= len(whose)
        turn = np.where(left, 2, first[whose[of]] != whose[of])
        order = np.lexsort((turn, first[whose[of]]))
        return Questions(of[order], whose[of][order], left[order])

    def right(self, sums: Floats) -> Floats:
        """What goes right at each question [..., q]. sums [..., cells]: whole multiples of a power of two, which add up
        exactly."""
        asked = self.questions()
        flags = self.flags[asked.features]
        gone = np.where(asked.left | (flags < 0), 0.0, sums[..., self.starts[flags]])
        return np.asarray(self._above(sums)[..., asked.of] + gone)

    def _above(self, sums: Floats) -> Floats:
        """What lies above each cut [..., c]."""
        parts = []
        for number, start in zip(self.numbers, self.starts, strict=True):
            if number:
                here = sums[..., start : start + self.bins]
                parts.append(np.cumsum(here[..., :0:-1], axis=-1)[..., ::-1])
            else:
                parts.append(sums[..., start : start + 1])
        return np.concatenate(parts, axis=-1)

    def lowest(self, sums: Floats) -> NDArray[np.bool_]:
        """[q] which questions' cuts lie right below a bin with rows. Of others XGBoost knows nothing: it cuts at values
        that are there, and so below them. sums [cells]: positive where rows are."""
        parts = [
            sums[start + 1 : start + self.bins] if number else sums[start : start + 1]
            for number, start in zip(self.numbers, self.starts, strict=True)
        ]
        return np.asarray(np.concatenate(parts) > 0)[self.questions().of]

    def places(self, features: Floats) -> tuple[Whole, Whole]:
        """features [n, p] -> (row, cell) of each 1 that these rows add to a node's cells."""
        rows, low = np.arange(len(features)), features.astype(np.float32)
        edges, starts, flags = self.edges.astype(np.float32), self.starts, self.flags[self.numbers]
        binned = np.searchsorted(edges, low[:, self.numbers]) + starts[self.numbers]
        there = np.ones(binned.shape, np.bool_)
        there[:, flags >= 0] = low[:, flags[flags >= 0]] <= HALF
        some, which = np.nonzero(low[:, ~self.numbers] > HALF)
        row = np.concatenate([rows, np.nonzero(there)[0], some])
        return row, np.concatenate([np.zeros(len(rows), np.int64), binned[there], starts[~self.numbers][which]])


def layout(plan: Plan) -> Layout:
    """Of a plan."""
    return binned(encoding(plan), required(plan.model).bins)


def binned(how: Encoding, bins: int) -> Layout:
    """Of an encoding's features."""
    numbers = {one.name for one in how.fields if COLUMNS.of(one.kind).spread}
    which = np.array([name in numbers for name in how.names], np.bool_)
    return Layout(how.names, which, how.flags, edged(bins))


def edged(bins: int) -> Floats:
    """[bins - 1] the edges of so many bins."""
    begin = (-1 + 2 * np.arange(1, bins) / bins).astype(np.float32)
    return np.nextafter(begin, np.float32(-np.inf)).astype(np.float64)
