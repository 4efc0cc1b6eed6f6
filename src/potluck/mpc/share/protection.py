"""The protection `share`: three-server sum. Sites share their words among three compute parties, which check and add.

Reference: ABY3's replicated shares and comparisons (Mohassel, Rindal, ABY3, CCS 2018), by the engine `mpc`. The compute
parties check in secret that each site's words are within what the plan allows, and leave out by name whose are not.

It is for parties that follow the protocol: any two of the three together read every update, and one that departs can
change the sum. It does NOT hide the sum, nor what the sum says about a summand (noise does), nor who took part; what a
site gives within its range is its own business.
"""

from dataclasses import dataclass, field

from potluck.core.party import Party
from potluck.core.plan import Plan
from potluck.core.rounds import Credentials, Half, Sum, Terms
from potluck.core.stages import Guarded, Opened
from potluck.engines import environment
from potluck.mpc.coordination import Place
from potluck.mpc.engine import Engine
from potluck.mpc.share import compute, server, site
from potluck.mpc.share.check import check
from potluck.mpc.share.views import views

__all__ = ["Share", "across", "build", "check", "views"]


@dataclass(frozen=True, slots=True, eq=False)
class Share(Sum):
    """The protection `share`: see `core.rounds.Sum`. Each compute party of this process has an engine of its own."""

    ranks: tuple[Party, ...]
    patience: float = 30.0
    engines: dict[Party, Engine] = field(default_factory=dict, repr=False)

    def helpers(self) -> tuple[Party, ...]:
        """The compute parties, by rank."""
        return self.ranks

    def give(self, terms: Terms, me: Credentials, guarded: Guarded) -> Half[None]:
        """One site's half. Reveals: two of three parts of its words to each compute party, which say nothing."""
        return site.give(self.ranks, terms, me, guarded)

    def open(self, terms: Terms, me: Credentials) -> Half[Opened]:
        """The server's half. Reveals: the sum over at least `terms.fewest` sites, to the server."""
        return server.open_sum(self.ranks, terms, me)

    def assist(self, terms: Terms, me: Credentials) -> Half[None]:
        """A compute party's half. Reveals: which sites keep their bounds, to the compute parties and the server."""
        engine = self.engines.get(me.party)
        if engine is None:
            engine = self.engines[me.party] = Engine(self.patience)
            engine.warm()
        return compute.assist(Place(self.ranks, me.party, engine), terms, me)


def build(plan: Plan) -> Share:
    """The protection for a plan that `check` finds nothing wrong with. Raises UsageError: the engine is missing."""
    environment.require("mpc")
    return across(plan)


def across(plan: Plan) -> Share:
    """The same for sites and server across machines, which need no engine."""
    return Share(plan.compute, plan.federation.patience)
