"""The owner's verbs: what waits, what it would learn and cost, what would leave, yes or no."""

import getpass
import math
import time
from collections.abc import Callable, Collection, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import takewhile
from pathlib import Path

from potluck.api.network.asked import Asked
from potluck.api.network.composed import Composed, opened, would
from potluck.api.network.membership.agreed import agree_to, compared, firsts, in_force, missing, newcomers, since
from potluck.api.network.policy.effects import waiting
from potluck.core.errors import DataError, GraphError, Refused, UsageError
from potluck.core.party import Role
from potluck.core.plan import Plan as Spec
from potluck.learning.models.sent import lacks
from potluck.members.about import About
from potluck.members.change import called
from potluck.members.federation import titled
from potluck.members.home import SiteHome
from potluck.members.persons import Persons, folded
from potluck.owner.access import AccessLog, Event, Subject
from potluck.owner.access import read as read_log
from potluck.owner.form.noticed import noticed
from potluck.owner.policy_words import keep
from potluck.owner.reading import read as read_policy
from potluck.owner.requests import Decision, Request, Requests, State
from potluck.parties.admission import graphs
from potluck.parties.admission.proposal import asked_of, read_of

RECENT = 4 << 20
"""Bytes of the access log, its newest, in which the inbox looks for what was counted."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What a person looked at before the decision. run: of the plan's, which a yes is to serve if it waits (else the
    oldest that does); new: fingerprints of members that are new here; sure: raises if something is not so any more,
    asked while nobody else can change it."""

    run: str = ""
    new: Collection[str] = ()
    sure: Callable[[], None] = lambda: None


NOTHING = Seen()


def inbox(folder: Path, which: str = "") -> list[Asked]:
    """What waits for the owner, or all requests of one plan (`which`: its hash or the beginning of it). Of what waits
    nothing is among it that this version cannot read (see `unread`), or that the policy of now does not allow."""
    home = SiteHome.at(folder)
    return _asked(folder, lambda book: book.find(which) if which else tuple(filter(read_of, waiting(home, book))))


def _asked(folder: Path, which: Callable[[Requests], Sequence[Request]]) -> list[Asked]:
    home = SiteHome.at(folder)
    rules, computes = read_policy(home.policy), home.me.role is Role.COMPUTE
    delta = rules.allow.delta
    with closing(Requests(home.requests)) as requests, opened(home.ledger, delta) as ledger:
        found = which(requests)
        spent, counted, asked = ledger.spent() if ledger else 0.0, _counted(home), []
        cap = rules.allow.epsilon_per_year if math.isfinite(rules.allow.epsilon_per_year) else None
        pinned = in_force(home)
        file = titled(pinned.version, pinned.digest) if pinned else ""
        for one in found:
            plan, unreadable = _with_kept(home, asked_of(one))
            left = missing(home, pinned, requests, one, rules.approve)
            year = Composed() if computes or lacks(plan) else would(ledger, (plan,), one.run, delta, True)
            known = counted.get(one.hash)
            ran = _ran(requests, one)
            late = plan.ended(datetime.now(UTC))
            new = newcomers(home, pinned, plan) if pinned and one.state is State.PENDING else {}
            facts = (home.name, computes, file, known, unreadable, ran, cap, rules.approve.rule, late, new)
            about = {called(card.party): card.about for card in pinned.members} if pinned else {}
            says = {name: about[name] for name in new}
            who = pinned.coordinator.about if pinned else About()
            first = firsts(home, pinned, new) if pinned and new else {}
            asked.append(Asked(one, plan, left, spent, year, *facts, who, says, first))
        return asked


def _ran(requests: Requests, one: Request) -> int:
    """How many runs of its plan before this one came to their end."""
    before = takewhile(lambda other: other.run != one.run, requests.find(one.hash))
    return sum(other.state is State.FINISHED for other in before)


def unread(folder: Path) -> list[Request]:
    """What waits and this version cannot read, since another took it: it can be denied by its hash."""
    with closing(Requests(SiteHome.at(folder).requests)) as requests:
        return [one for one in requests.pending() if read_of(one) is None]


def _with_kept(home: SiteHome, plan: Spec) -> tuple[Spec, str]:
    """A plan with the graph and tokenizers that it names, where this home keeps them; and why this version cannot read
    what is kept."""
    try:
        return (graphs.kept(home.folder, plan) or plan) if plan.sent else plan, ""
    except (GraphError, DataError) as error:  # another version kept it, which knew other operations or bounds
        return plan, str(error)


def _counted(home: SiteHome) -> dict[str, tuple[str, ...]]:
    """By plan, what was counted when its rows were last read, as far back as the log's newest part goes."""
    return {one.hash: one.why for one in read_log(home.access, last=RECENT).entries if one.event == "rows"}


