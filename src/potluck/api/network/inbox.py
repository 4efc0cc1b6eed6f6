"""The owner's verbs: what waits, what it would learn and cost, what would leave, yes or no."""

from __future__ import annotations

import getpass
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from potluck.api.network.composed import Composed, opened, would
from potluck.core.errors import UsageError
from potluck.core.party import BROKER, SERVER, Party, Role
from potluck.core.plan import Align, Model, Predict, Statistic
from potluck.core.plan import Plan as Spec
from potluck.core.views import Never, View
from potluck.dp import claim
from potluck.dp.account import promise
from potluck.learning.data.columns import least
from potluck.learning.evaluation import evaluate
from potluck.members.federation import titled
from potluck.members.home import SiteHome
from potluck.mpc.share.views import OPENS
from potluck.owner.access import AccessLog, Entry, Event, Subject
from potluck.owner.access import read as read_log
from potluck.owner.reach import columns_read
from potluck.owner.reading import read as read_policy
from potluck.owner.requests import Decision, Request, Requests, State
from potluck.parties import catalog
from potluck.parties.admission.consent import asked_of
from potluck.parties.admission.proposal import ONE_ROUND
from potluck.parties.learners import readers

Json = dict[str, object]
RECENT = 4 << 20
"""Bytes of the access log, its newest, in which the inbox looks for what was counted."""


@dataclass(frozen=True)
class Asked:
    """One request in plain words: what will be learnt, who sees what, what it costs. file: the federation file pinned
    here, by which the server has to go; empty where there is none."""

    request: Request
    plan: Spec
    missing: int
    spent: float
    year: Composed
    me: str
    computes: bool = False
    file: str = ""
    counted: tuple[str, ...] | None = None

    @property
    def rows(self) -> list[str]:
        """What the owner has to know of its rows, as counted when they were last read for this plan. The inbox itself
        reads no row."""
        if self.computes or self.plan.task not in ("train", "statistics"):
            return []
        if self.counted is None:
            return ["not counted yet: `potluck site preview` says what the plan does not expect in them"]
        return list(self.counted) or ["every value is as the plan declares"]

    @property
    def learnt(self) -> str:
        """What will be learnt, in a sentence or two."""
        plan = self.plan
        if plan.predict is not None and plan.model is not None:
            return f"asked {plan.purpose!r}: {_scored(plan, plan.predict, plan.model, self.me)}"
        if plan.align is not None and plan.task == "intersect":
            return f"asked {plan.purpose!r}: {_matched(plan, plan.align, self.me)}"
        if plan.task == "fit":
            return f"asked {plan.purpose!r}: {_fitted(plan, self.me)}"
        if plan.model is not None and plan.training is not None and plan.data.target is not None:
            model = f"a {plan.model.kind} model of {plan.data.target.column!r}"
            then = ", then its metrics on held-out rows" if evaluate.allowed(plan) else ""
            what = f"{model} is trained in {plan.training.rounds} rounds of {plan.training.method}{then}"
        else:
            what = f"statistics: {', '.join(map(_statistic, plan.statistics))}"
        return f"asked {plan.purpose!r}: {what}. It reads the columns {_columns(plan)}.{_left_out(plan)}"

    @property
    def together(self) -> str:
        """With whom."""
        plan = self.plan
        if self.computes:
            with_ = ", ".join(party.name for party in plan.compute if party.name != self.me)
            return f"it computes, with {with_}, for {', '.join(plan.federation.sites)}; it gives no rows"
        return f"{self._others}{_computed(plan)}"

    @property
    def _others(self) -> str:
        plan = self.plan
        others = ", ".join(name for name in plan.federation.sites if name != self.me)
        if plan.task in ONE_ROUND:
            return f"with {others}; the server hands letters on"
        return f"together with {others}; each sum is over at least {plan.fewest} sites"

    @property
    def seen(self) -> list[str]:
        """Who sees what of this owner's, a line each; for a compute party, what it sees itself."""
        if self.computes:
            mine = Party(Role.COMPUTE, self.me)
            return [_seen(view) for view in catalog.views(self.plan) if view.party == mine]
        if self.plan.task in ONE_ROUND:
            return [_seen(view) for view in catalog.views(self.plan) if str(view.party) != self.me]
        ours = (f"{self.me}'s update", f"{self.me}'s metrics", "the sum", "the model")
        found = []
        for view in catalog.views(self.plan):
            about = view.of in ours and str(view.party) != self.me
            about = about and (view.party != BROKER or view.of == ours[0])
            first = next((name for name in self.plan.federation.sites if name != self.me), "")
            if about and view.party in self.plan.compute:
                found.append(_seen(view))
            elif about and (view.party == SERVER or view.party.name in (first, "broker")):
                who = "every other site" if view.party.name == first and view.party != SERVER else f"the {view.party}"
                note = f" ({view.note})" if view.note else ""
                breaks = "" if isinstance(view.breaks_if, Never) else f", unless {view.breaks_if}"
                found.append(f"{who} sees of {view.of}: {view.form.value}{breaks}{note}")
        return found

    @property
    def cost(self) -> str:
        """What it costs."""
        if self.computes:
            return "no epsilon of its own: nothing that is its own leaves"
        noised = claim.cost(self.plan)
        return self._exact if noised is None else f"{noised}; {self.spent:g} is spent so far{self._composed}"

    @property
    def _exact(self) -> str:
        """What a plan without noise costs."""
        if self.plan.predict is not None:
            most = self.plan.predict.max_rows
            return f"no epsilon: scores are exact; at most {most} are given in this run, and each tells of the model"
        if self.plan.task == "intersect":
            return (
                "no epsilon: what it shows is exact; whoever puts in keys that it made up learns which of them all have"
            )
        if self.plan.task == "fit":
            return "no epsilon: the model is exact; who reads it and knows all rows but one can work out that one"
        return "no noise: exact sums are released; no epsilon is charged, and none could be stated"

    @property
    def _composed(self) -> str:
        year = self.year
        if year.then is None:
            return ""
        added = f"{year.now:.4g} before this run and {year.then:.4g} with all of it"
        return f"; the last year's runs come to epsilon {added}, composed at delta {year.delta:g}"

    def document(self) -> Json:
        """The JSON of one request."""
        return {
            "hash": f"sha256:{self.request.hash}",
            "run": self.request.run,
            "plan": self.plan.name,
            "purpose": self.plan.purpose,
            "task": self.plan.task,
            "protect": self.plan.protect.scheme,
            "noise": self.plan.privacy.noise,
            "asker": self.request.asker,
            "file": self.file,
            "state": self.request.state.value,
            "codes": list(self.request.codes),
            "missing": self.missing,
            "first_seen": datetime.fromtimestamp(self.request.first_seen, UTC).isoformat(timespec="seconds"),
            "learnt": self.learnt,
            "together": self.together,
            "seen": self.seen,
            "cost": self.cost,
            "rows": self.rows,
            "epsilon": promise(self.plan),
            "spent": self.spent,
            **self.year.document(),
            "settings": msgspec.json.decode(self.request.plan),
        }


