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


def integers(bounded: Bounded[L]) -> NDArray[np.int64]:
    """[units, d] whole steps, truncated toward zero and checked again against the limit, in integers.

    Raises Abort(RANGE): a value is not finite or beyond its range (a fault at this site, told to its owner).
    """
    grid, limit = bounded.grid, bounded.limit
    scaled = bounded.values.astype(np.float64)  # a copy, worked on in place: models are large
    for part, where in zip(grid.parts, grid.slices().values(), strict=True):
        scaled[:, where] /= part.step
    np.trunc(scaled, out=scaled)
    if not np.isfinite(scaled).all():
        raise Abort(Cause.RANGE, detail="a contribution is not a finite number")
    for index, (part, where) in enumerate(zip(grid.parts, grid.slices().values(), strict=True)):
        block = scaled[:, where]
        if isinstance(limit, Clip):
            # Norms are compared in exact arithmetic where float64 could round: below 2^26 squares are exact.
            inside = bool((_norms(block) <= limit.l2[index] / part.step).all())
        else:
            inside = block.size == 0 or max(block.max(), -block.min()) <= limit.high[index] / part.step
        if not inside:
            raise Abort(Cause.RANGE, detail=f"{part.name}: a contribution is beyond its bound")
    return scaled.astype(np.int64)


def _norms(block: Floats) -> Floats:
    """[units] L2 norms, rounded up: the float result is widened by its own error bound."""
    slack = 1 + (block.shape[1] + 4) * 2.0**-53
    return np.asarray(np.sqrt(np.einsum("ud,ud->u", block, block)) * slack, dtype=np.float64)


def encode(bounded: Bounded[L]) -> Encoded[L]:
    """Units [units, d] -> words [d]: each unit on the grid, then the sum of the site's units."""
    units = integers(bounded)
    total = units[0] if len(units) == 1 else units.sum(axis=0, dtype=np.int64)
    return Encoded(total.astype(word(bounded.grid.bits)), bounded.grid, bounded.limit)


def add(batches: Iterable[Encoded[L]], grid: Grid, limit: L) -> Encoded[L]:
    """The sum of batches of DISJOINT units; no batch at all is a sum of zero."""
    total = np.zeros(grid.length, dtype=word(grid.bits))
    for batch in batches:
        total += batch.words
    return Encoded(total, grid, limit)


def signed(words: Words) -> NDArray[np.int64]:
    """The signed integers that words [d] stand for, between -2^(k-1) and 2^(k-1) - 1."""
    return words.view(np.dtype(f"<i{words.dtype.itemsize}")).astype(np.int64)


def decode(words: Words, grid: Grid) -> Floats:
    """words [d] -> real values [d]."""
    values = signed(words).astype(np.float64)
    for part, where in zip(grid.parts, grid.slices().values(), strict=True):
        values[where] *= part.step
    return values
