"""What a report says of a run across machines: the federation, the broker, how the ledgers stood at the end.

It shows heads as the run's documents hold them and verifies none: whoever reads the page does that with the pinned keys
(`owner.evidence`).
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from potluck.report.details import Details, Head

SHORT = 16
"""Letters of a hash that are shown in a table."""
_LOOPBACK = re.compile(r"^(?:\w+://)?(?:localhost|127(?:\.\d{1,3}){3}|\[::1\])(?::\d+)?/?$")


@dataclass(frozen=True, slots=True)
class Signed:
    """One owner's ledger head, its hash also shortened."""

    site: str
    entry: int
    short: str
    hash: str
    signature: str


@dataclass(frozen=True, slots=True)
class Network:
    """Ready to print. often: "once", "3 times"; mute: sites of which no head is known; here: the broker was on this
    machine's own address."""

    federation: str
    version: int
    broker: str
    resumed: int
    often: str
    heads: tuple[Signed, ...]
    mute: tuple[str, ...]
    here: bool


def network(details: Details) -> Network | None:
    """Of a run across machines, else `None`."""
    found = details.network
    if found is None:
        return None
    heard = {head.site for head in found.heads}
    return Network(
        federation=found.federation,
        version=found.version,
        broker=found.broker,
        resumed=found.resumed,
        often={1: "once", 2: "twice"}.get(found.resumed, f"{found.resumed} times"),
        heads=tuple(_signed(head) for head in found.heads),
        mute=tuple(site.name for site in details.sites if site.name not in heard),
        here=_LOOPBACK.match(found.broker) is not None,
    )


def _signed(head: Head) -> Signed:
    short = head.hash if len(head.hash) <= SHORT + 1 else f"{head.hash[:SHORT]}…"
    return Signed(head.site, head.entry, short, head.hash, head.signature)
