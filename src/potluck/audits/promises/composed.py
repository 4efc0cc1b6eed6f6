"""What sums of drawn units cost, composed by the auditor itself: it shares no line with the program's accountant.

A unit is in each sum by a coin. With it the sum is drawn from (1 - q) N(0, s^2) + q N(1, s^2), without it from
N(0, s^2); no pair of neighbours is told apart better, and losses of sums add up. The loss of one is laid on a grid,
each piece of chance parted between the two nearest steps so that the mean stays, and the sum of all is its convolution
by FFT. Losses spread by less than a part in a thousand more so: the result is no bound, and right to as much.
References: Abadi et al. 2016, arXiv 1607.00133; Koskela, Jalko, Honkela 2020, arXiv 1906.03049 (losses by FFT); Zhu,
Dong, Wang 2022, arXiv 2106.08567 (the dominating pair, either way round).
"""

import math
from functools import lru_cache

import numpy as np

from potluck.core.stages import Floats

POINTS, FAR = 40_001, 14.0
"""Of one sum's outcomes, so many sigmas to each side."""
FINE, WIDE = 40.0, 16.0
"""Steps of the grid in the standard deviation of one sum's loss; how many of those of all are on it, to each side."""
MOST = 1 << 23
"""Steps of a grid: it is coarser, where more were needed."""


@lru_cache(maxsize=256)
def drawn_epsilon(sigma: float, rate: float, count: int, delta: float) -> float:
    """The epsilon at delta of `count` Gaussian sums, each of units that are drawn with the chance `rate`. sigma: noise
    over what a unit may add; the larger of adding and of removing one."""
    outcomes = np.linspace(-FAR * sigma, 1 + FAR * sigma, POINTS)
    without = _density(outcomes, 0.0, sigma)
    there = (1 - rate) * without + rate * _density(outcomes, 1.0, sigma)
    loss = np.logaddexp(math.log1p(-rate) if rate < 1 else -np.inf, math.log(rate) + (outcomes - 0.5) / sigma**2)
    return max(_epsilon(loss, there, count, delta), _epsilon(-loss, without, count, delta))


def _density(outcomes: Floats, mean: float, sigma: float) -> Floats:
    found: Floats = np.exp(-(((outcomes - mean) / sigma) ** 2) / 2)
    return np.asarray(found / found.sum())


def _epsilon(loss: Floats, chance: Floats, count: int, delta: float) -> float:
    """Of losses that are added up so many times."""
    mean = float(chance @ loss)
    spread = math.sqrt(float(chance @ (loss - mean) ** 2))
    reach = WIDE * math.sqrt(count) * spread + 2 * float(np.abs(loss).max())
    step = max(spread / FINE, 2 * reach / MOST)
    size = 1 << math.ceil(math.log2(2 * reach / step))
    places = (loss - mean) / step
    below = np.floor(places)
    once = np.bincount(below.astype(int) % size, (1 + below - places) * chance, size)
    once += np.bincount((below.astype(int) + 1) % size, (places - below) * chance, size)
    every = np.maximum(np.fft.irfft(np.fft.rfft(once) ** count, size), 0.0)
    at = (np.arange(size) + size // 2) % size - size // 2  # what is beyond half the grid is below the mean
    total = at * step + count * mean
    some = total > 0
    total, every = total[some], every[some]

    def over(epsilon: float) -> float:
        above = total > epsilon
        return float(every[above] @ -np.expm1(epsilon - total[above]))

    low, high = 0.0, float(total.max(initial=0.0))
    if over(0.0) <= delta:
        return 0.0
    while high - low > 1e-7 * high:
        middle = (low + high) / 2
        low, high = (middle, high) if over(middle) > delta else (low, middle)
    return low
