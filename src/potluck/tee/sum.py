"""The protection `tee`: sites seal their updates to an enclave that each owner has verified; it opens their sum alone.

The host sees sealed parcels and what comes out. The enclave sees each update, so it can also join them by a rule that
withstands wrong ones. It does NOT hide anything from who opens the machine or breaks the vendor's key, nor what the
result says about a summand (noise does); a simulated enclave and one that a TPM speaks for hide nothing, and say so.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from potluck.core import cohort
from potluck.core.party import Party
from potluck.core.plan import Plan
from potluck.core.rounds import Credentials, Half, Terms
from potluck.core.stages import Guarded, Opened
from potluck.core.views import View
from potluck.tee import server, sum_views
from potluck.tee import site as site_half
from potluck.tee.demand import Demand, judge_of
from potluck.tee.enclave.host import Enclave, program
from potluck.tee.site import Judge


@dataclass(slots=True, eq=False)
class Tee:
    """The protection `tee`: see `core.rounds.Sum`.

    judge: what a site judges evidence with; command: how the host starts its enclave, by default here and simulated.
    """

    judge: Judge
    command: Sequence[str] | None = None
    _enclave: Enclave | None = field(default=None, repr=False)

    def helpers(self) -> tuple[Party, ...]:
        """Nobody beside sites and server: the enclave is behind its host, and speaks through it."""
        return ()

    def give(self, terms: Terms, me: Credentials, guarded: Guarded) -> Half[None]:
        """One site's half. Reveals: its words, to the enclave that this owner's policy allows."""
        return site_half.give(self.judge, terms, me, guarded)

    def open(self, terms: Terms, me: Credentials) -> Half[Opened]:
        """The server's half. Reveals: the joined words over at least `terms.fewest` sites, to the server."""
        if self._enclave is None:
            self._enclave = Enclave(self.command)
        return server.open_sum(self._enclave, terms, me)

    def assist(self, terms: Terms, me: Credentials) -> Half[None]:
        """Nobody assists."""
        yield from ()


def build(plan: Plan, demand: Demand | None = None) -> Tee:
    """The protection for a plan that `check` finds nothing wrong with; its enclave starts when a sum is opened.

    demand: what the owner demands of the enclave; None: the built-in policy, for a host, which judges nothing, and
    where the plan names no other. Raises Refused: the demand will never believe what the plan names.
    """
    word = plan.protect.enclave
    return Tee(judge_of(word, demand), program(word))


def check(plan: Plan) -> list[str]:
    """What of the plan `tee` cannot keep; each line says what is wrong, then ". hint: " and what to do.

    A minimum cohort confirms a set of givers, each honest owner one set: only where two cohorts have an honest owner in
    common does a lying server find no second cohort for a second set, whatever it does to the enclave's memory.
    """
    fed, found = plan.federation, cohort.problems("tee", plan)
    n = len(fed.sites)
    if not found and fed.server == "lying" and 2 * plan.fewest <= n + fed.corrupt:
        what = f"{n} sites cannot bear {fed.corrupt} corrupt and {fed.dropouts} dropouts with a lying server"
        why = "it could have two sums confirmed, whose difference is one update"
        found.append(f'{what}: {why}. hint: add sites, lower dropouts or corrupt, or federation.server = "curious"')
    return found


def pauses(plan: Plan) -> list[str]:
    """What runs, but should give pause."""
    if plan.protect.scheme != "tee":
        return []
    found = []
    read = "model, rows and scores" if plan.traits.scores else "every update"
    if plan.exposed:
        hint = 'it serves a rehearsal; a confidential machine has "tsm" or "nsm"'
        found.append(f"protect.enclave: {sum_views.unprotected(plan)}: its host could read {read}. hint: {hint}")
    if plan.training is not None and plan.training.aggregation == "krum":
        what = "krum opens one site's update as it is, without saying whose"
        found.append(f'training.aggregation: {what}. hint: "trimmed" or "median" mix several')
    return found


def views(plan: Plan) -> list[View]:
    """Who sees what of every site's update, and what it takes to see more."""
    return sum_views.views(plan)
