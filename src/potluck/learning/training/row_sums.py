"""Sums over a site's training rows, without laying rows out: each adds its residual times its features.

As `core.fixed` has it for what is laid out, each product is truncated toward zero on the grid and added up: without a
clip the words are the same, bit for bit, but a batch of rows is gone through a few times in the cache, and no row's
contribution is kept. float64 holds whole numbers up to 2^53, and sums of them below that are exact in any order.
With a clip a row's norm is |residual| |features|, so that it is enough to clip its residual: see `clipped`.
A row is its features with a 1 in front. That 1 is not laid out: its products are the residuals themselves.
"""

from collections.abc import Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

from potluck.core.fixed import margin, word
from potluck.core.rounds import Abort, Cause
from potluck.core.stages import Clip, Encoded, Floats, Grid, GridBlock, L, Range
from potluck.learning.data.table import Table
from potluck.learning.data.units import Index, batches
from potluck.learning.models.layers import added

Whole = NDArray[np.int64]
EXACT = 2.0**53
FEW = 8
"""Where fewer rows than this add up to whole numbers that a float64 holds, they are added up as integers."""
TINY = 2.0**-960
"""Of classes, factors below it are none, so that a row's largest is no denormal number and loses no digits."""
BROAD, ALONE = 128, 1 << 13
"""Columns of one sum of rows, and its numbers. OpenBLAS shares more of them among threads, which would wait longer for
each other than they work."""


def training_rows(rows: Table, times: int = 1, some: Index | None = None) -> Iterator[tuple[Floats, Floats]]:
    """Batches of the rows that are trained on: features [n, p], target [n]. times: see `data.units.batches`; some: of
    them these alone, by number.

    A batch may be written over by the next.
    """
    columns = rows.features.shape[1]
    gathered = np.empty((0, columns))
    for index in batches(np.flatnonzero(rows.train) if some is None else some, columns + 1, times):
        first, last = index[0], index[-1] + 1
        if last - first == len(index):  # a stretch need not be gathered
            yield rows.features[first:last], rows.target[first:last]
            continue
        if len(gathered) < len(index):
            gathered = np.empty((len(index), columns))
        features = gathered[: len(index)]
        np.take(rows.features, index, axis=0, out=features, mode="clip")  # whose other mode makes a copy first
        yield features, rows.target[index]


def bounded_rows(rows: Table, times: int = 1, some: Index | None = None) -> Iterator[tuple[Floats, Floats]]:
    """The same. Raises Abort(RANGE): a feature is not on [-1, 1]."""
    for features, target in training_rows(rows, times, some):
        if not rows.within and features.size and not (features.max() <= 1 and features.min() >= -1):
            raise Abort(Cause.RANGE, detail="a feature is beyond its range or not a finite number")
        yield features, target


def weighted(features: Floats, factors: Floats, part: GridBlock, high: float, space: Floats | None = None) -> Whole:
    """The sum of factor x row [p + 1] in whole steps of a part of the grid, each entry truncated toward zero.

    features [n, p] on [-1, 1], as `bounded_rows` has them; |factors [n]| <= high. So no entry is beyond high. Of
    factors [n, K] that of each class in turn, [K (p + 1)]. space: see `layers.added`. Raises Abort(RANGE): a factor is
    beyond.
    """
    largest = max(factors.max(), -factors.min())
    if not largest <= high:  # not so either where one is no number
        raise Abort(Cause.RANGE, detail=f"{part.name}: a contribution is beyond its range or not a finite number")
    return _each(features, factors / part.step, largest / part.step, space)


