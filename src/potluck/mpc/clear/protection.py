"""The reference: no protection. The server adds up the updates that it receives in plain.

Every other protection opens the same sum, bit for bit. It does NOT hide anything from the server beyond what noise
inside the words hides. From a broker and the wire the updates are hidden by the letters' seal alone, whose key lasts.
"""

from potluck.core.plan import Plan
from potluck.core.rounds import Credentials, Half, Sum, Terms
from potluck.core.stages import Guarded, Opened
from potluck.mpc.clear import server, site
from potluck.mpc.clear.views import views

__all__ = ["Clear", "check", "views"]


def check(plan: Plan) -> list[str]:
    """What of a plan it cannot keep: nothing, since it promises nothing."""
    return []


class Clear(Sum):
    """The protection `clear`: see `core.rounds.Sum`."""

    def give(self, terms: Terms, me: Credentials, guarded: Guarded) -> Half[None]:
        """One site's half. Reveals: the guarded words, to the server."""
        return site.give(terms, guarded)

    def open(self, terms: Terms, me: Credentials) -> Half[Opened]:
        """The server's half: the sum [d] over those who answered, at least `terms.fewest`."""
        return server.open_sum(terms)
