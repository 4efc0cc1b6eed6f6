"""Which requests a change of the policy would let in, or keep out, by the very rules that judge a proposal.

Those that wait are judged by both policies, and the newest of those that the policy denied. What a run would add to the
year is reckoned as the inbox reckons it. It reads no row, and does NOT say what people will decide.
"""

import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from potluck.api.network.composed import opened, would
from potluck.core.party import Role
from potluck.core.plan import Plan as Spec
from potluck.dp.account import promise
from potluck.learning.models.sent import lacks
from potluck.members.card import fingerprint
from potluck.members.home import SiteHome
from potluck.owner.budget import Budget
from potluck.owner.denial import Denial
from potluck.owner.judge import Year, computing, judge
from potluck.owner.policy import Policy
from potluck.owner.reading import read as read_policy
from potluck.owner.requests import NEAR, REPEATED, Request, Requests, State
from potluck.parties.admission.proposal import read_of

RECKONED = 8
"""Plans with noise, the oldest of a list, whose cost is reckoned to see whether the year has room for it: each can take
seconds. The page of each other says so."""
MOST = 50
"""Plans that the policy denied, the newest, that are judged again; those that wait are bounded anyway."""


@dataclass(frozen=True)
class Effect:
    """A request that the two policies judge differently. reasons: against it, of the policy that has some; allowed:
    whether the new one has none; waits: whether it waits now, else it was denied and may be asked again."""

    request: Request
    plan: Spec
    reasons: tuple[Denial, ...]
    allowed: bool
    waits: bool


@dataclass(frozen=True)
class Effects:
    """changed: what is judged differently; same: how many others were looked at."""

    changed: tuple[Effect, ...]
    same: int


def effects(folder: Path, before: Policy, now: Policy) -> Effects:
    """What becomes of requests of the site in `folder`. Raises UsageError, Refused: no home, or a damaged file."""
    home = SiteHome.at(folder)
    if not home.federation.is_file():
        return Effects((), 0)
    pinned = home.pinned()
    asker = frozenset({pinned.name, fingerprint(pinned.coordinator)})
    found: list[Effect] = []
    looked = _looked(home)
    with ExitStack() as stack:
        deltas = {before.allow.delta, now.allow.delta}
        ledgers = {delta: stack.enter_context(opened(home.ledger, delta)) for delta in deltas}
        for request, plan in looked:
            old, new = (_reasons(home, policy, request, plan, asker, ledgers) for policy in (before, now))
            if bool(old) != bool(new):
                waits = request.state is State.PENDING
                found.append(Effect(request, plan, new or old, not new, waits))
    return Effects(tuple(found), len(looked) - len(found))


def barred(home: SiteHome, found: Sequence[Request]) -> dict[str, tuple[Denial, ...]]:
    """By run, what the policy of now has against those of these that wait or were approved, which an earlier one let
    through. Raises as `effects`."""
    asked = [(one, plan) for one in found if one.state in (State.PENDING, State.APPROVED) and (plan := read_of(one))]
    if not asked or not home.federation.is_file():
        return {}
    rules, pinned = read_policy(home.policy), home.pinned()
    delta = rules.allow.delta
    with opened(home.ledger, delta) as ledger:
        asker = frozenset({pinned.name, fingerprint(pinned.coordinator)})
        dear = {one.run for one, plan in [pair for pair in asked if pair[1].noisy][RECKONED:]}
        ledgers = {delta: ledger}
        judged = {
            one.run: _reasons(home, rules, one, plan, asker, ledgers, reckons=one.run not in dear)
            for one, plan in asked
        }
    return {run: reasons for run, reasons in judged.items() if reasons}


def waiting(home: SiteHome, requests: Requests) -> list[Request]:
    """What waits for a person, oldest first: nobody can approve what the policy of now does not allow. Raises as
    `effects`."""
    pending = requests.pending()
    stopped = barred(home, pending)
    return [one for one in pending if one.run not in stopped]


def _looked(home: SiteHome) -> list[tuple[Request, Spec]]:
    """The newest request of each plan that waits, or that the policy denied."""
    with Requests(home.requests) as requests:
        every = requests.every()[::-1]
    newest: dict[str, Request] = {}
    for one in every:
        newest.setdefault(one.hash, one)
    waiting = [one for one in newest.values() if one.state is State.PENDING]
    denied = [one for one in newest.values() if one.state is State.DENIED and set(one.codes) - {REPEATED, NEAR}]
    return [(one, plan) for one in (*waiting, *denied[:MOST]) if (plan := read_of(one)) is not None]


def _reasons(
    home: SiteHome,
    policy: Policy,
    request: Request,
    plan: Spec,
    asker: frozenset[str],
    ledgers: Mapping[float, Budget | None],
    *,
    reckons: bool = True,
) -> tuple[Denial, ...]:
    here = datetime.fromtimestamp(time.time()).astimezone()
    if home.me.role is Role.COMPUTE:
        return computing(policy, plan, asker=asker, now=here)
    delta = policy.allow.delta
    year = Year()
    if reckons and plan.noisy and not lacks(plan):
        come = would(ledgers[delta], (plan,), request.run, delta, yearly=True)
        year = Year(come.now, come.now if come.then is None else come.then)
    return judge(policy, plan, asker=asker, now=here, year=year, promised=promise(plan), owner=home.name)
