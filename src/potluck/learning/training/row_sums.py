"""Sums over a site's training rows, without laying rows out: each adds its residual times its features.

As `core.fixed` has it for what is laid out, each product is truncated toward zero on the grid and added up: without a
clip the words are the same, bit for bit, but a batch of rows is gone through a few times in the cache, and no row's
contribution is kept. float64 holds whole numbers up to 2^53, and sums of them below that are exact in any order.
With a clip a row's norm is |residual| |features|, so that it is enough to clip its residual: see `clipped`.
"""

from collections.abc import Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

from potluck.core.fixed import margin, word
from potluck.core.rounds import Abort, Cause
from potluck.core.stages import Clip, Encoded, Floats, Grid, GridBlock, L, Range
from potluck.learning.data.table import Table
from potluck.learning.data.units import batches
from potluck.learning.models.layers import design

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
    return _truncated(rows, factors / part.step, largest / part.step)


def clipped(rows: Floats, factors: Floats, part: GridBlock, most: float) -> Whole:
    """The same sum [p] of rows that are clipped one by one: no row adds more than most / step steps, in L2 norm.

    rows [n, p], the first column 1, factors [n]: any numbers. A row that is not finite, or whose norm is not, counts as
    zero: an error would tell of it. most: the clip, between 2^-900 and 2^900.

    The bound. Let |x| be the norm of a row, n what float64 finds for it, and u = 2^-53. The first square is 1, beside
    which squares that are too small for a float64 are nothing: |x| <= n (1 + (p + 4) u). The factor f that is kept has
    |f| n <= most (1 + 4 u) / (1 + margin(p) / 2), and half the margin is 4 (p + 16) u: |f| |x| (1 + u) <= most.
    An entry is f / step, exact as steps are powers of two, times a feature, rounded once, by at most u of itself (what
    is too small for that is no step), and truncated toward zero. So in whole steps the norm of what a row adds is at
    most |f| |x| (1 + u) / step <= most / step. The whole numbers are added up exactly.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        norms = np.sqrt(np.multiply(rows, rows, order="C").sum(axis=1))
        spare = margin(rows.shape[1])
        over = np.abs(factors) * norms > most / (1 + spare / 2)
        kept = np.where(over, np.copysign(most / (1 + spare) / norms, factors), factors)
    lost = ~(np.isfinite(factors) & np.isfinite(norms))
    if lost.any():
        rows, kept = np.where(lost[:, None], 0.0, rows), np.where(lost, 0.0, kept)
    return _truncated(rows, kept / part.step, most / part.step)


def _truncated(rows: Floats, factors: Floats, largest: float) -> Whole:
    """The sum of factor x row [p], each entry truncated toward zero: none is larger than `largest`."""
    steps = rows * factors[:, None]  # exact but for the product's own rounding: factors were divided by a power of two
    np.trunc(steps, out=steps)
    tall = int(EXACT / max(largest, 1.0))
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


def noised(limit: L) -> Clip:
    """The clip of each block. Raises ValueError: it is a range, and these rows need a sensitivity."""
    if not isinstance(limit, Clip):
        raise ValueError("these rows are hidden by noise: each is clipped")
    return limit
