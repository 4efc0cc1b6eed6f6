"""The owner's verbs: what waits, what it would learn and cost, what would leave, yes or no."""

import getpass
import math
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path

import msgspec

from potluck.api.network.composed import Composed, opened, would
from potluck.api.network.history import read_of
from potluck.api.network.membership.agreed import agree_to, compared, in_force, missing, newcomers, since
from potluck.core.errors import DataError, GraphError, Refused, UsageError
from potluck.core.party import BROKER, SERVER, Party, Role
from potluck.core.plan import Plan as Spec
from potluck.core.views import Never, View
from potluck.dp import claim
from potluck.dp.account import promise
from potluck.learning.data.tally_words import AS_DECLARED
from potluck.learning.graph.outline import Outline, outline
from potluck.learning.models.exports.as_graph import of_plan
from potluck.learning.models.graphs import Equipped, trained_of
from potluck.learning.models.kinds import kind_of
from potluck.learning.models.room import Room, room
from potluck.learning.models.sent import lacks
from potluck.members.federation import titled
from potluck.members.home import SiteHome
from potluck.members.persons import Persons, folded
from potluck.mpc.share.views import OPENS
from potluck.owner.access import AccessLog, Event, Subject
from potluck.owner.access import read as read_log
from potluck.owner.policy_words import keep
from potluck.owner.reading import read as read_policy
from potluck.owner.requests import Decision, Request, Requests, State
from potluck.parties.admission import graphs
from potluck.parties.admission.proposal import asked_of
from potluck.report.words import epsilon
from potluck.tasks import catalog
from potluck.tasks.catalog import task_of
from potluck.tasks.shapes.shape import Case
from potluck.tasks.shapes.shapes import risks

Json = dict[str, object]
RECENT = 4 << 20
"""Bytes of the access log, its newest, in which the inbox looks for what was counted."""


