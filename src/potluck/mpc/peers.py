"""Which addresses an owner lets its engine dial: those of other parties' engines, as its policy lists them.

Where an engine is reached, its party says in a letter. A party that lies can name any host and port that this machine
reaches, and read from what follows, and how soon, what is there. So an engine dials no address that its owner did not
list. It does NOT say who answers there: the job's certificates do. A listed name is worth what the owner's resolver is.
"""

import ipaddress
import re
from collections.abc import Sequence
from dataclasses import dataclass

from potluck.core.party import Party
from potluck.core.rounds import Abort, Cause

ANY = "*"
_PLACE = re.compile(
    r"(?P<host>\[[0-9A-Fa-f:.]{2,45}\]|[A-Za-z0-9.-]{1,253})(:(?P<first>[0-9]{1,5})(-(?P<last>[0-9]{1,5}))?)?"
)


@dataclass(frozen=True, slots=True)
class Place:
    """A host in its one spelling, and a range of its ports; without a port in the text, all."""

    host: str
    ports: range
    ported: bool


def place(text: str) -> Place | None:
    """What `host`, `host:port` or `host:first-last` names; None: it is none of them."""
    found = _PLACE.fullmatch(text)
    if found is None:
        return None
    first = int(found["first"] or 1)
    last = int(found["last"] or found["first"] or 65535)
    if not 0 < first <= last < 1 << 16:
        return None
    host = found["host"].lower()
    if host.startswith("["):
        try:
            host = f"[{ipaddress.IPv6Address(host[1:-1])}]"
        except ValueError:
            return None
    return Place(host, range(first, last + 1), found["first"] is not None)


@dataclass(frozen=True, slots=True)
class Peers:
    """listed: hosts, with ports or without; "*" is any."""

    listed: tuple[str, ...]

    def allow(self, address: str) -> bool:
        """Whether the engine may dial host:port. Hosts are compared as they are written: no name is looked up."""
        wanted = place(address)
        if wanted is None or not wanted.ported or len(wanted.ports) != 1:
            return False
        known = [place(one) for one in self.listed]
        return ANY in self.listed or any(
            one is not None and one.host == wanted.host and wanted.ports[0] in one.ports for one in known
        )

    def check(self, parties: Sequence[Party], rank: int, at: Sequence[str]) -> None:
        """Raises Abort(PEER), naming whose address is not listed. at: host:port by rank; the own is not dialled."""
        for number, (party, address) in enumerate(zip(parties, at, strict=True)):
            if number != rank and not self.allow(address):
                detail = f"its engine is said to be at {ascii(address)[:80]}, which engine.peers does not list"
                raise Abort(Cause.PEER, party=party, detail=detail)


LOOPBACK = Peers(("127.0.0.1", "[::1]"))
"""This machine alone."""
