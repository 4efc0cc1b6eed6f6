"""What several runs cost together: their events composed, at a delta that the owner chooses.

A run is kept as the zero-concentrated loss of its events (arXiv 1605.02065), which adds up over runs. A bound on the
sum of losses holds for plans that were chosen in view of earlier results too (Renyi filters: arXiv 2008.11193,
2103.01379); for privacy loss distributions no such filter is known. Conversion: arXiv 2004.00010, proposition 12.

- A sum of shares is not quite a discrete Gaussian. Sums over several coordinates carry the term of arXiv 2102.06387 in
  their zCDP. One-coordinate sums are within a factor exp(slack / 2) of a discrete Gaussian, and slacks add up.
- Rows are either trained on or tested on, so of one run the dearer phase counts for rows; for persons and sites both.
- Runs of different units come to a figure for the finest unit among them. To take a row from a person's rows replaces
  that person's contribution, which moves a sum up to twice as far as to remove it: four times rho, twice the slack.
- One run alone counts as its plan was accounted (`account.spent`) where that is less. Its sums are fixed beforehand,
  all but how many of them are taken: at most `Cost.releases`, and so many are reckoned with. To stop early loses less.
  Who stops early and asks for other runs gains nothing: from the second run on a filter bounds all of them, all are
  Gaussian, and where the plan exceeds the filter, the filter leaves less rho than the plan had (arXiv 2210.17520).

It does NOT promise a bound where there is no cap: a figure that is looked at after the fact holds for plans that were
fixed beforehand. Persons that plans take from different columns are composed as if the columns said the same.
"""

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from potluck.core.asks import Kind
from potluck.core.plan import Unit
from potluck.dp.account import Cost, spent
from potluck.dp.events import Concentrated, zcdp
from potluck.dp.loss import epsilon

FINEST: tuple[Unit, ...] = ("row", "person", "site")


@dataclass(frozen=True, slots=True)
class Loss:
    """rho: of zCDP; slack: as in the module's words. Both add up over runs."""

    rho: float = 0.0
    slack: float = 0.0

    def __add__(self, other: "Loss") -> "Loss":
        return Loss(self.rho + other.rho, self.slack + other.slack)

    def replaced(self) -> "Loss":
        """The loss of a unit whose contribution is replaced, not removed."""
        return Loss(4 * self.rho, 2 * self.slack)

    def epsilon(self, delta: float) -> float:
        """The epsilon at `delta`."""
        if self.rho == 0:
            return self.slack
        if not math.isfinite(self.rho):
            return math.inf
        at = delta * math.exp(-self.slack / 2)
        return epsilon([Concentrated(self.rho)], at, "rdp") + self.slack if at > 0 else math.inf


NOTHING = Loss()


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
        dearest = max(phases, key=lambda one: one.rho)
        return Loss(
            dearest.rho if apart else math.fsum(one.rho for one in phases), math.fsum(one.slack for one in phases)
        )

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
        return composed({self.unit: self.loss()}, delta, self)

    def _lost(self, kind: Kind) -> Loss:
        of = [(cost, count) for cost, count in self.costs.items() if cost.phase is kind]
        return Loss(
            math.fsum(count * zcdp(one.event) for one, count in of), math.fsum(count * one.slack for one, count in of)
        )


def composed(losses: Mapping[Unit, Loss], delta: float, only: RunCosts | None = None) -> float:
    """The epsilon at `delta` of all runs, for the finest unit among them. losses: of the runs of each unit, added up.

    only: the run, where it is a single one.
    """
    charged = [unit for unit in FINEST if losses.get(unit, NOTHING) != NOTHING]
    if not charged:
        return 0.0
    whole = losses[charged[0]]
    for unit in charged[1:]:
        whole += losses[unit].replaced()
    together = whole.epsilon(delta)
    return together if only is None else min(together, only.alone(delta))
