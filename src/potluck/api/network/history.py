"""What was asked of a site and what became of it; and how a plan differs from one that was let in before."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

import msgspec

from potluck.api.network.composed import opened
from potluck.api.network.differs import differences
from potluck.api.network.membership.agreed import in_force, missing, newcomers, since
from potluck.api.network.membership.turned import away, cancelled
from potluck.api.network.policy.effects import barred
from potluck.core.plan import Plan as Spec
from potluck.learning.evaluation.evaluate import rounds
from potluck.members.home import SiteHome
from potluck.members.persons import Persons, folded
from potluck.owner.access import Entry
from potluck.owner.access import read as read_log
from potluck.owner.denial import FEW
from potluck.owner.entries import Spending
from potluck.owner.reading import read as read_policy
from potluck.owner.requests import ENDED, NEAR, REPEATED, STRANGERS, UNFIT, UNUSED, Request, Requests, State
from potluck.parties.admission.decision import FORM
from potluck.parties.admission.proposal import asked_of, read_of

LET_IN = (State.APPROVED, State.FINISHED)
ABSENT = "–"
VERDICTS = ("approve", "deny", "revoke")
RECENT = 4 << 20
"""Bytes of the access log, its newest, in which a list of requests looks for what became of them."""
OURS = frozenset({REPEATED, NEAR, STRANGERS, UNFIT, UNUSED, *ENDED})
"""Codes of a request that are no key of the policy."""
STOPPED = {"elsewhere": "ended: another party refused it", "failed": "stopped: a round failed"}
"""What became of a run that does not go on for now, by its asker's word."""


@dataclass(frozen=True, slots=True)
class Fate:
    """What became of a run here, by its request and the access log. word: in a few words; codes: what of the policy is
    against it, where the policy had the last word; rounds: how many were done here (None: the log that was looked at
    does not go back so far); when, reason: of one that its asker cancelled, as the log has them; stays: it does not go
    on, and its approval holds if it is asked for again; form: what was said of it last was wrong in itself."""

    word: str
    codes: tuple[str, ...] = ()
    rounds: int | None = None
    when: str = ""
    reason: str = ""
    stays: bool = False
    form: bool = False


@dataclass(frozen=True)
class Past:
    """One request, in short. plan: None where this version cannot read it; missing: approvals that it still needs (0:
    it does not wait); waits: for a person; new: it names members that nobody here agreed to."""

    request: Request
    plan: Spec | None
    missing: int
    fate: Fate
    waits: bool = False
    new: bool = False


@dataclass(frozen=True)
class Change:
    """One key of a plan. before, now: as JSON has them, ABSENT where the plan sets nothing there."""

    key: str
    before: str
    now: str


@dataclass(frozen=True)
class Earlier:
    """The newest plan of the same asker and task that was let in before, of the same name where there is one, and what
    differs. words: in sentences, what an owner would want to know first."""

    request: Request
    plan: Spec
    changes: tuple[Change, ...]
    words: tuple[str, ...] = ()


def history(folder: Path, which: Callable[[Requests], Sequence[Request]] = Requests.every) -> list[Past]:
    """Requests that the site in `folder` remembers, all or `which`, newest first. Others write plans, long ones too:
    only those asked for are read. Raises UsageError, Refused: no home, damaged."""
    home = SiteHome.at(folder)
    rule = read_policy(home.policy).approve
    lines, begin = _lines(home)
    with closing(Requests(home.requests)) as requests:
        found, pinned = [(one, read_of(one)) for one in which(requests)], in_force(home)
        pending = [one for one, _ in found if one.state is State.PENDING]
        stopped = barred(home, pending)
        every = []
        for one, plan in found:
            waits = one.state is State.PENDING and one.run not in stopped
            left = missing(home, pinned, requests, one, rule) if plan and waits else 0
            new = bool(waits and plan and pinned and newcomers(home, pinned, plan))
            reasons = tuple(reason.code for reason in stopped.get(one.run, ()))
            told = fate(one, lines, begin, reasons, rounds(plan) if plan else 0)
            every.append(Past(one, plan, left, told, waits, new))
    return every[::-1]


