"""Sums over a site's training rows where nothing is clipped: the integers of rows that are laid out, without the rows.

A row adds its residual times its features. As `core.fixed` has it for what is laid out, each product is truncated
toward zero on the grid, checked, and added up: the words are the same, bit for bit, but a batch of rows is gone through
a few times in the cache, and no row's contribution is kept. float64 holds whole numbers up to 2^53, and sums of them
below that are exact in any order.
"""

from collections.abc import Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

from potluck.core.fixed import word
from potluck.core.rounds import Abort, Cause
from potluck.core.stages import Encoded, Floats, Grid, GridBlock, L, Range
from potluck.learning.data.table import Table
from potluck.learning.data.units import batches
from potluck.learning.models.linear import design

Whole = NDArray[np.int64]
EXACT = 2.0**53
FEW = 8
"""Where fewer rows than this add up to whole numbers that a float64 holds, they are added up as integers."""


def training_rows(rows: Table) -> Iterator[tuple[Floats, Floats]]:
    """Batches of the rows that are trained on: features with a 1 in front [n, p + 1], target [n]."""
    for index in batches(np.flatnonzero(~rows.test), rows.features.shape[1] + 1):
        first, last = index[0], index[-1] + 1
        here = slice(first, last) if last - first == len(index) else index  # a stretch need not be gathered
        yield design(rows.features[here]), rows.target[here]


def weighted(rows: Floats, factors: Floats, part: GridBlock, high: float) -> Whole:
    """The sum of factor x row [p] in whole steps of a part of the grid, each entry truncated toward zero.

    rows [n, p] on [-1, 1]; |factors [n]| <= high. So no entry is beyond high: Raises Abort(RANGE).
    """
    largest = max(factors.max(), -factors.min())
    if not (largest <= high and rows.max() <= 1 and rows.min() >= -1):  # not so either where one is no number
        raise Abort(Cause.RANGE, detail=f"{part.name}: a contribution is beyond its range or not a finite number")
    steps = rows * (factors / part.step)[:, None]  # exact but for the product's own rounding: a power of two
    np.trunc(steps, out=steps)
    tall = int(EXACT / max(largest / part.step, 1.0))
    if tall < FEW:
        return np.asarray(steps.astype(np.int64).sum(axis=0))
    total = np.zeros(rows.shape[1], dtype=np.int64)
    for start in range(0, len(rows), tall):
        total += steps[start : start + tall].sum(axis=0).astype(np.int64)
    return total


def encoded(totals: Mapping[str, Whole], grid: Grid, limit: L) -> Encoded[L]:
    """Each block's sum, in whole steps, as words of the grid."""
    found = np.concatenate([totals[part.name] for part in grid.parts])
    return Encoded(found.astype(word(grid.bits)), grid, limit)


def exact(limit: L) -> Range:
    """The range of each block. Raises ValueError: it is a clip, and nothing here is clipped."""
    if not isinstance(limit, Range):
        raise ValueError("these rows are added up exactly: nothing is clipped")
    return limit