def clipped(features: Floats, factors: Floats, part: GridBlock, most: float, space: Floats | None = None) -> Whole:
    """The same sum of rows that are clipped one by one: no row adds more than most / step steps, in L2 norm.

    features [n, p - 1], factors [n] or [n, K]: any numbers. A row that is not finite, or whose norm is not, counts as
    zero: an error would tell of it. most: the clip, between 2^-900 and 2^900.

    The bound. Let |x| be the norm of a row, n what float64 finds for it, and u = 2^-53. The first square is 1, beside
    which squares that are too small for a float64 are nothing: |x| <= n (1 + (p + 4) u). The factor f that is kept has
    |f| n <= most (1 + 4 u) / (1 + margin(p) / 2), and half the margin is 4 (p + 16) u: |f| |x| (1 + u) <= most.
    An entry is f / step, exact as steps are powers of two, times a feature, rounded once, by at most u of itself (what
    is too small for that is no step), and truncated toward zero. So in whole steps the norm of what a row adds is at
    most |f| |x| (1 + u) / step <= most / step. The whole numbers are added up exactly.
    Of K classes f is a vector, and what a row adds is f x', whose norm is |f| |x|. Its norm is found as the largest
    |f_k| times that of f over it, one of whose squares is 1: right to (K + 6) u, and f over its norm to as much. Half
    of the margin of the K p entries is more than both.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        norms = np.sqrt(added(1.0, features, features, space))
        if factors.ndim == 1:
            sizes, ways, spare = np.abs(factors), np.copysign(1.0, factors), margin(features.shape[1] + 1)
        else:
            factors, sizes, ways = _ways(factors)
            spare = margin(part.size)
        over = sizes * norms > most / (1 + spare / 2)
        kept = np.where(over, ways.T * (most / (1 + spare) / norms), factors.T).T
    lost = ~(np.isfinite(sizes) & np.isfinite(norms))
    if lost.any():
        features, kept = np.where(lost[:, None], 0.0, features), np.where(lost, 0.0, kept.T).T
    return _each(features, kept / part.step, most / part.step, space)


def _ways(factors: Floats) -> tuple[Floats, Floats, Floats]:
    """[n, K] -> themselves, 0 where they are TINY, their norms [n], and what they are over these [n, K]."""
    factors = np.where(np.abs(factors) < TINY, 0.0, factors)
    largest = np.abs(factors).max(axis=1, keepdims=True)
    parts = factors / np.where(largest > 0, largest, 1.0)
    norms = np.sqrt(added(0.0, parts, parts))
    return factors, largest[:, 0] * norms, parts / np.where(norms > 0, norms, 1.0)[:, None]


def _each(features: Floats, factors: Floats, largest: float, space: Floats | None) -> Whole:
    """`_truncated` of factors [n], or of those of each class [n, K] in turn."""
    if factors.ndim == 1:
        return _truncated(features, factors, largest, space)
    return np.concatenate([_truncated(features, one, largest, space) for one in factors.T])


def _truncated(features: Floats, factors: Floats, largest: float, space: Floats | None) -> Whole:
    """The sum of factor x row [p + 1], each entry truncated toward zero: none is larger than `largest`."""
    rows, columns = features.shape
    steps = np.empty((rows, columns)) if space is None else space[: rows * columns].reshape(rows, columns)
    # exact but for the product's own rounding: factors were divided by a power of two
    np.trunc(np.multiply(features, factors[:, None], out=steps), out=steps)
    total = np.empty(columns + 1, dtype=np.int64)
    total[0] = factors.astype(np.int64).sum()
    for left in range(0, columns, BROAD):
        here = slice(left, left + BROAD)
        total[1:][here] = _whole_sum(steps[:, here], largest)
    return total


def _whole_sum(steps: Floats, largest: float) -> Whole:
    """[n, p] -> [p]: the sum of whole numbers, of which none is larger than `largest`."""
    rows, columns = steps.shape
    tall = min(int(EXACT / max(largest, 1.0)), ALONE // columns)
    if tall < FEW:
        return np.asarray(steps.astype(np.int64).sum(axis=0))
    last, ones = rows - rows % tall, np.ones(tall)
    sums = (ones @ steps[:last].reshape(-1, tall, columns)).astype(np.int64).sum(axis=0)
    return np.asarray(sums + (ones[: rows - last] @ steps[last:]).astype(np.int64))


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
