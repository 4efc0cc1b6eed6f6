"""What is known when the sums of a run are done."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from potluck.api.plan.plan import Plan
from potluck.core.plan import Plan as Spec
from potluck.dp.account import NEIGHBOURS
from potluck.drivers.sums import Log
from potluck.owner.budget import Budget
from potluck.owner.policy import DELTA
from potluck.report import details
from potluck.tasks.here import Beside, Outcome


@dataclass(frozen=True)
class Facts:
    """The JSON and the report are written from these alone.

    spec: the plan as checked, patterns resolved; spent: by site what this run cost, None without
    noise; budgets: the owners' ledgers, where they are here; beside: what it is compared with, where asked for;
    network: across machines; tries: by round number the causes of the tries before it; stamp: words that must stand
    beside the results, of what does not protect them.
    """

    plan: Plan
    spec: Spec
    now: datetime
    outcome: Outcome
    log: Log
    spent: Mapping[str, float | None]
    warnings: list[str]
    budgets: tuple[details.Budget, ...] = ()
    beside: Beside = None
    network: details.Network | None = None
    tries: Mapping[int, tuple[str, ...]] = field(default_factory=dict)
    stamp: str = ""


def budget_of(site: str, ledger: Budget, spec: Spec, run: str) -> details.Budget:
    """One owner's ledger as the report shows it."""
    return details.Budget(
        site=site,
        spent=ledger.spent(),
        spent_delta=ledger.delta(),
        composed=ledger.composed(),
        composed_delta=DELTA,
        delta=spec.privacy.delta or 0.0,
        unit=spec.privacy.unit or "row",
        neighbours=NEIGHBOURS,
        run_epsilon=ledger.spent_by(run),
        course=ledger.course(run),
        history=tuple(details.Spend(run=h.run, plan=h.plan, epsilon=h.epsilon) for h in ledger.history()),
    )
