"""Numbers that are to be independent Gaussian noise, and tests of that: each says how likely what it found is.

Noise is whole steps of a grid. A uniform number of one step's width is added to each before it is looked at, so that
its distribution is smooth: with a sigma of some steps it cannot be told from a Gaussian one by as many numbers as are
looked at.
Reference: the chi-square tests of a variance and of a fit; Box, Jenkins 1970 (autocorrelations of white noise).
"""

import math
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from potluck.audits.promises.bounds import two_sided
from potluck.core.seeded import Generator
from potluck.core.stages import Floats

FAR = 3.0
EDGES = np.linspace(-FAR, FAR, 13)
"""Between which numbers are counted, in sigmas. Those beyond are looked at alone, too: noise may be cut off."""
STEP = 1 / 12
"""The variance of a uniform number of one step's width."""
MOST = 1 << 20
"""Of one release no more numbers are looked at: every so many-th."""
EXACT = 2.0**53
"""Of larger numbers floats do not hold each step."""


@dataclass(frozen=True, eq=False)
class Draws:
    """found [n, d]: releases one after another, in steps; sigma [d]: what it is to be, in steps; names [d]: whose or
    which part of the sum each number is, as a number from 0; rng: makes them smooth."""

    found: NDArray[np.float64] = field(repr=False)
    sigma: Floats = field(repr=False)
    names: NDArray[np.int64] = field(repr=False)
    scaled: Floats = field(init=False, repr=False)
    rng: Generator

    def __post_init__(self) -> None:
        smooth = self.found + self.rng.uniform(-0.5, 0.5, self.found.shape)
        object.__setattr__(self, "scaled", smooth / np.sqrt(self.sigma**2 + STEP))

    def sizes(self) -> tuple[list[tuple[float, float]], float]:
        """((chance, spread over what it is to be) of all numbers and of each part; the chance of the coordinate that
        is least likely to be so small)."""
        squares = (self.scaled**2).sum(axis=0)
        groups = [np.ones(len(squares), bool), *(self.names == one for one in np.unique(self.names))]
        found, times = list[tuple[float, float]](), len(self.scaled)
        for group in groups:
            count, total = times * int(group.sum()), float(squares[group].sum())
            found.append((two_sided(total, count), math.sqrt(total / count)))
        return found, min(1.0, len(squares) * float(stats.chi2.cdf(squares.min(), times)))

    def shape(self) -> float:
        """How likely counts between EDGES, and beyond, are of Gaussian noise of the size that was found."""
        values = self.scaled.ravel() / math.sqrt(float((self.scaled**2).mean()))
        edges = np.concatenate([[-np.inf], EDGES, [np.inf]])
        counts = np.histogram(values, edges)[0]
        expected = len(values) * np.diff(stats.norm.cdf(edges))
        # The size was found of the same numbers, which takes one number's freedom.
        fit = float(stats.chi2.sf(((counts - expected) ** 2 / expected).sum(), len(counts) - 2))
        far = stats.binomtest(int(counts[0] + counts[-1]), len(values), 2 * float(stats.norm.sf(FAR))).pvalue
        return min(1.0, 2 * fit, 2 * float(far))

    def common(self) -> tuple[float, float]:
        """(chance, correlation): of the two stretches of all numbers that have most in common, a number of places
        apart. Noise that is used again, in the next release, the one after or another coordinate, is its own."""
        values = self.scaled.ravel() / math.sqrt(float((self.scaled**2).mean()))
        count, lags = len(values), 3 * len(values) // 4
        size = 1 << (2 * count - 1).bit_length()
        sums = np.fft.irfft(np.abs(np.fft.rfft(values, size)) ** 2, size)[1 : lags + 1]
        normal = np.abs(sums) / np.sqrt(count - np.arange(1, lags + 1))
        at = int(normal.argmax())
        chance = min(1.0, lags * 2 * float(stats.norm.sf(normal[at])))
        return chance, float(sums[at] / (count - at - 1))

    def again(self) -> float:
        """How likely as many numbers are there twice, whatever their sign, of noise whose values are many: of parts
        with few there are always some."""
        chance = 1.0
        for sigma in np.unique(self.sigma):
            some = np.abs(self.found[:, self.sigma == sigma]).ravel()
            twice = len(some) - len(np.unique(some))
            expected = len(some) ** 2 / (2 * sigma * math.sqrt(math.pi))
            if expected < 1:
                chance = min(chance, float(stats.poisson.sf(twice - 1, expected)) if twice else 1.0)
        return chance

    @property
    def coarse(self) -> int:
        """The number of steps of which all numbers of some part are whole multiples: what is below that has no
        noise."""
        parts = (self.found[:, self.names == one].ravel() for one in np.unique(self.names))
        return max(int(np.gcd.reduce(part[np.abs(part) < EXACT].astype(np.int64))) for part in parts)


def thinned(length: int) -> NDArray[np.int64]:
    """The places of a release of so many numbers that are looked at."""
    return np.arange(0, length, max(1, -(-length // MOST)))