def _lines(home: SiteHome) -> tuple[Mapping[str, Sequence[Entry]], float]:
    """(the newest lines of the access log, by their run, and what people decided also by its plan's hash; when the part
    that was read begins: 0, if it is all of it)."""
    lines = read_log(home.access, last=RECENT).entries
    found: dict[str, list[Entry]] = {}
    for line in lines:
        found.setdefault(line.run, []).append(line)
        if line.event in VERDICTS:
            found.setdefault(line.hash, []).append(line)
    cut = bool(lines) and home.access.stat().st_size > RECENT
    return found, datetime.fromisoformat(lines[0].when).timestamp() if cut else 0.0


def fate(
    request: Request,
    lines: Mapping[str, Sequence[Entry]],
    begin: float = 0.0,
    stopped: tuple[str, ...] = (),
    sums: int = 0,
) -> Fate:
    """What became of a run. lines, begin: of the access log, see `_lines`; stopped: what of the policy of now is
    against one that waits; sums: how many rounds its plan takes (0: not known)."""
    mine = lines.get(request.run, ())
    ended = [one.outcome for one in mine if one.event == "round"]
    done = ended.count("done") if begin <= request.first_seen else None
    said = [*lines.get(request.hash, ()), *mine]  # about this very run last
    match request.state:
        case State.PENDING if stopped:
            return Fate("not allowed by the policy of now", stopped, done)
        case State.PENDING:
            return Fate("waits again" if request.codes else "waits", rounds=done)
        case State.APPROVED:
            return _approved(mine, done, sums)
        case State.DENIED:
            policy = tuple(one for one in request.codes if one not in OURS)
            return Fate(f"denied{_by('the policy' if policy else _who(said, 'deny'))}", policy, done)
        case State.REVOKED:
            return Fate(f"approval taken back{_by(_who(said, 'revoke'))}", rounds=done)
        case State.WITHDRAWN:
            word = STOPPED.get(next(iter(request.codes), ""))
            return Fate(word, rounds=done) if word else _cancelled(mine, done)
    turned = None if ended else _turned(mine, done)
    if turned and not turned.form:
        return turned
    if cancelled(mine):
        return _cancelled(mine, done)
    if done == 0 and not ended and _newest(mine, "request"):
        return Fate("ended before its first round", rounds=done)
    failed = bool(ended) and ended[-1] != "done"
    return Fate("ended in a round that failed" if failed else "finished", rounds=done)


def _newest(mine: Sequence[Entry], *events: str) -> Entry | None:
    return next((one for one in reversed(mine) if one.event in events), None)


def _turned(mine: Sequence[Entry], done: int | None) -> Fate | None:
    """Of a run that this site's program or policy turned away as it was asked for last, whatever its asker made of it
    since."""
    asked = _newest(mine, "request")
    if asked is None or not asked.why or asked.outcome not in ("denied", "refused"):
        return None
    form = asked.why[0] in FORM  # it says nothing about the run
    code = asked.why[0] if form else asked.why[-1]
    if asked.outcome == "denied" and not form:
        return Fate("denied by the policy", asked.why, done)
    return Fate(away(code), (code,) if code == FEW else (), done, form=form)


def _approved(mine: Sequence[Entry], done: int | None, sums: int) -> Fate:
    """Of a run whose approval stands."""
    last = _newest(mine, "request", "round", "end")
    if last is not None and last.event == "round":  # whatever was said before: it goes on
        return Fate(_goes_on(done, sums), rounds=done)
    if turned := _turned(mine, done):
        return replace(turned, stays=True)
    if last is not None and last.event == "end":
        return Fate(STOPPED.get(next(iter(last.why), ""), "ended"), rounds=done, stays=True)
    return Fate(_goes_on(done, sums) if _newest(mine, "round") else "approved", rounds=done)


def _cancelled(mine: Sequence[Entry], done: int | None) -> Fate:
    last = _newest(mine, "end")
    when, reason = (last.when, last.reason) if last is not None else ("", "")
    return Fate("cancelled by who asked", rounds=done, when=when, reason=reason)


def _goes_on(done: int | None, sums: int) -> str:
    """Rounds that were repeated count, too."""
    return f"goes on: round {done} of {sums}" if done and done <= sums else "goes on"


def _who(said: Sequence[Entry], event: str) -> str:
    return next((one.person for one in reversed(said) if one.event == event), "")


def _by(who: str) -> str:
    return f" by {who}" if who else ""


