"""The protection `mask`: secure aggregation. The server learns the sum and no summand.

Reference: Bonawitz et al., Practical Secure Aggregation, CCS 2017 (malicious-server mode); Bell et al., Secure
Single-Server Aggregation with (Poly)Logarithmic Overhead, CCS 2020 (sparse graphs). Beyond them: pair secrets and
boxes are hybrid (X25519 with ML-KEM-768), and dealers commit to what they deal.

It does NOT hide the sum, nor what the sum says about a summand (noise does); it does not stop a site from giving
any vector it likes; and it does not hide who took part.
"""

from __future__ import annotations

from dataclasses import dataclass

from potluck.core import cohort
from potluck.core.party import Party
from potluck.core.plan import Plan
from potluck.core.rounds import Credentials, Half, Terms
from potluck.core.stages import Guarded, Opened
from potluck.core.views import View
from potluck.mpc.mask import server as mask_server
from potluck.mpc.mask import site as mask_site
from potluck.mpc.mask import views as mask_views
from potluck.mpc.mask.graph import Shape, sound, thresholds


@dataclass(frozen=True, slots=True)
class Mask:
    """The protection `mask`: see `core.rounds.Sum`."""

    shape: Shape

    def helpers(self) -> tuple[Party, ...]:
        """Nobody but sites and server takes part."""
        return ()

    def give(self, terms: Terms, me: Credentials, guarded: Guarded) -> Half[None]:
        """One site's half. Reveals: who takes part; its words to the server, under masks."""
        return mask_site.give(self.shape, terms, me, guarded)

    def open(self, terms: Terms, me: Credentials) -> Half[Opened]:
        """The server's half. Reveals: the sum over at least `terms.fewest` sites, to the server."""
        return mask_server.open_sum(self.shape, terms, me)

    def assist(self, terms: Terms, me: Credentials) -> Half[None]:
        """Nobody assists."""
        yield from ()


def shape(plan: Plan) -> Shape:
    """k and t for this plan: from its sites, corrupt and dropouts, never from who turns up."""
    fed = plan.federation
    picks, least = thresholds(len(fed.sites), fed.corrupt, fed.dropouts, fed.server)
    return Shape(len(fed.sites), picks, least, fed.server == "lying")


def build(plan: Plan) -> Mask:
    """The protection for a plan that `check` finds nothing wrong with."""
    return Mask(shape(plan))


def check(plan: Plan) -> list[str]:
    """What of the plan `mask` cannot keep; each line says what is wrong, then ". hint: " and what to do."""
    fed, found = plan.federation, cohort.problems("mask", plan)
    n = len(fed.sites)
    if n < 2 or plan.fewest < 2:
        return found
    made = shape(plan)
    if made.complete and not sound(n, fed.corrupt, made.least, fed.server):
        what = f"{n} sites cannot bear {fed.corrupt} corrupt and {fed.dropouts} dropouts with a {fed.server} server"
        hint = "add sites, lower dropouts or corrupt" + (
            ', or trust the server: server = "curious"' if made.lying else ""
        )
        found = [f"{what}. hint: {hint}", *found]
    return found


def views(plan: Plan) -> list[View]:
    """Who sees what of every site's update, and which coalition sees more."""
    return mask_views.views(plan, shape(plan))
