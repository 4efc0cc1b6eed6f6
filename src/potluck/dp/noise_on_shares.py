"""Noise inside a computation among parties: how much each draws, so that no one of them can do without.

A fit in secret takes `rounds` steps; each sums the clipped gradients of rows and adds the noise of all who compute,
before anything else is made of the sum. That is the Gaussian mechanism of `learning.training.gradient`, composed
`rounds` times. All that follows a sum, the next step's weights among it, is made of noised sums alone. Only the last
weights are opened, which tells no more than all of them would.

Of n parties one may know its own noise and draw none: those of the n - 1 others have a variance of sigma^2 / (n - 1)
each and make the promise by themselves. So all together add up to n / (n - 1) sigma^2: with three, 1.5 sigma^2. Sums
of discrete Gaussians: arXiv 2102.06387, proposition 14.

The sensitivity is the clip, and a slack for the engine's fixed point, in steps u = 2^-18 (`SLACK` sqrt(width) u): a
residual's bound is clip / |row| plus 2 u (the clip as encoded, and its product), the residual beyond that by u (a
product by 0 or 1), and a row is at most sqrt(width) long: 3 sqrt(width) u. Each coordinate's sum is cut to the grid
once, by less than u either way, so two neighbouring sums differ by less than 2 u more in each: 2 sqrt(width) u. That is
5; SLACK is 6. Where the cut is random, its worst pair of outcomes is reckoned with. The sigmoid is the library's,
and may be wrong: what is clipped is what came of it.

It does NOT hide which rows all owners have, nor anything from two who compute. Neighbours: add or remove one row, that
is: whether what a row holds is counted or not.
"""

import math
from dataclasses import dataclass

from potluck.core.asks import Kind
from potluck.core.errors import PlanError
from potluck.core.plan import Plan, required
from potluck.dp.account import FINEST_SHARE, NEIGHBOURS, Cost, calibrate, shares_slack
from potluck.dp.calibration import least_share, target
from potluck.dp.events import Concentrated, rho

UNIT = 2.0**-18
"""The step of the engine's reals."""
SLACK = 6
"""Steps, for each square root of a coordinate."""
ROUNDED = 2.0**-40
"""More than what floats can get wrong about the sensitivity."""


@dataclass(frozen=True, slots=True)
class Inside:
    """sigma: guaranteed, whatever one party does; share: of one party, both in steps of 2^-18; cost: of a whole fit."""

    sigma: float
    share: float
    cost: Cost


def inside(plan: Plan, width: int) -> Inside:
    """The noise of a plan's gradient steps over `width` coefficients. Raises PlanError: it cannot be kept."""
    epsilon, delta = target(plan, Kind.FIT)
    clip, spec = required(plan.privacy.clip), required(plan.training)
    tries, sure = 1 + plan.privacy.redo, len(plan.compute) - 1
    extra = shares_slack(sure) * width / 2
    try:
        ratio = calibrate(epsilon, delta, spec.rounds * tries, extra)
    except ValueError as error:
        raise PlanError(str(error), where="privacy.epsilon", hint="raise epsilon or delta") from None
    sigma = ratio * sensitivity(clip, width) / UNIT
    share = least_share(sigma, sure)
    if share < FINEST_SHARE:
        what = "the noise is too fine for the steps of 2^-18 of the computation"
        raise PlanError(what, where="privacy.clip", hint="raise privacy.clip, or lower privacy.epsilon")
    # One fit is `rounds` sums: their zCDP adds up, which one sum with so much less noise has too.
    event = Concentrated(rho(ratio / math.sqrt(spec.rounds), extra * spec.rounds))
    whole = Cost(2, Kind.FIT, required(plan.privacy.unit), NEIGHBOURS, "reveal", event, 0.0, delta, tries)
    return Inside(sigma, share, whole)


def sensitivity(clip: float, width: int) -> float:
    """How much one row moves a sum of `width` coordinates at most, in L2."""
    return (clip + SLACK * math.sqrt(width) * UNIT) * (1 + ROUNDED)
