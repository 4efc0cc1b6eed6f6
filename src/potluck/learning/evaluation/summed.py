"""Exact sums of rows of numbers, added up at the site before they are cut off on the grid.

Cut off one by one, n rows lose half a step each: of a good model, whose errors are small beside the range that the
grid has room for, that showed in the ninth digit. So what each row leaves below a step is added up too, in parts of
FINE, and a site loses less than one step in all. Whole numbers are added up exactly, so the sum is the same in any
order of the rows. It is for sums without noise: a unit's bound is checked, and nothing is clipped.
"""

from dataclasses import dataclass, field

import numpy as np

from potluck.core.fixed import word
from potluck.core.rounds import Abort, Cause
from potluck.core.stages import Encoded, Grid, L
from potluck.learning.data.units import Index, Rows, batches
from potluck.learning.training.row_sums import exact

FINE = 1 << 30
"""Of a step; with at most 2^32 rows a sum of so many fits a word."""


@dataclass(frozen=True, slots=True)
class Summed:
    """See `core.stages.Unlaid`. index: the rows that count; rows: what each of them adds [k, size]."""

    index: Index = field(repr=False)
    size: int
    rows: Rows = field(repr=False)

    def encode(self, grid: Grid, limit: L) -> Encoded[L]:
        """Raises Abort(RANGE): a row is beyond its range, or not a finite number."""
        each = [(part.step, part.size, high) for part, high in zip(grid.parts, exact(limit).high, strict=True)]
        steps = np.concatenate([np.full(size, step) for step, size, _ in each])
        most = np.concatenate([np.full(size, high) for _, size, high in each])
        whole, rest = np.zeros(grid.length, np.int64), np.zeros(grid.length, np.int64)
        for some in batches(self.index, self.size):
            values = self.rows(some)
            if not (np.abs(values) <= most).all():
                raise Abort(Cause.RANGE, detail="a contribution is beyond its range or not a finite number")
            lower = np.floor(values / steps)
            whole += lower.astype(np.int64).sum(axis=0)
            rest += ((values / steps - lower) * FINE).astype(np.int64).sum(axis=0)
        return Encoded((whole + rest // FINE).astype(word(grid.bits)), grid, limit)
