"""What one honest site adds to a sum at most, in whole steps: what a protection may hold every site to.

Without noise at the site it is exact. With it, an honest site stays within with probability 1 - 2^-40 a sum: a discrete
Gaussian has no heavier tails than the continuous one (its moment generating functions, of x and of x^2, are at most
those of the normal law), so for d words, p parts and x = 41 ln 2 plus the logarithm of how many events there are,

- |noise| <= sigma sqrt(2 x) in every word (Chernoff, union over 2 d events);
- |noise|_2 <= sigma (sqrt(d) + sqrt(2 x)) in every part (Laurent and Massart, Annals of Statistics 2000, lemma 1).

It does NOT bound what rows within their range can do: a site may hold as many as the plan allows, and make them up.
"""

import math

from potluck.core.asks import Ask
from potluck.core.errors import PlanError
from potluck.core.plan import Plan
from potluck.core.rounds import Limit
from potluck.core.stages import GridBlock
from potluck.dp.mechanism import Bound, Noised

BITS = 41
"""An honest site is beyond a bound, and beyond a norm, with probability 2^-41 each."""
MOST = (1 << 62) - 1
"""The largest bound that can be checked in a ring of 2^64."""


def limits(plan: Plan, ask: Ask, privacy: Bound) -> tuple[Limit, ...]:
    """Of each part of the sum: the bound of a word and, with unit = "site", the part's L2 norm.

    Raises PlanError: it is beyond what can be checked (which no grid of a plan that holds is).
    """
    grid, sites = privacy.grid, len(plan.federation.sites)
    found = []
    for index, (part, block) in enumerate(zip(grid.parts, ask.blocks, strict=True)):
        if not part.size:
            continue
        units = -(-block.units // sites)
        if isinstance(privacy, Noised):
            limit = _noised(plan, privacy, index, part, units, grid.length)
        else:
            limit = Limit(part.size, units * math.floor(privacy.limit.high[index] / part.step))
        if max(limit.bound, limit.norm) > MOST:
            raise PlanError(f"what a site adds to {part.name} is too large to be checked", hint="lower data.max_rows")
        found.append(limit)
    return tuple(found)


def _noised(plan: Plan, privacy: Noised, index: int, part: GridBlock, units: int, length: int) -> Limit:
    """One unit is within its clip in every word; noise comes on top where the site adds it."""
    clip = privacy.limit.l2[index] / part.step
    sigma = 0.0 if privacy.word == "reveal" else privacy.share[index]
    words = units * math.floor(clip) + _up(sigma * math.sqrt(2 * _nats(2 * length)))
    if plan.privacy.unit != "site":
        return Limit(part.size, words)
    noise = sigma * (math.sqrt(part.size) + math.sqrt(2 * _nats(len(privacy.grid.parts))))
    return Limit(part.size, words, max(1, math.ceil(units * clip) + _up(noise)))


def _nats(events: int) -> float:
    return BITS * math.log(2) + math.log(events)


def _up(value: float) -> int:
    """The next whole number, floats being right to less than a part in 2^40."""
    return math.ceil(value * (1 + 2.0**-40))
