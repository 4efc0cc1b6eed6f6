"""What several runs cost together: their events composed, at a delta that the owner chooses.

A run is kept as the zero-concentrated loss of its events (arXiv 1605.02065), which adds up over runs. A bound on the
sum of losses holds for plans that were chosen in view of earlier results too (Renyi filters: arXiv 2008.11193,
2103.01379); for privacy loss distributions no such filter is known. Conversion: arXiv 2004.00010, proposition 12.

- Sums of drawn units have no rho that holds at all orders. Beside them everything is added up at one order, which
  follows from the cap (`renyi`); without a cap at the best of `renyi.ORDERS`.
- A sum of shares is not quite a discrete Gaussian. Sums over several coordinates carry the term of arXiv 2102.06387 in
  their zCDP. One-coordinate sums are within a factor exp(slack / 2) of a discrete Gaussian, and slacks add up.
- Rows are either trained on or tested on, so of one run the dearer phase counts for rows; for persons and sites both.
- Banded sums of one run cost together what `banded` says, which depends on which of them were taken.
- Runs of different units come to a figure for the finest unit among them. To take a row from a person's rows replaces
  that person's contribution, which moves a sum up to twice as far as to remove it: four times rho, twice the slack.
- One run alone counts as its plan was accounted (`account.spent`) where that is less. Its sums are fixed beforehand,
  all but how many of them are taken: at most `Cost.releases`, and so many are reckoned with. To stop early loses less.
  Who stops early and asks for other runs gains nothing: from the second run on a filter bounds all of them, all are
  Gaussian, and where the plan exceeds the filter, the filter leaves less rho than the plan had (arXiv 2210.17520).
- That argument is about Gaussian sums. So where any units are drawn, a phase whose distributions are composed counts
  with all sums that its plan paid for. If the first run alone exceeds the filter, no other follows, and its
  distribution bounds all there is; else the filter does. Which of them is fixed before anything is released.
- Between a person and one of its rows, units count as if each were in every sum: coins do not help there as much.

It does NOT promise a bound where there is no cap: a figure that is looked at after the fact holds for plans that were
fixed beforehand. Persons that plans take from different columns are composed as if the columns said the same.
"""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from msgspec.structs import replace as replace_event

from potluck.core.asks import Kind
from potluck.core.plan import Unit
from potluck.dp.account import Cost, spent
from potluck.dp.banded import joined
from potluck.dp.events import Banded, Concentrated, SampledGauss, rho, zcdp
from potluck.dp.loss import epsilon
from potluck.dp.renyi import ORDERS, Moments, divergence, epsilon_at, moments, order

FINEST: tuple[Unit, ...] = ("row", "person", "site")


@dataclass(frozen=True, slots=True)
class Loss:
    """rho: of zCDP; slack: as in the module's words; rest: the rho of sums that plans paid for and that were not taken,
    which counts beside drawn units; moments: of sums of drawn units; undrawn: their rho, were each unit in every sum.
    All add up over runs."""

    rho: float = 0.0
    slack: float = 0.0
    rest: float = 0.0
    moments: Moments = ()
    undrawn: float = 0.0

    def __add__(self, other: "Loss") -> "Loss":
        return total((self, other))

    def replaced(self) -> "Loss":
        """The loss of a unit whose contribution is replaced, not removed."""
        if not self.moments:
            return Loss(4 * self.rho, 2 * self.slack, 4 * self.rest)
        return Loss(4 * (self.rho + self.rest + self.undrawn), 2 * self.slack)

    def epsilon(self, delta: float, cap: float | None = None) -> float:
        """The epsilon at `delta`. cap: what it is compared with."""
        at = delta * math.exp(-self.slack / 2)
        if self.moments and at > 0:
            orders = ORDERS if cap is None or not 0 < cap < math.inf else (order(cap, delta),)
            return max(0.0, min(epsilon_at(one, self.divergence(one), at) for one in orders)) + self.slack
        if self.rho == 0:
            return self.slack
        if not math.isfinite(self.rho):
            return math.inf
        return epsilon([Concentrated(self.rho)], at, "rdp") + self.slack if at > 0 else math.inf

    def divergence(self, at: float) -> float:
        """Of an order, at most, where units are drawn."""
        return at * (self.rho + self.rest) + min(divergence(self.moments, at), at * self.undrawn)


NOTHING = Loss()


