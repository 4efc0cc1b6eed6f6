"""What an owner's runs come to, composed: as they stand, and with all of a plan's run."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from potluck.core.errors import PlanError
from potluck.core.plan import Plan as Spec
from potluck.owner.budget import YEAR, Budget
from potluck.owner.policy import DELTA
from potluck.parties.costs import planned


@dataclass(frozen=True)
class Composed:
    """Epsilons at `delta`. now: of the runs charged; then: with all of a plan's run (None: no plan, no noise)."""

    now: float = 0.0
    then: float | None = None
    delta: float = DELTA

    def document(self) -> Mapping[str, object]:
        """Its part of the JSON."""
        return {"composed": self.now, "composed_delta": self.delta, "would_compose": self.then}


def composed(
    ledger: Path, delta: float = DELTA, plan: Spec | None = None, run: str = "", yearly: bool = False
) -> Composed:
    """By the ledger in a file, which need not be there yet. run: the one that would be the plan's; yearly: of the last
    year's runs, not of all."""
    try:
        whole = None if plan is None else planned(plan)
    except PlanError:
        whole = None  # nobody can run it: the site says so when it is asked
    if not ledger.exists():
        alone = None if whole is None else whole.composed(delta)
        return Composed(0.0, alone, delta)
    with Budget(ledger, delta=delta) as opened:
        since = time.time() - YEAR if yearly else None
        then = None if whole is None else opened.composed(since, run, whole)
        return Composed(opened.composed(since), then, delta)
