"""Numbers of very different sizes in one sum: each is cut into limbs, of which each is 2^BITS times as fine as the one
before.

All limbs but the last are whole multiples of 2^-BITS. No grid has coarser steps (`dp/grid.py`), so only the last one is
cut off, and a number loses so much less.
"""

import numpy as np

from potluck.core.stages import Floats

BITS = 16


def limbs(numbers: Floats, count: int) -> Floats:
    """[..., count] of numbers [...]; the first within the number's own bound, the others within [-1, 1]."""
    found = []
    for _ in range(count - 1):
        top = np.trunc(np.ldexp(numbers, BITS))
        found.append(np.ldexp(top, -BITS))
        numbers = np.ldexp(numbers, BITS) - top
    return np.stack([*found, numbers], axis=-1)


def joined(sums: Floats) -> Floats:
    """[...] the numbers of summed limbs [..., count]."""
    return np.asarray(sums @ np.ldexp(1.0, -BITS * np.arange(sums.shape[-1])), dtype=np.float64)


def finer(count: int) -> float:
    """How much finer than the grid such numbers are."""
    return 2.0 ** (BITS * (count - 1))
