"""Which cells of a column share one number in a noised sum: a few leaves a column, drawn anew each round in public.

Noise is as large in a cell of one row as in one of a thousand. So the cells of a column are put together to at most
LEAVES leaves: neighbouring bins of a number, any values of a category. They are drawn from `training.seed` and the
round, so that all parties have the same ones and curves of many rounds are finer than the leaves of one. A missing
value has a leaf of its own. Each row lies in at most one leaf of a column.
"""

from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from potluck.core.plan import Plan
from potluck.core.seeded import marks
from potluck.core.stages import Floats
from potluck.learning.data.column import COLUMNS
from potluck.learning.data.encode import encoding
from potluck.learning.models.boosted.layout import Layout, Whole, layout
from potluck.learning.models.fitted import training

LEAVES = 8
"""Of a column, beside that of a missing value."""
NONE = -1
"""Of the cell of all rows, which lies in no column."""


class Column(NamedTuple):
    """cells: of its bins or values; flag: that of a missing value; None: it has none. number: bins, with an order."""

    cells: slice
    flag: int | None
    number: bool


def columns(plan: Plan, how: Layout) -> tuple[Column, ...]:
    """Those with cells, as they lie in the plan's layout."""
    found, at = [], 1
    for one in encoding(plan).fields:
        kind = COLUMNS.of(one.kind)
        width = len(kind.names(one)) * (how.bins if kind.spread else 1)
        flagged = one.missing == "flag"
        if width or flagged:
            found.append(Column(slice(at, at + width), at + width if flagged else None, kind.spread))
        at += width + flagged
    return tuple(found)


@dataclass(frozen=True, slots=True, eq=False)
class Leaves:
    """of [cells]: the leaf of each cell; size: how many leaves there are, of all columns."""

    layout: Layout
    columns: tuple[Column, ...]
    of: Whole = field(repr=False)
    size: int

    def bits(self, features: Floats) -> Floats:
        """features [n, p] -> [n, size]: a 1 in each leaf where a row lies. A row without a number is encoded as its
        middle, and lies in the leaf of missing values alone."""
        row, cell = self.layout.places(features)
        inside = self.of[cell] != NONE
        found = np.zeros((len(features), self.size))
        found[row[inside], self.of[cell[inside]]] = 1.0
        for one in self.columns:
            if one.number and one.flag is not None:
                gone = np.flatnonzero(found[:, self.of[one.flag]])
                found[np.ix_(gone, np.unique(self.of[one.cells]))] = 0.0
        return found

    def summed(self, cells: Floats) -> Floats:
        """[cells] -> [size]: what the cells of each leaf have together."""
        inside = self.of != NONE
        found = np.bincount(self.of[inside], weights=cells[inside], minlength=self.size)
        return np.asarray(found, dtype=np.float64)

    def moved(self, steps: Floats) -> Floats:
        """[k, size] -> [k, cells]: the step of each cell's leaf. A missing number's margin has the weights of its
        middle and of its flag, which together move by the step of the flag's leaf."""
        found = np.zeros((len(steps), len(self.of)))
        inside = self.of != NONE
        found[:, inside] = steps[:, self.of[inside]]
        _, middle = self.layout.places(np.zeros((1, len(self.layout.names))))
        for one in self.columns:
            if one.number and one.flag is not None:
                here = middle[(middle >= one.cells.start) & (middle < one.cells.stop)]
                found[:, one.flag] -= found[:, here].sum(axis=1)
        return found


def each_cell(plan: Plan) -> Leaves:
    """A leaf for every cell: where rows are counted."""
    how = layout(plan)
    return Leaves(how, columns(plan, how), np.arange(NONE, how.cells - 1), how.cells - 1)


def leaves(plan: Plan, step: int) -> Leaves:
    """Those of a round."""
    how = layout(plan)
    among = columns(plan, how)
    of, size = np.full(how.cells, NONE), 0
    for number, one in enumerate(among):
        width = one.cells.stop - one.cells.start
        inside = _drawn(width, one.number, training(plan).seed, step, number)
        of[one.cells] = size + inside
        size += int(inside.max(initial=-1)) + 1
        if one.flag is not None:
            of[one.flag], size = size, size + 1
    return Leaves(how, among, of, size)


def _drawn(width: int, ordered: bool, *labels: int) -> Whole:
    """[width] which leaf of its column each cell is in."""
    if width <= LEAVES:
        return np.arange(width)
    drawn = marks(np.arange(width, dtype=np.uint64), labels[0], "leaves", *labels[1:])
    if not ordered:
        return np.asarray(np.argsort(np.argsort(drawn)) % LEAVES)
    first = np.zeros(width, dtype=np.int64)
    first[1 + np.argsort(drawn[1:])[: LEAVES - 1]] = 1
    return np.cumsum(first)