def total(losses: Sequence[Loss]) -> Loss:
    """Of several runs: exact but for the last rounding; inf where there is no such number."""
    drawn = [one.moments for one in losses if one.moments]
    return Loss(
        _sum([one.rho for one in losses]),
        _sum([one.slack for one in losses]),
        _sum([one.rest for one in losses]),
        tuple(_sum(list(each)) for each in zip(*drawn, strict=True)),
        _sum([one.undrawn for one in losses]),
    )


def _sum(values: list[float]) -> float:
    try:
        found = math.fsum(values)
    except (OverflowError, ValueError):
        return math.inf
    return math.inf if math.isnan(found) else found


@dataclass(frozen=True, slots=True)
class RunCosts:
    """What one run charged, or would: each cost and how often. delta: the run's own."""

    unit: Unit
    delta: float
    costs: Mapping[Cost, int] = field(default_factory=dict)

    def loss(self) -> Loss:
        """What one unit lost by this run."""
        phases = [self._lost(kind) for kind in Kind]
        apart = self.unit == "row" and not any(cost.phase is Kind.STATISTICS for cost in self.costs)
        if not apart:
            return total(phases)
        slack = math.fsum(one.slack for one in phases)
        if not any(one.moments for one in phases):
            return replace(max(phases, key=lambda one: one.rho), slack=slack, rest=max(one.rest for one in phases))
        # A row is in one phase. Which is dearer may depend on the order.
        dearest = tuple(max((at - 1) * one.divergence(at) for one in phases) for at in ORDERS)
        return Loss(0.0, slack, 0.0, dearest, max(one.rho + one.rest + one.undrawn for one in phases))

    def alone(self, delta: float) -> float:
        """The epsilon at `delta` of this run where there is no other; inf where its own accounting does not say.

        The distributions of one-coordinate losses are composed for a number of sums that is known beforehand, whoever
        chose to stop and why: each phase that has begun counts with all sums that its plan paid for. A phase of two
        kinds of such sums is none of a plan's.
        """
        counted = Counter(cost.phase for cost in self.costs if cost.counted)
        if self.delta > delta or any(kinds > 1 for kinds in counted.values()):
            return math.inf
        whole = {cost: max(count, cost.releases) if cost.counted else count for cost, count in self.costs.items()}
        return spent(list(Counter(whole).elements()), self.delta)

    def composed(self, delta: float) -> float:
        """The epsilon at `delta` of this run where there is no other."""
        return together((self,), delta)

    def _lost(self, kind: Kind) -> Loss:
        costs = {cost: count for cost, count in self.costs.items() if cost.phase is kind}
        of = [replace_event(one.event, count=many * one.event.count) for one, many in costs.items() if _banded(one)]
        apart = [_lost(cost, many) for cost, many in costs.items() if not _banded(cost)]
        return total([*apart, *(Loss(zcdp(event)) for event in joined(of))])


def _banded(cost: Cost) -> bool:
    """Whether what it costs follows from which sums of its run were taken."""
    return isinstance(cost.event, Banded)


def _lost(cost: Cost, count: int) -> Loss:
    """By so many sums."""
    whole = max(count, cost.releases) if cost.counted else count
    if isinstance(cost.event, SampledGauss):
        of = replace_event(cost.event, count=whole * cost.event.count)
        return Loss(0.0, whole * cost.slack, 0.0, moments(of), of.count * rho(of.sigma))
    each = zcdp(cost.event)
    return Loss(count * each, count * cost.slack, (whole - count) * each if whole > count else 0.0)


def together(runs: Sequence[RunCosts], delta: float) -> float:
    """The epsilon at `delta` of these runs, where there are no others."""
    losses = {unit: total([one.loss() for one in runs if one.unit == unit]) for unit in FINEST}
    return composed(losses, delta, runs[0] if len(runs) == 1 else None)


def composed(
    losses: Mapping[Unit, Loss], delta: float, only: RunCosts | None = None, cap: float | None = None
) -> float:
    """The epsilon at `delta` of all runs, for the finest unit among them. losses: of the runs of each unit, added up.

    only: the run, where it is a single one; cap: what the figure is compared with, so that the comparison holds for
    runs that are chosen in view of earlier ones.
    """
    charged = [unit for unit in FINEST if losses.get(unit, NOTHING) != NOTHING]
    if not charged:
        return 0.0
    whole = losses[charged[0]]
    for unit in charged[1:]:
        whole += losses[unit].replaced()
    together = whole.epsilon(delta, cap)
    return together if only is None else min(together, only.alone(delta))
