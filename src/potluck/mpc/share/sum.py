"""The protection `share`: three-server sum. Sites share their words among three compute parties, which check and add.

Reference: ABY3's replicated shares and comparisons (Mohassel, Rindal, ABY3, CCS 2018), by the engine `mpc`. The compute
parties check in secret that each site's words are within what the plan allows, and leave out by name whose are not.

It is for parties that follow the protocol: any two of the three together read every update, and one that departs can
change the sum. It does NOT hide the sum, nor what the sum says about a summand (noise does), nor who took part; what a
site gives within its range is its own business.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from potluck.core.cohort import problems as cohort_problems
from potluck.core.party import BROKER, SERVER, Party
from potluck.core.plan import Plan
from potluck.core.rounds import Credentials, Half, Terms
from potluck.core.stages import Guarded, Opened
from potluck.core.views import View
from potluck.engines import environment
from potluck.mpc.coordination import Place
from potluck.mpc.engine import Engine
from potluck.mpc.replicated import PARTIES
from potluck.mpc.share import compute as share_compute
from potluck.mpc.share import server as share_server
from potluck.mpc.share import site as share_site
from potluck.mpc.share import views as share_views

SITES = 64
"""The most sites whose words one program adds up."""
LONGEST = 100


@dataclass(frozen=True, slots=True, eq=False)
class Share:
    """The protection `share`: see `core.rounds.Sum`. Each compute party of this process has an engine of its own."""

    ranks: tuple[Party, ...]
    patience: float = 30.0
    engines: dict[Party, Engine] = field(default_factory=dict, repr=False)

    def helpers(self) -> tuple[Party, ...]:
        """The compute parties, by rank."""
        return self.ranks

    def give(self, terms: Terms, me: Credentials, guarded: Guarded) -> Half[None]:
        """One site's half. Reveals: two of three parts of its words to each compute party, which say nothing."""
        return share_site.give(self.ranks, terms, me, guarded)

    def open(self, terms: Terms, me: Credentials) -> Half[Opened]:
        """The server's half. Reveals: the sum over at least `terms.fewest` sites, to the server."""
        return share_server.open_sum(self.ranks, terms, me)

    def assist(self, terms: Terms, me: Credentials) -> Half[None]:
        """A compute party's half. Reveals: which sites keep their bounds, to the compute parties and the server."""
        engine = self.engines.get(me.party)
        if engine is None:
            engine = self.engines[me.party] = Engine(self.patience)
            engine.warm()
        return share_compute.assist(Place(self.ranks, me.party, engine), terms, me)


def build(plan: Plan) -> Share:
    """The protection for a plan that `check` finds nothing wrong with. Raises UsageError: the engine is missing."""
    environment.require("mpc")
    return apart(plan)


def apart(plan: Plan) -> Share:
    """The same for sites and server across machines, which need no engine."""
    return Share(plan.compute, plan.federation.patience)


def check(plan: Plan) -> list[str]:
    """What of the plan `share` cannot keep; each line says what is wrong, then ". hint: " and what to do."""
    fed = plan.federation
    if fed.server == "lying":
        what = "share needs parties that follow the protocol: a lying one could change the sum unseen"
        return [f'{what}. hint: protect.with = "mask", or trust the server: federation.server = "curious"']
    found = [*who_computes(plan), *cohort_problems("share", plan)]
    if len(fed.sites) > SITES:
        what = f"share adds up at most {SITES} sites in this version, the plan has {len(fed.sites)}"
        found.append(f'{what}. hint: protect.with = "mask"')
    return found


def who_computes(plan: Plan, counts: Sequence[int] = (PARTIES,)) -> list[str]:
    """What is wrong with who computes, as lines of `check`. counts: how many may compute this."""
    names, key = plan.protect.compute, "protect.compute"
    if len(names) not in counts and len(counts) > 1:
        return [f"{key}: share needs two or three compute parties, the plan names {len(names)}. hint: name three"]
    if len(names) not in counts:
        more = (
            ": between two, it would cost ten times as much, and one of them lying in wait is half"
            if (len(names) == PARTIES - 1)
            else ""
        )
        return [f"{key}: share needs three compute parties, the plan names {len(names)}{more}. hint: name three"]
    if len(set(names)) < len(names):
        return [f"{key}: one is there twice. hint: name {len(names)} different parties"]
    if any(not one.strip() or len(one) > LONGEST for one in names):
        return [f"{key}: a name is empty or over {LONGEST} letters. hint: use short names"]
    if {SERVER.name, BROKER.name} & set(names):
        what = "the coordinator sees the sum, and the broker every letter: neither may compute"
        return [f"{key}: {what}. hint: name other parties"]
    both = sorted(set(names) & set(plan.federation.sites))
    if both:
        what = f"{', '.join(both)} is a site, and sites do not compute in this version"
        return [f"{key}: {what}. hint: name parties that have no rows in this plan"]
    return []


def views(plan: Plan) -> list[View]:
    """Who sees what of every site's update, and which coalition opens everything."""
    return share_views.views(plan)
