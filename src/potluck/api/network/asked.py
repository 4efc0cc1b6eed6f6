"""One request in plain words, for whoever decides: what will be learnt, who sees what, what it costs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import msgspec

from potluck.api.network.composed import Composed
from potluck.core.party import BROKER, SERVER, Party, Role
from potluck.core.plan import Plan as Spec
from potluck.core.prose import utc
from potluck.core.views import Form, Never, View
from potluck.dp import claim
from potluck.dp.account import promise
from potluck.learning.data.tally_words import AS_DECLARED
from potluck.learning.graph.outline import Outline, outline
from potluck.learning.models.exports.as_graph import of_plan
from potluck.learning.models.graphs import Equipped, trained_of
from potluck.learning.models.kinds import kind_of
from potluck.learning.models.room import Room, room
from potluck.members.about import NOTHING, About
from potluck.members.change import called
from potluck.mpc.share.views import OPENS
from potluck.owner.requests import Request
from potluck.report.words import epsilon
from potluck.tasks import catalog
from potluck.tasks.catalog import task_of
from potluck.tasks.shapes.shape import Case
from potluck.tasks.shapes.shapes import risks
from potluck.tasks.words import no_value

Json = dict[str, object]


@dataclass(frozen=True)
class Asked:
    """One request in plain words: what will be learnt, who sees what, what it costs. file: the federation file pinned
    here, by which the server has to go; empty where there is none. unreadable: why this version cannot read the graph
    that is kept here; empty where it can, or there is none. cap: what the policy lets a year's runs come to, composed
    (None: it sets no cap). rule: of the policy, how much one approval lets in; over: the plan's permit is; new: members
    that it names and nobody here agreed to, by name the fingerprint. about: what the coordinator's card says of itself;
    says: the same of the new ones; first: who of two persons agreed to one already, by its name."""

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
    about: About = NOTHING
    says: Mapping[str, About] = field(default_factory=dict)
    first: Mapping[str, str] = field(default_factory=dict)

    @property
    def organisation(self) -> str:
        """Whose the coordinator says that it is, and how to reach it; empty where its card does not say."""
        return self.about.words()

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
        """What will be learnt, in a sentence or two, after what for."""
        return f"asked {self.plan.purpose!r}: {task_of(self.plan).learnt(self.plan, self.me)}"

    @property
    def what(self) -> str:
        """What will be learnt, in a sentence or two, but for `empty`."""
        return task_of(self.plan).learnt(self.plan, self.me).replace(no_value(self.plan), "")

    @property
    def result(self) -> str:
        """Who has what comes of it, where it is no model."""
        return task_of(self.plan).result(self.plan)

    @property
    def empty(self) -> str:
        """Which texts of the rows mean that there is no value; empty where only empty cells do."""
        return no_value(self.plan).strip()

    @property
    def gist(self) -> str:
        """What the server learns of the sums, in plain words; empty where there are none."""
        return task_of(self.plan).gist(self.plan)

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
    def party(self) -> Party:
        """Whose request it is."""
        return Party(Role.COMPUTE if self.computes else Role.SITE, self.me)

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
        return self.sentences(self.views)

    def sentences(self, views: Sequence[View]) -> list[str]:
        """The same, of these claims."""
        mine, sites = self.party, self.plan.sites
        if self.computes:
            return [_seen(view) for view in views if view.party == mine]
        if not self.plan.traits.sums:
            return [_seen(view, _apart(view.party, sites)) for view in views if view.party != mine]
        things = ("update", "metrics", "own model")
        ours = (*(f"{self.me}'s {one}" for one in things), "the sum", "the model")
        found = []
        for view in views:
            about = view.of in ours and view.party != mine
            about = about and (view.party != BROKER or view.of == ours[0])
            first = next((one for one in sites if one != mine), None)
            if about and view.party in self.plan.compute:
                found.append(_seen(view, _apart(view.party, sites)))
            elif about and view.party in (first, SERVER, BROKER):
                found.append(_seen(view, "every other site" if view.party == first else f"the {view.party}"))
        return found

    @property
    def opened(self) -> list[str]:
        """What is in the sum that the server opens, a line each; empty where it opens none, or nothing is to be said of
        it."""
        whose = [view for view in self.views if view.of == "the sum" and view.party == SERVER]
        return list(dict.fromkeys(view.note for view in whose if view.note and view.form is not Form.NOTHING))

    @property
    def holders(self) -> str:
        """Who has the model afterwards; empty where that is not said of a plan of this kind."""
        has = (Form.RELEASED, Form.PLAIN)
        found = {view.party for view in self.views if view.of == "the model" and view.form in has}
        sites = [name for name in self.plan.federation.sites if any(one.name == name for one in found)]
        everybody = len(sites) == len(self.plan.federation.sites)
        who = ["the coordinator's server"] if SERVER in found else []
        who += ["every site"] if sites and everybody else sites
        return " and ".join(who)

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
            "asker_says": self.about.document(),
            "file": self.file,
            "new": dict(self.new),
            "state": self.request.state.value,
            "codes": list(self.request.codes),
            "missing": self.missing,
            "first_seen": utc(self.request.first_seen),
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


def _apart(party: Party, sites: Sequence[Party]) -> str:
    """Who computes, where it is called as a site of the plan is: it may be another owner's."""
    return called(party) if party.role is Role.COMPUTE and party.name in {one.name for one in sites} else ""


def _seen(view: View, who: str = "") -> str:
    note = f" ({view.note})" if view.note else ""
    breaks = "" if isinstance(view.breaks_if, Never) else f", unless {view.breaks_if}"
    return f"{who or view.party} sees of {view.of}: {view.form.value}{breaks}{note}"