def note_rows(home: SiteHome, request: Request, plan: str, words: Sequence[str], person: str = "") -> None:
    """A line of the access log: the rows were read for this plan, and what was counted. Raises Refused: no line."""
    about = Subject(person=person, plan=plan, hash=request.hash, run=request.run)
    AccessLog(home.access).write("rows", datetime.now(UTC), about=about, why=tuple(words))


def decide(
    folder: Path,
    verdict: Event,
    which: str,
    person: str | None,
    reason: str = "",
    *,
    signed: bool = False,
    seen: Seen = NOTHING,
) -> tuple[str, Decision]:
    """`approve`, `deny` or `revoke` the plan whose hash begins with `which`, as `person` (default: who is logged in).

    reason: the person's words, for this site's access log alone; signed: whether the person signed in as one of those
    who were invited to the pages. Gives (person, what it did). The line of the log is written before the decision
    holds, or it does not. Raises UsageError: no such plan; Refused: nobody can say yes to a graph that this version
    cannot read, or this person here; a new member was not seen; no log.
    """
    home = SiteHome.at(folder)
    who, now = person or getpass.getuser(), time.time()
    with closing(Requests(home.requests)) as requests, requests.change():
        seen.sure()
        policy = read_policy(home.policy)
        noticed(home, datetime.now(UTC))
        rules, by = policy.approve, keep(home.policies, policy)
        word: dict[str, str] = {}
        if verdict == "approve":
            asked, pinned = _approvable(home, requests.find(which), datetime.now(UTC)), in_force(home)
            if not signed:
                _proven(home, requests, which, who)
            if asked and pinned:
                word = compared(home, pinned, asked_of(asked[-1]), seen.new, who)
            agreed = since(home, pinned, asked, rules.rule)
            done = requests.approve(which, who, now, rules, agreed, seen.run)
        else:
            act = requests.deny if verdict == "deny" else requests.revoke
            done = act(which, who, now, rules)
        newest = done.newest
        plan = read_of(newest) if newest else None
        name, run, asker = (plan.name if plan else "", seen.run or newest.run, newest.asker) if newest else ("", "", "")
        about = Subject(person=who, plan=name, hash=done.hash, run=run, asker=asker, policy=by, reason=reason)
        lifted = tuple(f"takes back the no of {one}" for one in done.lifted)
        log = AccessLog(home.access)
        if word:
            marks = tuple(f"{one} {mark}" for one, mark in word.items())
            log.write("members", datetime.now(UTC), outcome="done", about=replace(about, reason=""), why=marks)
        log.write(verdict, datetime.now(UTC), about=about, why=lifted)
        if verdict == "approve" and plan is not None and (done.changed or rules.people > 1):
            agree_to(home, plan, who, now, half=not done.changed)
    return who, done


def _proven(home: SiteHome, requests: Requests, which: str, who: str) -> None:
    """Where persons were invited to the pages, a yes is theirs, given there: one person could be two else. A name that
    is none of theirs takes back its own no, which counts as no approval. Raises Refused."""
    names = [folded(one.name) for one in Persons(home.persons).all()]
    said = [one for one in requests.decided(which) if not one.void and one.verdict != "revoke"] if names else []
    own = [one.verdict for one in said if folded(one.person) == folded(who)]
    if names and (folded(who) in names or own[-1:] != ["deny"]):
        hint = "sign in at the pages: potluck site web; deny and revoke work here, too"
        raise Refused("persons were invited here: each says yes as themselves", where=home.name, hint=hint)


def _approvable(home: SiteHome, found: tuple[Request, ...], now: datetime) -> tuple[Request, ...]:
    """Raises Refused: the graph of these requests is kept here, and this version cannot read it; or the permit in their
    plan is over."""
    why = _with_kept(home, asked_of(found[0]))[1] if found else ""
    if why:
        hint = "deny it, or read it with the version that took it"
        raise Refused(f"the plan's graph cannot be read: {why}", where=home.name, hint=hint)
    if found and asked_of(found[0]).ended(now):
        hint = "deny it: its asker needs a new permit, and a new plan"
        raise Refused("the plan's permit is over, so nobody can approve it", where=home.name, hint=hint)
    return found


def one_request(folder: Path, which: str, run: str = "") -> Asked:
    """The request of one run of a plan, else of its newest. Raises UsageError: none."""
    found = _asked(folder, lambda book: [one for one in book.find(which) if run in ("", one.run)][-1:])
    if not found:
        raise UsageError("no such request", where=str(folder), hint="potluck site inbox shows what waits")
    return found[-1]
