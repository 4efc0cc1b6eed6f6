"""Sums of rows' numbers, such as derivatives, by node and cell, without laying rows out: a row adds to few cells.

Each number is truncated toward zero on the grid before anything is added, as `core.fixed` has it for rows that are
laid out, and none may be beyond its bound: so the words are the same, bit for bit. Without noise only: nothing
is clipped.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np

from potluck.core.rounds import Abort, Cause
from potluck.core.stages import Encoded, Floats, Grid, L
from potluck.learning.data.table import Table
from potluck.learning.data.target import Goal
from potluck.learning.models.boosted.layout import Layout, Whole
from potluck.learning.training.method import TALLY, counts
from potluck.learning.training.row_sums import bounded_rows, encoded, exact

FIRST, SECOND, WEIGHT = "gradients", "curvatures", "weights"
"""The blocks [k, nodes, cells]: summed derivatives of each output, and by how much rows count."""
Placed = Callable[[Floats, Floats, slice], tuple[Whole, Mapping[str, Floats]]]
"""features [n, p], target [n], which of a site's training rows they are -> the node of each row and output [n, k], and
by block its numbers [n, k]."""


@dataclass(frozen=True, slots=True)
class Histogram:
    """What the training rows of a site add. See `core.stages.Unlaid`. nodes: how many a row may lie in."""

    layout: Layout
    goal: Goal
    nodes: int
    placed: Placed = field(repr=False)
    rows: Table = field(repr=False)

    def encode(self, grid: Grid, limit: L) -> Encoded[L]:
        """Each row's numbers in whole steps, which are added up exactly. Raises Abort(RANGE): one is beyond its
        bound, or no number."""
        high = dict(zip((part.name for part in grid.parts), exact(limit).high, strict=True))
        steps = {part.name: part.step for part in grid.parts}
        totals = {part.name: np.zeros(part.size, dtype=np.int64) for part in grid.parts}
        start = 0
        for x, y in bounded_rows(self.rows):
            nodes, numbers = self.placed(x, y, slice(start, start + len(x)))
            start += len(x)
            row, cell = self.layout.places(x)
            for name, found in numbers.items():
                if not np.abs(found).max(initial=0.0) <= high[name]:  # not so either where one is no number
                    what = f"{name}: a contribution is beyond its range or not a finite number"
                    raise Abort(Cause.RANGE, detail=what)
                totals[name] += self._added(np.trunc(found / steps[name]), nodes, row, cell)
            totals[TALLY] += counts(self.goal, y) * round(1 / steps[TALLY])
        return encoded(totals, grid, limit)

    def _added(self, whole: Floats, nodes: Whole, row: Whole, cell: Whole) -> Whole:
        """[k * nodes * cells] of whole numbers [n, k]: their sums stay below 2^53 in a batch of rows."""
        wide = self.nodes * self.layout.cells
        parts = [
            np.bincount(nodes[row, k] * self.layout.cells + cell, weights=whole[row, k], minlength=wide)
            for k in range(whole.shape[1])
        ]
        return np.concatenate(parts).astype(np.int64)
