"""The protection `he`: threshold homomorphic encryption. The server adds up ciphertexts that no one can open alone.

Reference: Mouchet, Troncoso-Pastoriza, Bossuat, Hubaux, Multiparty Homomorphic Encryption from Ring-Learning-with-
Errors, PETS 2021 (eprint 2020/304), over BFV with flooded partial decryptions; exact.

It is for a server that follows the protocol. It does NOT hide the sum, nor what the sum says about a summand (noise
does); it does not stop a site from giving any vector it likes or a key holder from shifting the sum; it does not hide
who took part.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from potluck.core.cohort import problems as cohort_problems
from potluck.core.party import Party
from potluck.core.plan import Plan
from potluck.core.rounds import Credentials, Half, Terms
from potluck.core.stages import Guarded, Opened
from potluck.core.views import View
from potluck.engines import environment
from potluck.engines.worker import Worker
from potluck.he import parameters, server, sum_views
from potluck.he import site as site_half
from potluck.he.bfv import Bfv
from potluck.he.setting import Setting


@dataclass(frozen=True, slots=True, eq=False)
class He:
    """The protection `he`: see `core.rounds.Sum`. Each party that plays in this process has an engine of its own."""

    least: int
    recheck: bool
    _workers: dict[Party, Worker] = field(default_factory=dict, repr=False)

    def helpers(self) -> tuple[Party, ...]:
        """Nobody but sites and server takes part."""
        return ()

    def give(self, terms: Terms, me: Credentials, guarded: Guarded) -> Half[None]:
        """One site's half. Reveals: who takes part; its ciphertexts to the server (with recheck to all sites)."""
        return site_half.give(self._setting(terms, me.party), terms, me, guarded)

    def open(self, terms: Terms, me: Credentials) -> Half[Opened]:
        """The server's half. Reveals: the sum over at least `terms.fewest` sites, to the server."""
        return server.open_sum(self._setting(terms, me.party), terms, me)

    def assist(self, terms: Terms, me: Credentials) -> Half[None]:
        """Nobody assists."""
        yield from ()

    def _setting(self, terms: Terms, party: Party) -> Setting:
        chosen, layout = parameters.choose(terms.bits, terms.length, len(terms.sites))
        worker = self._workers.setdefault(party, Worker("he"))
        return Setting(Bfv(chosen, worker), layout, self.least, self.recheck)


def least(plan: Plan) -> int:
    """How many shares open a vault: more than the corrupt, a majority where drop-outs leave one."""
    fed = plan.federation
    n = len(fed.sites)
    return min(n - fed.dropouts, max(fed.corrupt + 1, n // 2 + 1))


def build(plan: Plan) -> He:
    """The protection for a plan that `check` finds nothing wrong with. Raises UsageError: the engine is missing."""
    environment.require("he")
    return He(least(plan), plan.protect.recheck)


def check(plan: Plan) -> list[str]:
    """What of the plan `he` cannot keep; each line says what is wrong, then ". hint: " and what to do."""
    fed = plan.federation
    if fed.server == "lying":
        what = "he needs a server that follows the protocol: a lying one gets every key holder's secret key"
        return [f'{what}. hint: protect.with = "mask", or trust the server: federation.server = "curious"']
    found = cohort_problems("he", plan)
    if found:
        return found
    n = len(fed.sites)
    found += [f'{text}. hint: protect.with = "mask"' for text in parameters.problems(n)]
    if fed.dropouts and least(plan) <= fed.corrupt:
        what = f"{n} sites cannot bear {fed.corrupt} corrupt and {fed.dropouts} dropouts with shared keys"
        found.append(f"{what}. hint: add sites, lower dropouts or corrupt")
    return found


def views(plan: Plan) -> list[View]:
    """Who sees what of every site's update, and which coalition sees more."""
    return sum_views.views(plan, least(plan))