def _computed(plan: Spec) -> str:
    """Who computes, where the plan names some."""
    if not plan.compute:
        return ""
    two = "together" if len(plan.compute) == OPENS else "any two of them"
    return f"; {', '.join(party.name for party in plan.compute)} compute, and {two} could open everything"


def _scored(plan: Spec, wanted: Predict, model: Model, me: str) -> str:
    """A prediction in words, for the one or the other side."""
    if me == wanted.owner:
        what = f"the model {model.digest} scores up to {wanted.max_rows} rows of {wanted.client}"
        return f"{what}, which alone reads the scores."
    what = f"up to {wanted.max_rows} rows of this site are scored by a model of {wanted.owner}"
    return f"{what}: its columns are named in the run, and the policy is asked about them then.{_left_out(plan)}"


def _matched(plan: Spec, spec: Align, me: str) -> str:
    """An intersection in words."""
    to = [name for name in plan.federation.sites if not spec.to or name in spec.to]
    what = "how many keys all have in common" if spec.reveal == "size" else "which of their own keys all others have"
    mine = "" if me in to else "; this site learns nothing but how many keys each has"
    twice = " A key that is there twice counts once." if spec.duplicates == "first" else ""
    texts = [repr(text) for text in plan.data.missing if text]
    missing = f" Taken as no value: {', '.join(texts)}." if texts else ""
    return f"{', '.join(to)} learn {what}, by the columns {', '.join(spec.keys)}{mine}.{twice}{missing}"


def _fitted(plan: Spec, me: str) -> str:
    """A fit over columns at different owners in words."""
    assert plan.model is not None
    assert plan.training is not None
    assert plan.data.target is not None
    assert plan.align is not None
    to = ", ".join(party.name for party in readers(plan))
    how = f"{plan.training.method} in {plan.training.rounds} rounds"
    what = f"a {plan.model.kind} model of {plan.data.target.column!r} is fitted on shares by {how}; {to} read it"
    what += f", of {least(plan)} rows at least that no owner leaves out" if plan.privacy.noise == "none" else ""
    rows = f"Rows are matched by {', '.join(plan.align.keys)}: every site learns which of its own all have"
    return f"{what}. {rows}. Of this site it reads the columns {', '.join(columns_read(plan, me))}.{_left_out(plan)}"


