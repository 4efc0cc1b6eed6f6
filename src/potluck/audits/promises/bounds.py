"""Lower bounds of epsilon from what was counted, each right with a confidence that is chosen beforehand.

References: Clopper, Pearson 1934 (a share's interval); Dong, Roth, Su 2019, arXiv 1905.02383 (mu-GDP, and epsilon at
delta of it); Nasr et al. 2023, arXiv 2302.07956 (errors of the best attack, read as mu-GDP); Kairouz, Oh, Viswanath
2015, arXiv 1311.0776 (errors and epsilon); Steinke, Nasr, Jagielski 2023, arXiv 2305.08846, theorem 5.2 (many guesses
in one run).
"""

import math

import numpy as np
from numpy.typing import NDArray
from scipy import stats


def least(hits: int, tries: int, level: float) -> float:
    """A share that the true one is below with the chance `level` at most."""
    return float(stats.beta.ppf(level, hits, tries - hits + 1)) if hits else 0.0


def most(hits: int, tries: int, level: float) -> float:
    """A share that the true one is above with the chance `level` at most."""
    return float(stats.beta.isf(level, hits + 1, tries - hits)) if hits < tries else 1.0


def mu(hits: float, false: float) -> float:
    """The mu-GDP of a test that is right so often and wrong so often, 0 at least."""
    if hits <= false or hits <= 0 or false >= 1:
        return 0.0
    return float(stats.norm.isf(false) - stats.norm.isf(hits))


def gaussian_delta(mu: float, epsilon: float) -> float:
    """The delta of mu-GDP at an epsilon (arXiv 1905.02383, corollary 2.13)."""
    high = stats.norm.logcdf(-epsilon / mu + mu / 2)
    low = epsilon + stats.norm.logcdf(-epsilon / mu - mu / 2)
    return float(math.exp(high) - math.exp(min(low, high)))


def gaussian_epsilon(mu: float, delta: float) -> float:
    """The epsilon of mu-GDP at delta, rounded down."""
    if not mu > 0 or gaussian_delta(mu, 0.0) <= delta:
        return 0.0
    low, high = 0.0, 1.0
    while gaussian_delta(mu, high) > delta:
        low, high = high, 2 * high
    while high - low > 1e-9 * high:
        middle = (low + high) / 2
        low, high = (middle, high) if gaussian_delta(mu, middle) > delta else (low, middle)
    return low


def mu_of(epsilon: float, delta: float) -> float:
    """The mu whose epsilon at delta that is, rounded down."""
    low, high = 0.0, 64.0
    while high - low > 1e-9:
        middle = (low + high) / 2
        low, high = (middle, high) if gaussian_epsilon(middle, delta) < epsilon else (low, middle)
    return low


def by_errors(hits: float, false: float, delta: float) -> float:
    """The epsilon at delta that a test refutes which is right at least, and wrong at most, so often."""
    return math.log((hits - delta) / false) if hits > delta and hits - delta > false > 0 else 0.0


def refuted(epsilon: float, delta: float, canaries: int, guesses: int, right: int) -> float:
    """How likely so many right guesses are at most, where epsilon and delta hold (theorem 5.2)."""
    chance = 1 / (1 + math.exp(-epsilon))
    beta = float(stats.binom.sf(right - 1, guesses, chance))
    more = np.cumsum(stats.binom.pmf(np.arange(right - 1, -1, -1), guesses, chance))
    alpha = float((more / np.arange(1, right + 1)).max()) if right else 0.0
    return min(1.0, beta + 2 * canaries * alpha * delta)


def by_guesses(delta: float, canaries: int, guesses: int, right: int, level: float) -> float:
    """The largest epsilon at delta that so many right guesses refute at a level."""
    if refuted(0.0, delta, canaries, guesses, right) > level:
        return 0.0
    low, high = 0.0, 1.0
    while high < 64 and refuted(high, delta, canaries, guesses, right) <= level:
        low, high = high, 2 * high
    while high - low > 1e-6:
        middle = (low + high) / 2
        low, high = (middle, high) if refuted(middle, delta, canaries, guesses, right) <= level else (low, middle)
    return low


def two_sided(square: float, freedom: float) -> float:
    """How likely a sum of squares of standard normal numbers is that is as far off as this one, either way."""
    return float(2 * min(stats.chi2.sf(square, freedom), stats.chi2.cdf(square, freedom)))


Scores = NDArray[np.float64]


def errors(there: Scores, away: Scores, place: float, above: bool) -> tuple[int, int]:
    """(hits, false alarms) of a threshold."""
    if above:
        return int((there > place).sum()), int((away > place).sum())
    return int((there < place).sum()), int((away < place).sum())
