"""The accountant: the smallest noise that keeps a promise, what one noised sum costs, and what several come to.

Gaussian sums of several coordinates are accounted by zero-concentrated DP (discrete Gaussian: arXiv 2004.00010,
theorem 4); a sum of discrete Gaussians adds the term of arXiv 2102.06387 (proposition 14). Where one unit moves ONE
whole-numbered coordinate, the loss distribution of the discrete Gaussian itself is tighter.
Costs are stored at the GUARANTEED noise (fewest survivors, most collusion), never at what the survivors happened to
give, and a site pays in full for what left it, whatever became of the round.
It does NOT promise anything about replaced rows: the neighbouring relation is add-or-remove-one throughout.
"""

import math
from collections import Counter
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Literal

import msgspec

from potluck.core.asks import Kind
from potluck.core.plan import Plan, Unit
from potluck.dp.banded import joined
from potluck.dp.events import Banded, Concentrated, DiscreteGauss, Event, SampledGauss, rho
from potluck.dp.loss import LOOSE, NEIGHBOURS, Method, epsilon
from potluck.dp.renyi import lost

__all__ = ["NEIGHBOURS", "Cost", "calibrate", "calibrate_sampled", "calibrate_steps", "epsilon", "promise", "spent"]

DIGITS = 21
"""Calibrated noise is rounded up to so many bits, so that all parties derive the same one."""
DIGITS_PLD = 16
"""The same where every look costs a convolution."""
DIGITS_SAMPLED = 12
"""The same where it costs a thousand of them: a part in 2,000 of the noise at most."""
FINEST_SHARE = 4.0
"""Every share of noise has a sigma of at least so many grid steps."""


def shares_slack(shares: int, sigma: float = FINEST_SHARE) -> float:
    """tau of arXiv 2102.06387 for a sum of `shares` discrete Gaussians of at least `sigma` steps each."""
    terms = (math.exp(-2 * math.pi**2 * sigma**2 * k / (k + 1)) for k in range(1, shares))
    return 10 * math.fsum(terms)


@lru_cache(maxsize=4096)
def calibrate(target: float, delta: float, releases: int, extra: float = 0.0) -> float:
    """The smallest noise over L2 sensitivity at which `releases` Gaussian sums cost at most `target` at `delta`.

    extra: what each sum's noise adds to (1 / sigma)^2 for being a sum of shares. Raises ValueError: no noise does.
    """

    def cost(sigma: float) -> float:
        return epsilon([Concentrated(rho(sigma, extra), releases)], delta, "rdp")

    return _smallest(cost, target, 1.0, DIGITS)


@lru_cache(maxsize=4096)
def calibrate_steps(target: float, delta: float, releases: int, sensitivity: int, enough: float) -> float:
    """As `calibrate` for one whole-numbered coordinate a unit: the smallest noise, in steps, of the discrete Gaussian.

    sensitivity: steps; enough: noise in steps that is known to do (the search starts there).
    """

    def cost(sigma: float) -> float:
        return epsilon([DiscreteGauss(sigma, sensitivity, releases)], delta, "pld")

    return _smallest(cost, target, enough, DIGITS_PLD)


@lru_cache(maxsize=4096)
def calibrate_sampled(target: float, delta: float, releases: int, rate: float) -> float:
    """The smallest noise over L2 sensitivity at which `releases` sums cost at most `target` at `delta`, where each is
    of units that are drawn for it in secret, by themselves, with the chance `rate`. Of continuous noise.

    Renyi divergences at whole orders bound it from above; the loss distribution is tighter by some per cent, and slow
    where noise is far too small. So the search begins at that bound. Raises ValueError: no noise does.
    """

    def bound(sigma: float) -> float:
        return lost(SampledGauss(sigma, rate, releases), delta)

    def cost(sigma: float) -> float:
        return epsilon([SampledGauss(sigma, rate, releases)], delta, "pld")

    least = calibrate(LOOSE, delta, 1)
    return _smallest(cost, target, _smallest(bound, target, 1.0, DIGITS_SAMPLED, least), DIGITS_SAMPLED, least)


def _smallest(cost: Callable[[float], float], target: float, start: float, digits: int, least: float = 0.0) -> float:
    """The smallest argument of a falling function, from `least` on, whose value is at most `target`, rounded up to
    `digits` bits.

    What is returned was checked itself: on a grid of losses the cost need not fall smoothly.
    """
    least = _round_up(least, digits) if least else least
    low, high = (max(least, _round_up(one, digits)) for one in (0.75 * start, start))
    above, below = cost(low), cost(high)
    for _ in range(1024):
        if below <= target < above:
            break
        if below > target:
            low, above, high = high, below, 2 * high
            below = cost(high)
        elif low == least:
            return low
        else:
            low, high, below = max(least, low / 2), low, above
            above = cost(low)
    else:
        raise ValueError("no noise is enough for this epsilon and delta")
    for turn in range(1024):
        # Cost is nearly proportional to 1 / noise; every fourth look halves what is left, whatever the cost's shape.
        half = turn % 4 == 3 or below == 0
        part = 0.5 if half else (1 / target - 1 / above) / (1 / below - 1 / above)
        step = _unit(high, digits)
        middle = min(_round_up(low + part * (high - low), digits), high - step)
        if middle <= low:
            break
        if (found := cost(middle)) <= target:
            high, below = middle, found
        else:
            low, above = middle, found
    return high