def _seen(view: View) -> str:
    note = f" ({view.note})" if view.note else ""
    breaks = "" if isinstance(view.breaks_if, Never) else f", unless {view.breaks_if}"
    return f"{view.party} sees of {view.of}: {view.form.value}{breaks}{note}"


def _columns(plan: Spec) -> str:
    """What is read, by name; in a source without names by place as well: there the names are the plan's own."""
    names = columns_read(plan)
    if plan.data.header:
        return ", ".join(names)
    place = {name: number for number, name in enumerate(plan.data.columns, 1)}
    return ", ".join(f"{name} (number {place[name]})" if name in place else name for name in names)


def _statistic(one: Statistic) -> str:
    """What is counted, by the plan's columns: its name may say anything."""
    of = " and ".join(map(repr, one.columns or ((one.column,) if one.column else ())))
    return f"{one.kind}{f' of {of}' if of else ''}{f' by {one.by!r}' if one.by else ''}, called {one.name!r}"


def _left_out(plan: Spec) -> str:
    """Which rows are not in the sums, in the plan's words: a plan can pick rows by what it calls missing."""
    dropping = [name for name, one in plan.data.columns.items() if one.missing == "drop" and one.kind != "ignore"]
    texts = [repr(text) for text in plan.data.missing if text]
    split = plan.data.split if plan.task == "train" else None
    words = f" Taken as no value: {', '.join(texts)}." if texts else ""
    words += f" Rows without a value in {', '.join(dropping)} are left out." if dropping else ""
    what_for = " for metrics" if split and evaluate.allowed(plan) else ""
    words += f" {split.test:.4g} of the rows are held out{what_for}." if split and split.test is not None else ""
    return words


def inbox(folder: Path, which: str = "") -> list[Asked]:
    """What waits for the owner, or all requests of one plan (`which`: its hash or the beginning of it)."""
    home = SiteHome.at(folder)
    rules, computes = read_policy(home.policy), home.me.role is Role.COMPUTE
    delta = rules.allow.delta
    with closing(Requests(home.requests)) as requests, opened(home.ledger, delta) as ledger:
        found = requests.find(which) if which else requests.pending()
        spent, counted, asked = ledger.spent() if ledger else 0.0, _counted(home), []
        pinned = home.pinned() if home.federation.is_file() else None
        file = titled(pinned.version, pinned.digest) if pinned else ""
        for one in found:
            plan = asked_of(one)
            missing = requests.missing(one.run, rules.approve) if one.state is State.PENDING else 0
            year = Composed() if computes else would(ledger, plan, one.run, delta, True)
            known = counted.get(one.hash)
            asked.append(Asked(one, plan, missing, spent, year, home.name, computes, file, known))
        return asked


def _counted(home: SiteHome) -> dict[str, tuple[str, ...]]:
    """By plan, what was counted when its rows were last read, as far back as the log's newest part goes."""
    return {one.hash: one.why for one in read_log(home.access, last=RECENT).entries if one.event == "rows"}


def note_rows(home: SiteHome, request: Request, plan: str, words: Sequence[str]) -> None:
    """A line of the access log: the rows were read for this plan, and what was counted. Raises Refused: no line."""
    about = Subject(plan=plan, hash=request.hash, run=request.run)
    AccessLog(home.access).write("rows", datetime.now(UTC), about=about, why=tuple(words))


def decide(folder: Path, verdict: Event, which: str, person: str | None) -> tuple[str, Decision]:
    """`approve`, `deny` or `revoke` the plan whose hash begins with `which`, as `person` (default: who is logged in).

    Gives (person, what it did). Raises UsageError: no such plan.
    """
    home = SiteHome.at(folder)
    who = person or getpass.getuser()
    rules = read_policy(home.policy).approve
    with closing(Requests(home.requests)) as requests:
        act = {"approve": requests.approve, "deny": requests.deny, "revoke": requests.revoke}[verdict]
        done = act(which, who, time.time(), rules)
        name = asked_of(done.changed[0]).name if done.changed else ""
    about = Subject(person=who, plan=name, hash=done.hash, run=done.changed[0].run if done.changed else "")
    AccessLog(home.access).write(verdict, datetime.now(UTC), about=about)
    return who, done


def log(folder: Path) -> tuple[Sequence[Entry], Sequence[int]]:
    """(entries, numbers of lines that cannot be read) of the access log."""
    found = read_log(SiteHome.at(folder).access)
    return found.entries, found.damaged


def one_request(folder: Path, which: str) -> Asked:
    """The newest request of a plan. Raises UsageError: none."""
    found = inbox(folder, which)
    if not found:
        raise UsageError("no such request", where=str(folder), hint="potluck site inbox shows what waits")
    return found[-1]
