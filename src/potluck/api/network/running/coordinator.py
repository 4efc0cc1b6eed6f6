"""What monitoring may know of a coordinator's process: as of a site's (`health`), without a name."""

from collections import Counter

from potluck.api.network.office import Office
from potluck.api.network.running.health import Figure, Health, Samples, answering, both, gauge
from potluck.core.errors import PotluckError

ONLINE = 60.0
"""Seconds for which who was seen counts as connected."""


def coordinating(office: Office, began: float, now: float) -> Health:
    """How a coordinator's process is. now: unix seconds."""
    try:
        left = office.home.standing().federation.expires - now
        states = Counter(one.state for one in office.standing().runs)
        here = list(office.online().values())
    except PotluckError:
        left, states, here = 0.0, Counter[str](), []
    runs: Samples = {(state,): float(number) for state, number in states.items()}
    online = sum(one is not None and one < ONLINE for one in here)
    figures = (
        answering(office.nodes),
        Figure("potluck_runs", "gauge", "Runs, by how they stand.", runs, ("state",)),
        gauge("potluck_members", "Sites and compute parties of the federation.", float(len(here))),
        gauge("potluck_members_online", "Of these, whom the broker says to be connected.", float(online)),
    )
    alike = both(office.home.folder, began, office.trouble is None, left)
    return Health(alike.checks, (*alike.figures, *figures))
