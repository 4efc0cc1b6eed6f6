"""Which cells of a column share one number in a noised sum: a few leaves a column, drawn anew each round in public.

Noise is as large in a cell of one row as in one of a thousand. So the cells of a column are put together to at most
LEAVES leaves: neighbouring bins of a number, any values of a category. They are drawn from `training.seed` and the
round, so that all parties have the same ones and curves of many rounds are finer than the leaves of one. A missing
value has a leaf of its own. Each row lies in at most one leaf of a column.
"""

from dataclasses import dataclass, field
from functools import lru_cache
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


class Column(NamedTuple):
    """cells: its first, and how many bins or values it has; number: bins, which have an order; flag: behind them lies
    the cell of missing values."""

    first: int
    width: int
    number: bool
    flag: bool


def columns(plan: Plan, how: Layout) -> tuple[Column, ...]:
    """Those that have cells, as they lie in the plan's layout."""
    found, at = [], 1
    for one in encoding(plan).fields:
        kind = COLUMNS.of(one.kind)
        width = len(kind.names(one)) * (how.bins if kind.spread else 1)
        made = Column(at, width, kind.spread, one.missing == "flag")
        at += width + made.flag
        if width + made.flag:
            found.append(made)
    return tuple(found)


@dataclass(frozen=True, slots=True, eq=False)
class Leaves:
    """of [cells]: the leaf of each cell, but for that of all rows; size: how many leaves there are; columns: whose."""

    layout: Layout
    of: Whole = field(repr=False)
    size: int
    columns: int

    def bits(self, features: Floats) -> Floats:
        """features [n, p] -> [n, size]: a 1 in each leaf where a row lies, one a column at most."""
        row, cell = self.layout.places(features)
        inside = cell > 0
        found = np.zeros((len(features), self.size))
        found[row[inside], self.of[cell[inside]]] = 1.0
        return found

    def summed(self, cells: Floats) -> Floats:
        """[cells] -> [size]: what the cells of each leaf have together."""
        found = np.bincount(self.of[1:], weights=cells[1:], minlength=self.size)
        return np.asarray(found, dtype=np.float64)

    def moved(self, steps: Floats) -> Floats:
        """[k, size] -> [k, cells]: the step of each cell's leaf; that of all rows stays."""
        return np.column_stack([np.zeros(len(steps)), steps[:, self.of[1:]]])


def each_cell(plan: Plan) -> Leaves:
    """A leaf for every cell: where rows are counted."""
    how = layout(plan)
    return Leaves(how, np.arange(-1, how.cells - 1), how.cells - 1, len(columns(plan, how)))


def leaves(plan: Plan, step: int) -> Leaves:
    """Those of a round."""
    how = layout(plan)
    of, size, among = np.full(how.cells, -1), 0, columns(plan, how)
    for number, one in enumerate(among):
        of[one.first : one.first + one.width] = size + _drawn(one, training(plan).seed, step, number)
        size += min(one.width, LEAVES)
        if one.flag:
            of[one.first + one.width], size = size, size + 1
    return Leaves(how, of, size, len(among))


@lru_cache(maxsize=1 << 12)
def _drawn(one: Column, seed: int, step: int, number: int) -> Whole:
    """[width] which leaf of its column each cell is in: all LEAVES of them are taken. A round asks several times, so it
    is kept, and nobody writes into it."""
    if one.width <= LEAVES:
        return np.arange(one.width)
    drawn = marks(np.arange(one.width, dtype=np.uint64), seed, "leaves", step, number)
    if not one.number:
        return np.asarray(np.argsort(np.argsort(drawn)) % LEAVES)
    first = np.zeros(one.width, dtype=np.int64)
    first[1 + np.argsort(drawn[1:])[: LEAVES - 1]] = 1
    return np.cumsum(first)
