"""Renyi divergences of sums of drawn units, by which they compose with other runs.

Of order a a divergence D(a) adds up over releases, whoever chose the next one in view of those before, where the order
was fixed beforehand (Renyi filters: arXiv 2008.11193, 2103.01379). Of Gaussian sums it is rho a, so that a bound on
rho bounds every order at once. Of drawn units it grows slowly up to an order and then as if all were in the sum, so
that no rho says it.
What is kept of them is (n - 1) D(n) at some whole orders, where it is exact (arXiv 1908.10530, section 3.3). Between
two of them the straight line is above: (a - 1) D(a) is the logarithm of a moment, which is convex in a, and 0 at 1.
Beyond the last, and wherever it is less, D(a) is at most what it is without drawing.

A cap has one order, `order`: the one at which a bound on rho reaches the cap. So Gaussian sums alone pass it exactly
where they did, and drawn ones are added to them there.
"""

import math
from bisect import bisect_left
from functools import lru_cache

from potluck.dp.events import SampledGauss

ORDERS = (*range(2, 65), *range(72, 129, 8), *range(144, 257, 16), *range(288, 513, 32))
DENSE = tuple(1 + 10 ** (power / 64) for power in range(-120, 400))
"""Where divergences are linear in the order: dense and wide."""
Moments = tuple[float, ...]
"""(n - 1) D(n) for each n of ORDERS; empty: 0."""


@lru_cache(maxsize=1024)
def moments(event: SampledGauss) -> Moments:
    """Of `event.count` releases."""
    import dp_accounting
    from dp_accounting.rdp import RdpAccountant

    accountant = RdpAccountant(ORDERS)
    once = dp_accounting.PoissonSampledDpEvent(event.rate, dp_accounting.GaussianDpEvent(event.sigma))
    accountant.compose(once, event.count)
    return tuple((n - 1) * float(found) for n, found in zip(ORDERS, accountant.rdp, strict=True))


def lost(event: SampledGauss, delta: float) -> float:
    """The epsilon at `delta` of `event.count` releases, by the best whole order."""
    found = moments(event)
    return max(0.0, min(epsilon_at(n, each / (n - 1), delta) for n, each in zip(ORDERS, found, strict=True)))


def divergence(of: Moments, at: float) -> float:
    """D(at) at most, for an order above 1."""
    if not of:
        return 0.0
    if at > ORDERS[-1]:
        return math.inf
    place = bisect_left(ORDERS, at)
    right, above = ORDERS[place], of[place]
    left, below = (ORDERS[place - 1], of[place - 1]) if place else (1, 0.0)
    if math.isinf(above):
        return math.inf
    return float((below + (above - below) * (at - left) / (right - left)) / (at - 1))


def epsilon_at(at: float, diverges: float, delta: float) -> float:
    """The epsilon of a divergence of that order (arXiv 2004.00010, proposition 12); negative ones too."""
    return diverges + math.log1p(-1 / at) - math.log(delta * at) / (at - 1)


@lru_cache(maxsize=1024)
def order(cap: float, delta: float) -> float:
    """The order at which a cap bounds drawn units and all else together: of those that `loss` tries for Gaussian sums
    the one that lets most rho pass."""
    return max(DENSE, key=lambda at: (cap - epsilon_at(at, 0.0, delta)) / at)
