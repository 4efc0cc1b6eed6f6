"""Counts that are added up over places, released so that noise in the running totals stays small.

A row in place b of a block adds column b of a lower-triangular Toeplitz matrix C, and not a 1 at b alone. C is near the
square root of A, which adds up from the start: its first column is 1, 1/2, 3/8, ... Opened is y = C h (h: the counts),
and the running totals are A h = (A C^-1) y. Noise in y moves them by about log m times as much, where noise in m counts
moves them by sqrt m. Numbers of C are cut off to whole multiples of 1 / PARTS, so that a row adds integers and every
protection the same ones; whatever is computed of an opened sum goes by these numbers.

Column b is the first one moved down by b, so the first is the longest: its L2 norm is the sensitivity. Reference:
Fichtenberger, Henzinger and Upadhyay 2023, "Constant Matters: Fine-grained Error Bound on Differentially Private
Continual Observation". Up to FLAT places this gains nothing, and counts are as good.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from potluck.core.stages import Floats

PARTS = 256
FLAT = 16
"""The most places at which counts alone do as well."""
TOGETHER = 256
"""Numbers whose ways are held at once."""


@dataclass(frozen=True, slots=True)
class Spread:
    """What a row adds from its place on. column: the first column of C, whole multiples of 1 / parts, the first number
    of which is 1; a statistic's places are one block of so many after the other. parts: a power of two, so that the
    grid's step divides it. Raises ValueError: it is none, or the column begins otherwise."""

    column: tuple[int, ...]
    parts: int = PARTS

    def __post_init__(self) -> None:
        if self.parts.bit_count() != 1 or self.column[0] != self.parts:
            raise ValueError("a spread has a power of two of parts, and begins with a whole")

    @property
    def flat(self) -> bool:
        """Whether a row adds a 1 at its place alone."""
        return self.parts == 1

    @property
    def norm(self) -> float:
        """The L2 norm of what one row adds, at most."""
        return math.sqrt(self.squares) / self.parts

    @property
    def squares(self) -> int:
        """Its square in whole steps, exactly."""
        return sum(one * one for one in self.column)

    def steps(self, counts: Sequence[int]) -> list[int]:
        """What rows add, so many at each place, one block after the other: whole multiples of 1 / parts."""
        if self.flat:
            return list(counts)
        size = len(self.column)
        blocks = np.array(counts, np.int64).reshape(-1, size)  # at most 2^30 rows, each within 2^8
        return [step for one in blocks for step in np.convolve(one, np.array(self.column))[:size].tolist()]

    @property
    def reach(self) -> Floats:
        """[m] the first column of A C^-1: how much of a number of y is in each cumulative count from its place on."""
        return np.cumsum(_inverse(self.column, self.parts))

    def ways(self) -> Iterator[Floats]:
        """[k, m] how opened numbers move the counts of their block: columns of C^-1, a line each, some at a time."""
        size = len(self.column)
        inverse = np.append(_inverse(self.column, self.parts), np.zeros(size))
        for start in range(0, size, TOGETHER):
            numbers = np.arange(start, min(start + TOGETHER, size))
            yield inverse[np.arange(size) - numbers[:, None]]  # before its place: the zeros, which lie at the end

    def cumulated(self, sums: Floats) -> Floats:
        """[..., m] the cumulative counts A C^-1 y of opened blocks [..., m]."""
        if self.flat:
            return np.cumsum(sums, axis=-1)
        size = len(self.column)
        products = np.fft.rfft(sums, 2 * size) * np.fft.rfft(self.reach, 2 * size)
        return np.asarray(np.fft.irfft(products, 2 * size)[..., :size], np.float64)


def root(size: int) -> Spread:
    """The square root of adding up `size` places, in whole multiples of 1 / PARTS."""
    return Spread(_root(size))


def running(size: int, *, noisy: bool) -> Spread:
    """What running totals over `size` places are released by: counts, where nothing else is better."""
    return root(size) if noisy and size > FLAT else Spread((1, *[0] * (size - 1)), 1)


@lru_cache(maxsize=64)
def _root(size: int) -> tuple[int, ...]:
    # In whole numbers: c_k = binom(2k, k) / 4^k, so that all parties find the same floor whatever their floats do.
    found, above, below = [], 1, 1
    for place in range(size):
        found.append(PARTS * above // below)
        above, below = above * (2 * place + 1), below * (2 * place + 2)
        shared = math.gcd(above, below)
        above, below = above // shared, below // shared
    return tuple(found)


@lru_cache(maxsize=64)
def _inverse(column: tuple[int, ...], parts: int) -> Floats:
    """[m] the first column of C^-1, by substitution; the first number of C is 1."""
    first = np.array(column) / parts
    found = np.zeros(len(column))
    found[0] = 1.0
    for place in range(1, len(column)):
        found[place] = -first[1 : place + 1] @ found[place - 1 :: -1] if place > 1 else -first[1]
    return found


def rising(totals: Floats) -> Floats:
    """[m] the nearest totals that never fall, by least squares (isotonic regression)."""
    from scipy.optimize import isotonic_regression  # loaded where there is noise to clean up

    return np.asarray(isotonic_regression(totals).x, np.float64)
