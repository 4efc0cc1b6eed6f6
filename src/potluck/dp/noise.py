"""Exact discrete Gaussian noise over the integers: P[x] proportional to exp(-x^2 / (2 sigma^2)).

`reference` is Canonne, Kamath, Steinke (arXiv 2004.00010, algorithms 1 to 3) on whole numbers and fractions.
`gaussian` is rejection from a two-sided staircase: block b of 2^w integers has weight 2^-b, so that proposing takes
random bits alone, and x is accepted where a uniform U < 2^b exp(-x^2 / (2 sigma^2) - c). The comparison runs in
float64 on the leading 64 bits of U; where these lie within 2^-32 of the float's value, a thousand times its error
bound, the comparison is decided by bounds of rising precision on the true value while U is
drawn further. No float therefore decides anything that it could get wrong: the samples are exact for every sigma.
It does NOT run in constant time: how long sampling takes depends on the noise (see arXiv 2107.09630).
"""

import decimal
import math
from collections.abc import Iterator
from decimal import Decimal
from fractions import Fraction
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from potluck.core.party import Draw

LARGEST = 2.0**48
"""The largest sigma, in steps: every proposal then fits an int64."""
WINDOW = 32
CHUNK = 1 << 15
_BLOCKS = 64


def gaussian(sigma: float, size: int, draw: Draw, window: int = WINDOW) -> NDArray[np.int64]:
    """[size] exact samples. Raises ValueError: as `runs`."""
    out = np.empty(size, np.int64)
    for at, some in runs(sigma, size, draw, window):
        out[at : at + len(some)] = some
    return out


def runs(sigma: float, size: int, draw: Draw, window: int = WINDOW) -> Iterator[tuple[int, NDArray[np.int64]]]:
    """`size` exact samples in short runs: (where it begins, samples). sigma: in grid steps; window: comparisons closer
    than 2^-window are decided exactly.

    Raises ValueError: sigma is not within (0, LARGEST].
    """
    if not 0 < sigma <= LARGEST:
        raise ValueError("sigma must be positive and at most 2^48 steps")
    filled = 0
    while filled < size:
        # About half of all proposals are accepted.
        some = _accepted(sigma, min(CHUNK, 2 * (size - filled) + 64), draw, window)[: size - filled]
        yield filled, some
        filled += len(some)


def _accepted(sigma: float, count: int, draw: Draw, window: int) -> NDArray[np.int64]:
    """Those of `count` proposals that are accepted, in order."""
    width, height = _staircase(sigma)
    place = np.frombuffer(draw(8 * count), "<u8")
    block = _geometric(count, draw)
    uniform = np.frombuffer(draw(8 * count), "<u8")
    negative = (place >> np.uint64(63)).astype(bool)
    size = (block << width) + (place & np.uint64((1 << width) - 1)).astype(np.int64)
    # A sum of three terms, each right to a few units of its 53rd bit. Where the result counts (above 2^-window)
    # the terms are below 70, so the error of chance is below 2^-43. At -700 nothing underflows.
    chance = np.exp(np.maximum(block * math.log(2) - np.square(size / sigma) / 2 - height, -700.0))
    gap = chance - uniform * 2.0**-64
    accept = gap > 0
    for index in (np.abs(gap) <= 2.0**-window).nonzero()[0]:
        accept[index] = _below(int(uniform[index]), sigma, int(size[index]), int(block[index]), height, draw)
    accept &= ~(negative & (size == 0))  # zero has one sign
    return np.where(negative, -size, size)[accept]


@lru_cache(maxsize=64)
def _staircase(sigma: float) -> tuple[int, float]:
    """(w, c): blocks of 2^w integers, 2^w the power of two next to sigma; e^c bounds the density over the staircase.

    c is rounded up; by how much changes how often a proposal is accepted, never what.
    """
    width = max(0, math.floor(math.log2(sigma / 0.6)))
    peaks = (b * math.log(2) - (b * 2.0**width / sigma) ** 2 / 2 for b in range(_BLOCKS))
    return width, max(peaks) + 2.0**-30


