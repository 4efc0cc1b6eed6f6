"""What a plan would leave of an owner's budget, had the owner let it run: nobody is asked, nothing is charged, and no
file is written, also where the site runs meanwhile.

It does NOT say whether the policy would let the plan in otherwise (`site inbox` does, once the plan was asked for), nor
what other plans take until then.
"""

import math
import time
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

from potluck.api.network.composed import opened, would
from potluck.api.network.ledger import anchor
from potluck.api.plan.plan import Plan
from potluck.core.errors import PlanError, UsageError
from potluck.core.party import Role
from potluck.core.plan import Unit
from potluck.dp.account import promise
from potluck.members.home import SiteHome
from potluck.owner.budget import Budget
from potluck.owner.judge import Year, budgeted
from potluck.owner.reading import read as read_policy


@dataclass(frozen=True, slots=True)
class WhatIf:
    """At one site. would_spend: epsilon of the plan, at its own delta (None: no noise); composed, would_compose: what
    the last year's runs come to at `composed_delta`, and with all of the plan's run; left, would_leave: of the yearly
    cap (None: no cap); refused: why the policy's budget would refuse it, for the owner; empty: it would not."""

    site: str
    plan: str
    hash: str
    would_spend: float | None
    delta: float | None
    unit: Unit | None
    composed: float
    would_compose: float | None
    composed_delta: float
    left: float | None
    would_leave: float | None
    refused: tuple[str, ...]

    def document(self) -> dict[str, object]:
        """The JSON."""
        return asdict(self) | {"refused": list(self.refused)}


def what_if(folder: Path, plan: Path) -> WhatIf:
    """Of the plan in a file, at the site in `folder`. Raises UsageError: no home, or no rows; PlanError: it is not this
    site's, or cannot run; Refused: the ledger was edited or put back."""
    home, read = SiteHome.at(folder), Plan.read(plan)
    read.require()
    spec = read.spec
    if home.me.role is Role.COMPUTE:
        raise UsageError("a compute party has no rows, and so no budget", where=home.name)
    if home.name not in spec.federation.sites:
        raise PlanError(f"{home.name} takes no part", where=f"{read.where}: federation.sites", hint="see its names")
    policy = read_policy(home.policy)
    allow, promised = policy.allow, promise(spec)
    cap = allow.epsilon_per_year if math.isfinite(allow.epsilon_per_year) else None
    with opened(home.ledger, allow.delta) as ledger:
        _as_known(home, ledger)
        year = would(ledger, (spec,), delta=allow.delta, yearly=True)
    after = year.now if year.then is None else year.then
    denials = budgeted(policy, spec, now=datetime.now(), year=Year(year.now, after), promised=promised)
    noisy = spec.noisy
    return WhatIf(
        site=home.name,
        plan=spec.name,
        hash=read.hash,
        would_spend=promised,
        delta=spec.privacy.delta if noisy else None,
        unit=spec.privacy.unit if noisy else None,
        composed=year.now,
        would_compose=year.then,
        composed_delta=allow.delta,
        left=None if cap is None else max(0.0, cap - year.now),
        would_leave=None if cap is None else max(0.0, cap - after),
        refused=tuple(f"allow.{one.code}: {one.words}. hint: {one.hint}" for one in denials),
    )


def _as_known(home: SiteHome, ledger: Budget | None) -> None:
    """Raises Refused: the ledger is not the one that the site's anchor knows. The anchor is read, and stays."""
    if not home.federation.is_file():
        return
    known = anchor(home, home.open(time.time()))
    known.expects(home.ledger)
    head = known.known(ledger.head()) if ledger is not None else None
    if ledger is not None and head is not None:
        ledger.holds(head)
