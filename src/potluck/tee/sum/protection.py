"""The protection `tee`: sites seal their updates to an enclave that each owner has verified; it opens their sum alone.

The host sees sealed parcels and what comes out. The enclave sees each update, so it can also join them by a rule that
withstands wrong ones. It does NOT hide anything from who opens the machine or breaks the vendor's key, nor what the
result says about a summand (noise does); a simulated enclave and one that a TPM speaks for hide nothing, and say so.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from potluck.core.plan import Plan
from potluck.core.rounds import Credentials, Half, Sum, Terms
from potluck.core.stages import Guarded, Opened
from potluck.tee.attestation.demand import Demand, judge_of
from potluck.tee.attestation.judge import Judge
from potluck.tee.host import Enclave, program
from potluck.tee.sum import server, site
from potluck.tee.sum.check import check, pauses
from potluck.tee.sum.views import views

__all__ = ["Tee", "build", "check", "pauses", "views"]


@dataclass(slots=True, eq=False)
class Tee(Sum):
    """The protection `tee`: see `core.rounds.Sum`. The enclave is no helper: it speaks through its host, the server.

    judge: what a site judges evidence with; command: how the host starts its enclave, by default here and simulated.
    """

    judge: Judge
    command: Sequence[str] | None = None
    _enclave: Enclave | None = field(default=None, repr=False)

    def give(self, terms: Terms, me: Credentials, guarded: Guarded) -> Half[None]:
        """One site's half. Reveals: its words, to the enclave that this owner's policy allows."""
        return site.give(self.judge, terms, me, guarded)

    def open(self, terms: Terms, me: Credentials) -> Half[Opened]:
        """The server's half. Reveals: the joined words over at least `terms.fewest` sites, to the server."""
        if self._enclave is None:
            self._enclave = Enclave(self.command)
        return server.open_sum(self._enclave, terms, me)


def build(plan: Plan, demand: Demand | None = None) -> Tee:
    """The protection for a plan that `check` finds nothing wrong with; its enclave starts when a sum is opened.

    demand: what the owner demands of the enclave; None: the built-in policy, for a host, which judges nothing, and
    where the plan names no other. Raises Refused: the demand will never believe what the plan names.
    """
    word = plan.protect.enclave
    return Tee(judge_of(word, demand), program(word))
