"""Fixed-point arithmetic in the ring of integers mod 2^k: real values on a grid of powers of two.

Truncation is toward zero, so that a unit's norm cannot rise (rounding to nearest can); the bound is checked
again in integers. Wrapping is harmless as long as the opened sum fits: that is checked when the grid is chosen.
"""

import math
from collections.abc import Iterable
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from potluck.core.rounds import Abort, Cause, Words
from potluck.core.slices import blocks, slices
from potluck.core.stages import Bounded, Clip, Encoded, Floats, Grid, GridBlock, Range

L = TypeVar("L", Clip, Range)
FINEST = -48
"""The finest step is 2^-48: a float64 carries 53 bits, and values reach 2^5."""


def word(bits: int) -> np.dtype[np.unsignedinteger]:
    """The unsigned little-endian word of a ring of 2^bits. Raises ValueError for widths other than 32 and 64."""
    if bits == 32:
        return np.dtype("<u4")
    if bits == 64:
        return np.dtype("<u8")
    raise ValueError(f"a word has 32 or 64 bits, not {bits}")


def fits(part: GridBlock, bits: int) -> bool:
    """Whether a sum with |value| <= part.high stays in the signed half of the ring."""
    return part.high / part.step < 2.0 ** (bits - 1) - 1


def finest(high: float, bits: int) -> int:
    """The exponent e of the finest step 2^e at which a sum with |value| <= high fits the ring."""
    room = math.ceil(math.log2(max(high, 2.0**-40)) + 1e-9) - (bits - 1)
    return max(FINEST, room + 1)


def margin(size: int) -> float:
    """More than what float64 can get wrong about the L2 norm of `size` values: a clip leaves so much of itself."""
    return (size + 16) * 2.0**-50


def encode(bounded: Bounded[L]) -> Encoded[L]:
    """Units [units, d] -> words [d]: each unit on the grid, checked again in integers, then the sum of all units.

    Raises Abort(RANGE): a value is not finite or beyond its range (a fault at this site, told to its owner).
    """
    grid, values = bounded.grid, bounded.values
    total = np.zeros(grid.length, dtype=word(grid.bits))
    for index, (part, where) in enumerate(zip(grid.parts, grid.slices().values(), strict=True)):
        clip = isinstance(bounded.limit, Clip)
        most = (bounded.limit.l2 if isinstance(bounded.limit, Clip) else bounded.limit.high)[index] / part.step
        squares = np.zeros(len(values) * clip)
        for rows, columns in blocks(len(values), where):
            steps = _truncated(values[rows, columns], part)
            if not np.abs(steps).max() <= most:
                raise _beyond(part) if np.isfinite(steps).all() else _not_finite()
            if clip:
                squares[rows] += np.einsum("ud,ud->u", steps, steps)
            whole = steps.astype(np.int64)
            total[columns] += (whole[0] if len(whole) == 1 else whole.sum(axis=0)).astype(total.dtype)
        if clip and not (_norms(squares, part) <= most).all():
            raise _beyond(part)
    return Encoded(total, grid, bounded.limit)


def _truncated(values: Floats, part: GridBlock) -> Floats:
    """Values of one part in whole steps, truncated toward zero."""
    steps = values / part.step
    np.trunc(steps, out=steps)
    return steps


def _norms(squares: Floats, part: GridBlock) -> Floats:
    """[units] L2 norms, rounded up: the float result is widened by its own error bound, in whatever order it was added
    up. Where squares add up to less than 2^53, they are exact."""
    return np.asarray(np.sqrt(squares) * (1 + (part.size + 4) * 2.0**-53), dtype=np.float64)


def _not_finite() -> Abort:
    return Abort(Cause.RANGE, detail="a contribution is not a finite number")


def _beyond(part: GridBlock) -> Abort:
    return Abort(Cause.RANGE, detail=f"{part.name}: a contribution is beyond its bound")


def add(batches: Iterable[Encoded[L]], grid: Grid, limit: L) -> Encoded[L]:
    """The sum of batches of DISJOINT units; no batch at all is a sum of zero. One batch alone is not copied."""
    total: Words | None = None
    for count, batch in enumerate(batches):
        if total is None:
            total = batch.words
        elif count == 1:
            total = total + batch.words  # whoever made the first may keep it
        else:
            total += batch.words
    return Encoded(np.zeros(grid.length, dtype=word(grid.bits)) if total is None else total, grid, limit)


def signed(words: Words) -> NDArray[np.int64]:
    """The signed integers that words [d] stand for, between -2^(k-1) and 2^(k-1) - 1."""
    return words.view(np.dtype(f"<i{words.dtype.itemsize}")).astype(np.int64)


def decode(words: Words, grid: Grid) -> Floats:
    """words [d] -> real values [d]."""
    values = np.empty(len(words))
    for part, where in zip(grid.parts, grid.slices().values(), strict=True):
        for one in slices(where.stop, start=where.start):
            np.multiply(signed(words[one]), part.step, out=values[one])
    return values
