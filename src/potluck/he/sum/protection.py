"""The protection `he`: threshold homomorphic encryption. The server adds up ciphertexts that no one can open alone.

Reference: Mouchet, Troncoso-Pastoriza, Bossuat, Hubaux, Multiparty Homomorphic Encryption from Ring-Learning-with-
Errors, PETS 2021 (eprint 2020/304), over BFV with flooded partial decryptions; exact.

It is for a server that follows the protocol. It does NOT hide the sum, nor what the sum says about a summand (noise
does); it does not stop a site from giving any vector it likes or a key holder from shifting the sum; it does not hide
who took part.
"""

from dataclasses import dataclass, field

from potluck.core.party import Party
from potluck.core.plan import Plan
from potluck.core.rounds import Credentials, Half, Sum, Terms
from potluck.core.stages import Guarded, Opened
from potluck.engines import environment
from potluck.engines.worker import Worker
from potluck.he.sum import parameters, server, site
from potluck.he.sum.bfv import Bfv, Setting
from potluck.he.sum.check import check, least_of
from potluck.he.sum.views import views

__all__ = ["He", "build", "check", "views"]


@dataclass(frozen=True, slots=True, eq=False)
class He(Sum):
    """The protection `he`: see `core.rounds.Sum`. Each party that plays in this process has an engine of its own."""

    least: int
    recheck: bool
    _workers: dict[Party, Worker] = field(default_factory=dict, repr=False)

    def give(self, terms: Terms, me: Credentials, guarded: Guarded) -> Half[None]:
        """One site's half. Reveals: who takes part; its ciphertexts to the server (with recheck to all sites)."""
        return site.give(self._setting(terms, me.party), terms, me, guarded)

    def open(self, terms: Terms, me: Credentials) -> Half[Opened]:
        """The server's half. Reveals: the sum over at least `terms.fewest` sites, to the server."""
        return server.open_sum(self._setting(terms, me.party), terms, me)

    def _setting(self, terms: Terms, party: Party) -> Setting:
        chosen, layout = parameters.choose(terms.bits, terms.length, len(terms.sites))
        worker = self._workers.setdefault(party, Worker("he"))
        return Setting(Bfv(chosen, worker), layout, self.least, self.recheck)


def build(plan: Plan) -> He:
    """The protection for a plan that `check` finds nothing wrong with. Raises UsageError: the engine is missing."""
    environment.require("he")
    return He(least_of(plan), plan.protect.recheck)
