"""What a report says of a run across machines: the federation, the broker, how the ledgers stood at the end.

It shows heads as the run's documents hold them and verifies none: whoever reads the page does that with the pinned keys
(`owner.evidence`).
"""

import re
from dataclasses import dataclass

from potluck.report import details

SHORT = 16
"""Letters of a hash that are shown in a table."""
_LOOPBACK = re.compile(r"^(?:\w+://)?(?:localhost|127(?:\.\d{1,3}){3}|\[::1\])(?::\d+)?/?$")


@dataclass(frozen=True, slots=True)
class Network:
    """Ready to print. often: how many times the server was started again: "once", "3 times"; mute: sites of which no
    head is known; here: the broker was on this machine's own address."""

    about: details.Network
    often: str
    mute: tuple[str, ...]
    here: bool


def network(facts: details.Details) -> Network | None:
    """Of a run across machines, else `None`."""
    found = facts.network
    if found is None:
        return None
    heard = {head.site for head in found.heads}
    often = {1: "once", 2: "twice"}.get(found.resumed, f"{found.resumed} times")
    mute = tuple(site.name for site in facts.sites if site.name not in heard)
    here = all(_LOOPBACK.match(node) for node in found.broker.split(","))
    return Network(found, often, mute, here)


def short(digest: str) -> str:
    """The beginning of a hash."""
    return digest if len(digest) <= SHORT + 1 else f"{digest[:SHORT]}…"