@dataclass(frozen=True)
class Asked:
    """One request in plain words: what will be learnt, who sees what, what it costs. file: the federation file pinned
    here, by which the server has to go; empty where there is none. unreadable: why this version cannot read the graph
    that is kept here; empty where it can, or there is none. cap: what the policy lets a year's runs come to, composed
    (None: it sets no cap). rule: of the policy, how much one approval lets in; over: the plan's permit is; new: members
    that it names and nobody here agreed to, by name the fingerprint."""

    request: Request
    plan: Spec
    missing: int
    spent: float
    year: Composed
    me: str
    computes: bool = False
    file: str = ""
    counted: tuple[str, ...] | None = None
    unreadable: str = ""
    before: int = 0
    cap: float | None = None
    rule: str = "person"
    over: bool = False
    new: Mapping[str, str] = field(default_factory=dict)

    @property
    def views(self) -> list[View]:
        """Every claim of who could see what."""
        return catalog.views(self.plan)

    @property
    def risks(self) -> list[str]:
        """What attacks are known to find in plans of this shape, a line each. The inbox reads no row: where few rows
        are behind a sum it says so only if the plan allows no more."""
        return [] if self.computes else risks(Case(self.plan, before=self.before))

    @property
    def rows(self) -> list[str]:
        """What the owner has to know of its rows, as counted when they were last read for this plan. The inbox itself
        reads no row."""
        if self.computes or not self.plan.traits.sums:
            return []
        if self.counted is None:
            return ["not counted yet: `potluck site preview` says what the plan does not expect in them"]
        return list(self.counted) or [AS_DECLARED]

    @property
    def learnt(self) -> str:
        """What will be learnt, in a sentence or two."""
        return f"asked {self.plan.purpose!r}: {task_of(self.plan).learnt(self.plan, self.me)}"

    @cached_property
    def network(self) -> Outline | None:
        """What the plan's network holds, layers as the graph that they would be; None where it trains none, its
        graph did not come, or it cannot be carried out as it is written."""
        plan = self.plan
        if not isinstance(plan, Equipped) and (catalog.check(plan)[0] or plan.model is None or not kind_of(plan).deep):
            return None
        found = of_plan(plan)
        return outline(found) if found else None

    @property
    def room(self) -> Room | None:
        """What training that graph takes of this site."""
        return room(self.plan)

    @property
    def trained(self) -> list[str]:
        """Weights of the network that train."""
        if isinstance(self.plan, Equipped):
            return [one.name for one in trained_of(self.plan)]
        return [one.name for one in self.network.network.graph.weights] if self.network else []

    @property
    def together(self) -> str:
        """With whom."""
        plan = self.plan
        if self.computes:
            with_ = ", ".join(party.name for party in plan.compute if party.name != self.me)
            return f"it computes, with {with_}, for {', '.join(plan.federation.sites)}; it gives no rows"
        others = ", ".join(name for name in plan.federation.sites if name != self.me)
        if not plan.traits.sums:
            return f"with {others}; the server hands letters on{_computed(plan)}"
        return f"together with {others}; each sum is over at least {plan.fewest} sites{_computed(plan)}"

    @property
    def seen(self) -> list[str]:
        """Who sees what of this owner's, a line each; for a compute party, what it sees itself."""
        if self.computes:
            mine = Party(Role.COMPUTE, self.me)
            return [_seen(view) for view in self.views if view.party == mine]
        if not self.plan.traits.sums:
            return [_seen(view) for view in self.views if str(view.party) != self.me]
        things = ("update", "metrics", "own model")
        ours = (*(f"{self.me}'s {one}" for one in things), "the sum", "the model")
        found = []
        for view in self.views:
            about = view.of in ours and str(view.party) != self.me
            about = about and (view.party != BROKER or view.of == ours[0])
            first = next((name for name in self.plan.federation.sites if name != self.me), "")
            if about and view.party in self.plan.compute:
                found.append(_seen(view))
            elif about and (view.party == SERVER or view.party.name in (first, "broker")):
                who = "every other site" if view.party.name == first and view.party != SERVER else f"the {view.party}"
                found.append(_seen(view, who))
        return found

    @property
    def cost(self) -> str:
        """What it costs."""
        if self.computes:
            return "no epsilon of its own: nothing that is its own leaves"
        noised = claim.cost(self.plan)
        if noised is None:
            return task_of(self.plan).exact(self.plan)
        return f"{noised}; epsilon {epsilon(self.spent)} is spent so far{self._composed}"

    @property
    def _composed(self) -> str:
        year = self.year
        if year.then is None:
            return ""
        added = f"{epsilon(year.now)} before this run and {epsilon(year.then)} with all of it"
        return f"; the last year's runs come to epsilon {added}, composed at delta {year.delta:g}"

    def document(self) -> Json:
        """The JSON of one request."""
        return {
            "hash": f"sha256:{self.request.hash}",
            "run": self.request.run,
            "plan": self.plan.name,
            "purpose": self.plan.purpose,
            "permit": self.plan.permitted.said if self.plan.permitted else None,
            "permit_over": self.over,
            "task": self.plan.task,
            "protect": self.plan.protect.scheme,
            "noise": self.plan.privacy.noise,
            "asker": self.request.asker,
            "file": self.file,
            "new": dict(self.new),
            "state": self.request.state.value,
            "codes": list(self.request.codes),
            "missing": self.missing,
            "first_seen": datetime.fromtimestamp(self.request.first_seen, UTC).isoformat(timespec="seconds"),
            "learnt": self.learnt,
            "together": self.together,
            "seen": self.seen,
            "cost": self.cost,
            "risks": self.risks,
            "rows": self.rows,
            "epsilon": promise(self.plan),
            "spent": self.spent,
            **self.year.document(),
            "cap": self.cap,
            "network": None if self.network is None else {**self.network.document(), "trains": self.trained},
            "room": None if self.room is None else self.room.document(),
            "unreadable": self.unreadable,
            "settings": msgspec.json.decode(self.request.plan),
        }


def _computed(plan: Spec) -> str:
    """Who computes, where the plan names some."""
    if not plan.compute:
        return ""
    two = "together" if len(plan.compute) == OPENS else "any two of them"
    return f"; {', '.join(party.name for party in plan.compute)} compute, and {two} could open everything"


def _seen(view: View, who: str = "") -> str:
    note = f" ({view.note})" if view.note else ""
    breaks = "" if isinstance(view.breaks_if, Never) else f", unless {view.breaks_if}"
    return f"{who or view.party} sees of {view.of}: {view.form.value}{breaks}{note}"


