"""The protection `mask`: secure aggregation. The server learns the sum and no summand.

Reference: Bonawitz et al., Practical Secure Aggregation, CCS 2017 (malicious-server mode); Bell et al., Secure
Single-Server Aggregation with (Poly)Logarithmic Overhead, CCS 2020 (sparse graphs). Beyond them: pair secrets and
boxes are hybrid (X25519 with ML-KEM-768), and dealers commit to what they deal.

It does NOT hide the sum, nor what the sum says about a summand (noise does); it does not stop a site from giving
any vector it likes; and it does not hide who took part.
"""

from dataclasses import dataclass

from potluck.core.plan import Plan
from potluck.core.rounds import Credentials, Half, Sum, Terms
from potluck.core.stages import Guarded, Opened
from potluck.mpc.mask import server, site
from potluck.mpc.mask.check import check
from potluck.mpc.mask.graph import Shape, shape_of
from potluck.mpc.mask.views import views

__all__ = ["Mask", "build", "check", "views"]


@dataclass(frozen=True, slots=True)
class Mask(Sum):
    """The protection `mask`: see `core.rounds.Sum`."""

    shape: Shape

    def give(self, terms: Terms, me: Credentials, guarded: Guarded) -> Half[None]:
        """One site's half. Reveals: who takes part; its words to the server, under masks."""
        return site.give(self.shape, terms, me, guarded)

    def open(self, terms: Terms, me: Credentials) -> Half[Opened]:
        """The server's half. Reveals: the sum over at least `terms.fewest` sites, to the server."""
        return server.open_sum(self.shape, terms, me)


def build(plan: Plan) -> Mask:
    """The protection for a plan that `check` finds nothing wrong with."""
    return Mask(shape_of(plan))