def _geometric(count: int, draw: Draw) -> NDArray[np.int64]:
    """[count] with P[b] = 2^-(b+1): zeros before the first one of fresh random bits.

    A run longer than a word goes on in the next one.
    """
    word = np.frombuffer(draw(8 * count), "<u8")
    zeros: NDArray[np.int64] = np.bitwise_count(~word & (word - np.uint64(1))).astype(np.int64)
    for index in (word == 0).nonzero()[0]:
        zeros[index] += _geometric(1, draw)[0]
    return zeros


def _below(uniform: int, sigma: float, size: int, block: int, height: float, draw: Draw) -> bool:
    """Whether U < 2^block exp(-size^2 / (2 sigma^2) - height), for U whose leading 64 bits are `uniform`."""
    exponent = Fraction(size) ** 2 / (2 * Fraction(sigma) ** 2) + Fraction(height)
    bits = 64
    while True:
        low, high = _exp_bounds(exponent, bits)
        scale = 1 << (bits + block)
        if uniform + 1 <= low * scale:
            return True
        if uniform >= high * scale:
            return False
        uniform = uniform << 64 | int.from_bytes(draw(8), "little")
        bits += 64


def _exp_bounds(exponent: Fraction, bits: int) -> tuple[Fraction, Fraction]:
    """A lower and an upper bound of exp(-exponent), apart by about 2^-bits of it."""
    wide = decimal.Context(prec=bits // 3 + 20, Emax=decimal.MAX_EMAX, Emin=decimal.MIN_EMIN)
    top, bottom = Decimal(-exponent.numerator), Decimal(exponent.denominator)
    smaller = _rounded(wide, decimal.ROUND_FLOOR).divide(top, bottom)
    larger = _rounded(wide, decimal.ROUND_CEILING).divide(top, bottom)
    # Decimal's exp is correctly rounded: the truth is within its neighbours.
    return Fraction(wide.next_minus(wide.exp(smaller))), Fraction(wide.next_plus(wide.exp(larger)))


def _rounded(context: decimal.Context, rounding: str) -> decimal.Context:
    copy = context.copy()
    copy.rounding = rounding
    return copy


def reference(sigma: float, draw: Draw) -> int:
    """One exact sample, by the published algorithm on whole numbers and fractions: slow, and easy to check."""
    variance = Fraction(sigma) ** 2
    scale = math.floor(sigma) + 1
    while True:
        candidate = _laplace(scale, draw)
        if _bernoulli_exp((abs(candidate) - variance / scale) ** 2 / (2 * variance), draw):
            return candidate


def _laplace(scale: int, draw: Draw) -> int:
    """P[x] proportional to exp(-|x| / scale)."""
    while True:
        offset = _under(scale, draw)
        if not _bernoulli_exp(Fraction(offset, scale), draw):
            continue
        turns = 0
        while _bernoulli_exp(Fraction(1), draw):
            turns += 1
        size = offset + scale * turns
        negative = bool(draw(1)[0] & 1)
        if size or not negative:
            return -size if negative else size


def _bernoulli_exp(gamma: Fraction, draw: Draw) -> bool:
    """True with probability exp(-gamma), gamma >= 0."""
    while gamma > 1:
        if not _bernoulli_exp(Fraction(1), draw):
            return False
        gamma -= 1
    k = 1
    while _under(gamma.denominator * k, draw) < gamma.numerator:
        k += 1
    return k % 2 == 1


def _under(limit: int, draw: Draw) -> int:
    """A uniform whole number below `limit`."""
    bits = (limit - 1).bit_length()
    while True:
        number = int.from_bytes(draw((bits + 7) // 8), "little") & ((1 << bits) - 1)
        if number < limit:
            return number