def inbox(folder: Path, which: str = "") -> list[Asked]:
    """What waits for the owner, or all requests of one plan (`which`: its hash or the beginning of it). Of what waits
    nothing is among it that this version cannot read: see `unread`."""
    home = SiteHome.at(folder)
    rules, computes = read_policy(home.policy), home.me.role is Role.COMPUTE
    delta = rules.allow.delta
    with closing(Requests(home.requests)) as requests, opened(home.ledger, delta) as ledger:
        found = requests.find(which) if which else [one for one in requests.pending() if read_of(one)]
        spent, counted, asked = ledger.spent() if ledger else 0.0, _counted(home), []
        cap = rules.allow.epsilon_per_year if math.isfinite(rules.allow.epsilon_per_year) else None
        pinned = in_force(home)
        file = titled(pinned.version, pinned.digest) if pinned else ""
        for one in found:
            plan, unreadable = _with_kept(home, asked_of(one))
            left = missing(home, pinned, requests, one, rules.approve)
            year = Composed() if computes or lacks(plan) else would(ledger, (plan,), one.run, delta, True)
            known = counted.get(one.hash)
            ran = sum(other.state is State.FINISHED for other in requests.find(one.hash))
            late = plan.ended(datetime.now(UTC))
            new = newcomers(home, pinned, plan) if pinned and one.state is State.PENDING else {}
            facts = (home.name, computes, file, known, unreadable, ran, cap, rules.approve.rule, late, new)
            asked.append(Asked(one, plan, left, spent, year, *facts))
        return asked


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
    new: Collection[str] = (),
    sure: Callable[[], None] = lambda: None,
) -> tuple[str, Decision]:
    """`approve`, `deny` or `revoke` the plan whose hash begins with `which`, as `person` (default: who is logged in).

    reason: the person's words, for this site's access log alone; signed: whether the person signed in as one of those
    who were invited to the pages; new: fingerprints of members that are new here and that the person saw; sure: raises
    if what was looked at is not so any more, asked while nobody else can change it. Gives (person, what it did). The
    line of the log is written before the decision holds, or it does not. Raises UsageError: no such plan; Refused:
    nobody can say yes to a graph that this version cannot read, or this person here; a new member was not seen; no log.
    """
    home = SiteHome.at(folder)
    who = person or getpass.getuser()
    with closing(Requests(home.requests)) as requests, requests.change():
        sure()
        policy = read_policy(home.policy)
        rules, by = policy.approve, keep(home.policies, policy)
        if verdict == "approve":
            asked, pinned = _approvable(home, requests.find(which), datetime.now(UTC)), in_force(home)
            if not signed:
                _proven(home, requests, which, who)
            if asked and pinned:
                compared(home, pinned, asked_of(asked[-1]), new)
            done = requests.approve(which, who, time.time(), rules, since(home, pinned, asked, rules.rule))
        else:
            act = requests.deny if verdict == "deny" else requests.revoke
            done = act(which, who, time.time(), rules)
        newest = done.newest
        plan = read_of(newest) if newest else None
        if verdict == "approve" and done.changed and plan is not None:
            agree_to(home, plan, who)
        name, run, asker = (plan.name if plan else "", newest.run, newest.asker) if newest else ("", "", "")
        about = Subject(person=who, plan=name, hash=done.hash, run=run, asker=asker, policy=by, reason=reason)
        AccessLog(home.access).write(verdict, datetime.now(UTC), about=about)
    return who, done


def _proven(home: SiteHome, requests: Requests, which: str, who: str) -> None:
    """Where persons were invited to the pages, a yes is theirs, given there: one person could be two else. A name that
    is none of theirs takes back its own no, which counts as no approval. Raises Refused."""
    names = [folded(one.name) for one in Persons(home.persons).all()]
    if names and (folded(who) in names or not requests.said_no(which, who)):
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


def one_request(folder: Path, which: str) -> Asked:
    """The newest request of a plan. Raises UsageError: none."""
    found = inbox(folder, which)
    if not found:
        raise UsageError("no such request", where=str(folder), hint="potluck site inbox shows what waits")
    return found[-1]