def _unit(value: float, digits: int) -> float:
    return 2.0 ** (math.frexp(value)[1] - digits)


def _round_up(value: float, digits: int) -> float:
    return math.ceil(value / _unit(value, digits)) * _unit(value, digits)


class Cost(msgspec.Struct, frozen=True, array_like=True):
    """One noised sum, as the ledger keeps it.

    phase, unit, word: which sum, whose contribution is hidden, where the noise is added.
    event: what it was, once. slack: what it costs on top, in epsilon, that the noise is a sum of shares and the event's
    distribution is that of one (0 where the event reckons with it).
    delta: the share of the plan's delta that this phase has; releases: how many sums of this phase were planned.
    """

    version: Literal[2]
    phase: Kind
    unit: Unit
    neighbours: Literal["add-or-remove-one"]
    word: Literal["site", "shared", "reveal"]
    event: Event
    slack: float
    delta: float
    releases: int

    @property
    def counted(self) -> bool:
        """Whether its distribution is composed, for a number of sums that is known beforehand; else its zCDP, sum by
        sum."""
        return not isinstance(self.event, Concentrated | Banded)


class CostOfOneKind(msgspec.Struct, frozen=True, array_like=True):
    """A cost as ledgers kept it before events: Gaussian sums alone.

    sensitivity, sigma: of the sum, in the same unit; with `single` both are grid steps and one unit moves one
    coordinate. extra: what it costs that the noise is a sum of shares, added to (sensitivity / sigma)^2, with
    `single` to epsilon.
    """

    version: Literal[1]
    phase: Kind
    unit: Unit
    neighbours: Literal["add-or-remove-one"]
    word: Literal["site", "shared", "reveal"]
    single: bool
    sensitivity: float
    sigma: float
    extra: float
    delta: float
    releases: int

    def today(self) -> Cost:
        """The same cost as ledgers keep it now."""
        event, slack = event_of(self.sigma, self.sensitivity, self.extra, self.single)
        return Cost(2, self.phase, self.unit, self.neighbours, self.word, event, slack, self.delta, self.releases)


def event_of(sigma: float, sensitivity: float, extra: float, single: bool) -> tuple[Event, float]:
    """(event, slack) of one Gaussian sum, as in `CostOfOneKind`."""
    if single:
        return DiscreteGauss(sigma, int(sensitivity)), extra
    return Concentrated(rho(sigma / sensitivity, extra)), 0.0


def spent(costs: Sequence[Cost], delta: float) -> float:
    """The epsilon, at `delta`, of the sums that one site took part in during one run.

    Composition within a phase. Training and evaluation see disjoint rows, so for rows the dearer of the two counts;
    for persons and sites they add up, each at its own share of delta.
    Raises ValueError: costs of different units, or of more than `delta`.
    """
    if len({cost.unit for cost in costs}) > 1:
        raise ValueError("costs of different units do not add up")
    phases = [_phase([cost for cost in costs if cost.phase is kind]) for kind in Kind]
    apart = bool(costs) and costs[0].unit == "row" and not any(cost.phase is Kind.STATISTICS for cost in costs)
    together = max if apart else math.fsum
    if together(share for _, share in phases) > delta * (1 + 1e-9):
        raise ValueError("the costs were charged at a larger delta")
    return float(together(loss for loss, _ in phases))


def _phase(costs: Sequence[Cost]) -> tuple[float, float]:
    """(epsilon, delta) of one phase's sums."""
    if not costs:
        return 0.0, 0.0
    delta = max(cost.delta for cost in costs)
    slack = math.fsum(cost.slack for cost in costs)
    events = [
        msgspec.structs.replace(cost.event, count=count * cost.event.count) for cost, count in Counter(costs).items()
    ]
    by: Method = "pld" if all(cost.counted for cost in costs) else "rdp"
    loss = epsilon(joined(events), delta * math.exp(-slack / 2), by)
    return loss + slack, delta


def promise(plan: Plan) -> float | None:
    """The most that a full run of the plan spends at an owner (None without noise): less where no round is redone."""
    return plan.privacy.epsilon if plan.noisy else None
