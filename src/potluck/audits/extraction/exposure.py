"""Exposure: how much of a secret a model gives away, in bits, and what of it an epsilon allows.

A secret is drawn from a space of many, and rows like it from the same space were never trained on. All are ranked by
the loss that the released model has of them. A model that knows nothing of the secret ranks it anywhere: each place is
as likely. One that ranks it first among n of its kind gives away log2(n) bits, all that there are.

What differential privacy says of it: a secret is among the first k with the chance e^epsilon k / n + delta at most,
since a model without it ranks it there with the chance k / n. The mean of t independent numbers from 0 to 1, each of
which is q on average at most, is x or more with the chance exp(-t KL(x, q)) at most. So the share of secrets that come
early bounds epsilon from below. Secrets of one run are not independent: runs are, and their shares are the numbers.
References: Carlini et al. 2019, arXiv 1802.08232, definition 3 (exposure); Hoeffding 1963, theorem 1 (the bound).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from potluck.core.seeded import Generator
from potluck.core.stages import Floats

FAR = 1e-3
"""How often a model that knows no secret would be said to give some away."""


def place(secret: float, others: Floats, rng: Generator) -> int:
    """The rank of a secret's loss among those of others and itself, from 1; of equals each is as likely."""
    below, equal = int((others < secret).sum()), int((others == secret).sum())
    return 1 + below + int(rng.integers(equal + 1))


def chance(many: int) -> float:
    """The exposure on average of a secret of which nothing is known, in bits: 1.44 where they are many."""
    return math.log2(many) - float(np.log2(np.arange(1, many + 1)).mean())


@dataclass(frozen=True, slots=True)
class Exposed:
    """Ranks [runs][secrets], from 1, each of `many`."""

    ranks: Sequence[Sequence[int]]
    many: int

    @property
    def bits(self) -> float:
        """The mean exposure."""
        return math.log2(self.many) - float(np.mean([np.log2(one).mean() for one in self.ranks]))

    def among(self, top: int) -> float:
        """The share of secrets that are among so many first."""
        return float(np.mean([np.mean(np.array(one) <= top) for one in self.ranks]))

    @property
    def told(self) -> bool:
        """Whether secrets come so early that a model without them would rank them so once in 1 / FAR. Of uniform ranks
        -ln(rank / many) is at most exponential, and the sum of k has a gamma distribution."""
        each = [one for run in self.ranks for one in run]
        return float(stats.gamma.sf(-np.log(np.array(each) / self.many).sum(), len(each))) < FAR

    def epsilon(self, delta: float, level: float) -> float:
        """The largest epsilon at delta that the ranks of independent runs refute at a level: by the secrets among the
        first 1, 4, 16 and so on, each of which is paid for."""
        tops = [4**power for power in range(math.ceil(math.log(self.many, 4)))]
        each = level / len(tops)
        return max(refuted(self.among(top), len(self.ranks), top / self.many, delta, each) for top in tops)


def refuted(share: float, runs: int, part: float, delta: float, level: float) -> float:
    """The same of the share of secrets that are in the first part of all places."""
    low, high = 0.0, -math.log(part)
    if _unlikely(share, part + delta, runs) > level:
        return 0.0
    while high - low > 1e-6:
        middle = (low + high) / 2
        allowed = min(1.0, math.exp(middle) * part + delta)
        low, high = (middle, high) if _unlikely(share, allowed, runs) <= level else (low, middle)
    return low


def _unlikely(mean: float, most: float, runs: int) -> float:
    """How likely a mean of so many numbers from 0 to 1 is, or a larger one, whose expectation is `most` at most."""
    if mean <= most:
        return 1.0
    rest = (1 - mean) * math.log((1 - mean) / (1 - most)) if mean < 1 else 0.0
    return math.exp(-runs * (mean * math.log(mean / most) + rest))