def decided(folder: Path, request: Request) -> list[Entry]:
    """What people decided about a request's plan, and which members they compared as they did, by the access log,
    oldest first. Raises UsageError: it cannot be read."""
    found = read_log(SiteHome.at(folder).access).entries
    events = (*VERDICTS, "members")
    return [one for one in found if one.hash == request.hash and one.event in events and one.person]


def runs_of(folder: Path, plan: str) -> list[Past]:
    """All runs of the plan with this hash, newest first. Raises as `history`."""
    return history(folder, lambda requests: requests.find(plan))


@dataclass(frozen=True, slots=True)
class Voices:
    """Who has approved a run that waits, and who else can sign in and do so. awaited: who was invited and has not come
    yet; invited: whether anybody has; refuse: whose no stands; gone: those of them who cannot sign in, where others
    can: the yes of one of these takes their no back."""

    gave: tuple[str, ...]
    can: tuple[str, ...]
    awaited: tuple[str, ...]
    invited: bool
    refuse: tuple[str, ...]
    gone: tuple[str, ...] = ()


def voices(folder: Path, request: Request) -> Voices:
    """By the requests, and the persons of the home. Raises as `history`."""
    home = SiteHome.at(folder)
    pinned, rule = in_force(home), read_policy(home.policy).approve.rule
    persons = Persons(home.persons).all()
    invited = {folded(one.name): one.name for one in persons if one.joined}
    with closing(Requests(home.requests)) as requests:
        found = requests.approvers(request.hash, since(home, pinned, requests.find(request.hash), rule))
        said = requests.decided(request.hash)
    names = {folded(one.person): one.person for one in said} | invited
    newest = {folded(one.person): one for one in said if one.verdict != "revoke" and not one.void}
    refuse = tuple(one.person for one in newest.values() if one.verdict == "deny")
    here = {folded(one.name) for one in persons}
    return Voices(
        tuple(names[who] for who in found),
        tuple(name for who, name in invited.items() if who not in found),
        tuple(one.name for one in persons if not one.joined),
        bool(invited),
        refuse,
        tuple(one for one in refuse if folded(one) not in here) if here else (),
    )


def charges(folder: Path) -> Mapping[str, Spending]:
    """What this site's ledger has of each run, by its name. Raises UsageError, Refused: no home, or a damaged file."""
    with opened(SiteHome.at(folder).ledger) as ledger:
        return {one.run: one for one in ledger.history()} if ledger else {}


def earlier(folder: Path, request: Request) -> Earlier | None:
    """What differs from what was let in before; None: of this asker and task nothing else was. Raises as `history`."""
    asked, home = asked_of(request), SiteHome.at(folder)
    with closing(Requests(home.requests)) as requests:
        every = requests.every()
    same = [
        (plan, one)
        for one in every
        if one.asker == request.asker
        and one.hash != request.hash
        and one.state in LET_IN
        and one.first_seen < request.first_seen
        and (plan := read_of(one))
        and plan.task == asked.task
    ]
    if not same:
        return None
    plan, newest = max(same, key=lambda one: (one[0].name == asked.name, one[1].first_seen))
    before, now = (msgspec.json.decode(one.plan) for one in (newest, request))
    return Earlier(newest, plan, tuple(_changes(before, now)), differences(plan, asked, home.me))


def _changes(before: object, now: object, key: str = "") -> Iterator[Change]:
    """What differs, by dotted keys, in which a name with dots of its own is quoted: two keys stay two. A table that
    only one of them has is one line; what one leaves out and the other leaves empty is none. A list is a leaf."""
    if isinstance(before, Mapping) and isinstance(now, Mapping):
        for name in sorted(before.keys() | now.keys()):
            said = json.dumps(name, ensure_ascii=False) if set(name) & set('."') else str(name)
            yield from _changes(before.get(name), now.get(name), f"{key}.{said}" if key else said)
    elif _said(before) != _said(now):
        yield Change(key, _said(before), _said(now))


def _said(value: object) -> str:
    """A value as a page has it; of a table what it sets."""
    if value is None or value in ("", [], {}):
        return ABSENT
    if isinstance(value, Mapping):
        set_ = {name: _said(one) for name, one in value.items()}
        return ", ".join(f"{name} = {one}" for name, one in set_.items() if one != ABSENT) or ABSENT
    return json.dumps(value, ensure_ascii=False)
