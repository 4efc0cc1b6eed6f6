"""What is known when the sums of a run are done."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from potluck.api.compare import Comparison
from potluck.api.plan import Plan
from potluck.core.party import Party
from potluck.core.plan import Plan as Spec
from potluck.fl.table import Table
from potluck.fl.tasks import Counted, Trained
from potluck.owner.budget import Budget
from potluck.parties.sums import Log


@dataclass(frozen=True)
class Facts:
    """The JSON and the report are written from these alone.

    spec: the plan as checked, patterns resolved; run: its random name; ledgers: empty without noise;
    comparison: None unless asked for.
    """

    plan: Plan
    spec: Spec
    run: str
    now: datetime
    outcome: Trained | Counted
    log: Log
    tables: Mapping[Party, Table]
    ledgers: Mapping[Party, Budget]
    comparison: Comparison | None
    warnings: list[str]

    def epsilon(self) -> dict[str, float | None]:
        """What this run spent at each owner; None without noise."""
        none: dict[str, float | None] = dict.fromkeys(self.spec.federation.sites, None)
        for site, ledger in self.ledgers.items():
            none[site.name] = spent_by(ledger, self.run)
        return none


def spent_by(ledger: Budget, run: str) -> float:
    """The epsilon that one run spent at one owner."""
    return ledger.spent_by(run)
