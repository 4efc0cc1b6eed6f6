"""What a site's owner decides with, and what its policy has against a plan: the year's spending is its own ledger's."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from potluck.core.errors import PlanError, PotluckError
from potluck.core.party import Role
from potluck.core.plan import Plan
from potluck.dp.account import promise
from potluck.members.card import fingerprint
from potluck.members.federation import Federation
from potluck.members.home import SiteHome
from potluck.members.pinned import Pinned
from potluck.owner.access import AccessLog
from potluck.owner.budget import YEAR, Budget
from potluck.owner.denial import Denial
from potluck.owner.judge import Year, computing, judge
from potluck.owner.policy import Policy
from potluck.owner.reading import read as read_policy
from potluck.owner.requests import Requests
from potluck.tasks.catalog import planned
from potluck.tasks.participation import impossible

Mark = tuple[int, int, int]


def clock() -> datetime:
    """Now, in UTC."""
    return datetime.now(UTC)


def newer(policy: Path, before: Mark) -> Mark:
    """What tells a policy's file from the one before: when it was changed, which file it is, how long it is. Of one
    that cannot be read: `before`, until it is mended."""
    try:
        found = policy.stat()
        mark = found.st_mtime_ns, found.st_ino, found.st_size
        if mark != before:
            read_policy(policy)
    except (OSError, PotluckError):
        return before
    return mark


@dataclass(frozen=True, slots=True)
class Owner:
    """What the owner decides with: its home, the federation files that count in it, ledger, requests and access log.

    say: words for whoever watches the site's own screen; now: by which hours and permits are judged; noted: what
    happened here, how it came out, and of which run, in this program's words, for whoever counts it or tells somebody.
    """

    home: SiteHome
    pinned: Pinned
    ledger: Budget
    requests: Requests
    log: AccessLog
    say: Callable[[str], None]
    now: Callable[[], datetime] = clock
    noted: Callable[[str, str, str], None] = lambda what, outcome, run: None

    @property
    def federation(self) -> Federation:
        """The file in force."""
        return self.pinned.federation


def judged(owner: Owner, run: str, plan: Plan, rules: Policy, now: float, lacking: bool) -> tuple[Denial, ...]:
    """What the policy has against the plan. lacking: its graph, so that its cost is not known yet."""
    here = owner.now().astimezone()
    if owner.home.me.role is Role.COMPUTE:
        return computing(rules, plan, asker=_asker(owner), now=here)
    yearly = rules.allow.epsilon_per_year
    before = owner.ledger.composed(now - YEAR, run, cap=yearly)
    name, promised = owner.home.name, promise(plan)
    rule = partial(judge, rules, plan, asker=_asker(owner), now=here, promised=promised, owner=name)
    denials = rule(year=Year(before, before))
    if lacking or any(one.code != "hours" for one in denials):
        return denials  # what the plan would add can take seconds to reckon, and changes nothing
    return rule(year=Year(before, _with(owner, run, plan, now, yearly)))


def _with(owner: Owner, run: str, plan: Plan, now: float, cap: float) -> float:
    """What the last year comes to with all of a plan's run. Raises Denied: its noise cannot be kept."""
    try:
        whole = planned(plan)
        return owner.ledger.composed(now - YEAR, run, () if whole is None else (whole,), cap)
    except PlanError as error:
        raise impossible(str(error)) from None


def _asker(owner: Owner) -> frozenset[str]:
    return frozenset({owner.federation.name, fingerprint(owner.federation.coordinator)})
