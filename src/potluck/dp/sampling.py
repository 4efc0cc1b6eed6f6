"""Who is in a sum, and what that costs: a sampler and its event are one object, so that what is drawn is charged.

`Drawn` is Poisson sampling: every unit is in a sum by a coin of its own, tossed by its site anew for each sum, a redone
one too. Coins are the site's secret randomness, as noise is. No seed of a plan draws: to who knows who was drawn, the
smaller epsilon does not apply. A coin is a uniform whole number below 2^64, compared with the chance rounded down; what
is charged has the chance rounded up.

How many were drawn is private. No message says it: the sum has the length and the noise that it has anyway, also where
nobody was drawn, and it is divided by the public batch. Time does not say it either: units that were not drawn are gone
through like others, and add zero, or all slots of a number that does for any draw are (`core.stages.Drawable`). For
more units than that there is a chance of RARE: then the sum is another one, which costs RARE (1 + e^epsilon) of delta.
What several runs cost together leaves that out: it is less than what floats round there.

**The event.** Let a sum have discrete Gaussian noise of sigma steps, and let a unit that is drawn add whole numbers of
an L2 norm of at most D. It is post-processing of the continuous sampled Gaussian mechanism with noise
sqrt(sigma^2 - 4) over D: to a continuous vector with that noise, apply the randomised rounding to whole numbers that
takes x to k with a chance in proportion to exp(-(k - x)^2 / 8). Gaussians of variances sigma^2 - 4 and 4 add up to one
of sigma^2, and the sums that make probabilities of both, the rounding and the discrete Gaussian, differ from their
integrals by less than two parts in 10^34 (Poisson summation). Whole shifts do not change that, nor do mixtures of them,
which drawn units are. `ROUNDED` is more than this costs in epsilon for each coordinate. A sum of shares costs tau more
for each (`account.shares_slack`).
For the continuous mechanism the worst unit and both directions are known (arXiv 1908.10530), and distributions of
losses compose, whoever chose the next model (dp-accounting).

It hides who was drawn from the server, other sites, whoever they collude with, and readers. NOT from who watches the
site's process, and not from a server that adds the noise itself: it sees the sum before (`check` refuses that).
References: Abadi et al. 2016, arXiv 1607.00133; Mironov, Talwar, Zhang 2019, arXiv 1908.10530; Zhu, Wang 2019,
"Poisson Subsampled Renyi Differential Privacy".
"""

import math
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from potluck.core.asks import Ask
from potluck.core.party import Draw
from potluck.core.stages import RARE, Contribution, Drawable, Update
from potluck.dp.account import calibrate_sampled, shares_slack
from potluck.dp.events import SampledGauss
from potluck.dp.loss import LOOSE, TIGHT

ROUNDED = 1e-33
WIDTH = 2.0
"""The standard deviation of the rounding, in steps."""
FAINTEST = 1e-14
"""Of smaller chances the tails of composed distributions say nothing: they are cut off, and floats round, at 1e-15."""
AT_ONCE = 1 << 17


@dataclass(frozen=True, slots=True)
class Drawn:
    """Each unit is in a sum with the chance batch / of, and costs what `ratio` was reckoned for.

    ratio: of continuous noise over the L2 sensitivity; slack: of one sum, in epsilon, that noise is discrete and of
    shares.
    """

    batch: int
    of: int
    ratio: float
    slack: float

    @property
    def chance(self) -> float:
        """Of a unit, as it is charged."""
        return rate(self.batch, self.of)

    @property
    def charged(self) -> tuple[SampledGauss, float]:
        """What one sum is, and its slack, as `account.Cost` has them."""
        return SampledGauss(self.ratio, self.chance), self.slack

    def sigma(self, sensitivity: float) -> float:
        """The discrete noise, in steps, for units of at most so many steps."""
        return math.hypot(self.ratio * sensitivity, WIDTH) * (1 + 2.0**-50)

    def taken(self, given: Contribution, draw: Draw) -> Contribution:
        """The same units, of which those that are not drawn add zero. Raises ValueError: they cannot be drawn."""

        def coins(count: int) -> NDArray[np.bool_]:
            below = np.uint64((self.batch << 64) // self.of)
            found = np.empty(count, np.bool_)
            for at in range(0, count, AT_ONCE):
                some = found[at : at + AT_ONCE]
                np.less(np.frombuffer(draw(8 * len(some)), "<u8"), below, out=some)
            return found

        if isinstance(given, Update):
            return Update(np.where(coins(len(given.values))[:, None], given.values, 0.0))
        if not isinstance(given, Drawable):
            raise ValueError("the plan draws units, and these are added up before any could be drawn")
        return given.among(coins)


def rate(batch: int, of: int) -> float:
    """The smallest float that is at least batch / of."""
    found = batch / of
    return found if Fraction(found) * of >= batch else math.nextafter(found, math.inf)


def rare(sums: int, epsilon: float) -> float:
    """What it costs of delta that each of so many sums may leave units out, as rarely as RARE says."""
    return sums * RARE * (1 + math.exp(epsilon))


def drawn(ask: Ask, epsilon: float, delta: float, releases: int, shares: int) -> Drawn | None:
    """How a sum draws its units, with the least noise at which `releases` of it cost at most epsilon at delta. None: it
    is of all. shares: how many shares of noise are sure to be in it. Raises ValueError: no noise is known that does.
    """
    if ask.chance is None:
        return None
    if not TIGHT <= epsilon <= LOOSE:
        raise ValueError(f"what drawn rows cost is known between epsilon {TIGHT:g} and {LOOSE:g}")
    batch, of = ask.chance
    if not 0 < batch < of:
        raise ValueError("units are drawn with a chance between 0 and 1")
    slack = sum(block.size for block in ask.blocks) * (shares_slack(shares) + ROUNDED)
    all_of_it, left_out = releases * slack, rare(releases, epsilon)
    if delta - left_out < FAINTEST:
        raise ValueError(f"what drawn rows cost is known from a delta of {FAINTEST:g} on")
    ratio = calibrate_sampled(
        epsilon - all_of_it, delta * math.exp(-all_of_it / 2) - left_out, releases, rate(batch, of)
    )
    return Drawn(batch, of, ratio, slack)
