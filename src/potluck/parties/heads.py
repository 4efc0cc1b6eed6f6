"""The ledger heads that the coordinator keeps: each site's latest, signed by the site, shown to it at the next request.

So a site whose ledger was put back from a copy, or whose folder runs twice, is noticed by itself. The coordinator can
withhold a head, which only leaves the site with its own anchor; it cannot make one up.
"""

from __future__ import annotations

from pathlib import Path

import msgspec

from potluck.core.errors import Refused
from potluck.core.party import Party
from potluck.core.rounds import Abort, Cause
from potluck.core.wire import load
from potluck.members import files
from potluck.members.federation import Federation
from potluck.owner.heads import SignedHead, verify


class KnownHeads:
    """The heads in a file of the coordinator's home. See `parties.guests.Heads`."""

    def __init__(self, path: Path, federation: Federation) -> None:
        """A damaged file is taken as empty: it is the sites' memory that counts."""
        self._path = path
        self._federation = federation
        try:
            self._known = msgspec.json.decode(path.read_bytes(), type=dict[str, SignedHead])
        except (OSError, msgspec.MsgspecError):
            self._known = {}

    def latest(self, site: Party) -> bytes:
        """The site's latest head, as bytes; empty where none is known or its keys were changed since."""
        known = self._known.get(site.name)
        try:
            return b"" if known is None else self._verified(site, msgspec.msgpack.encode(known))[0]
        except Abort:
            return b""

    def keep(self, site: Party, head: bytes) -> None:
        """Verify a head and keep it where it is later than the one known. Raises Abort(SIGNATURE or MALFORMED)."""
        _, signed = self._verified(site, head)
        known = self._known.get(site.name)
        if known is None or signed.seq > known.seq or not self.latest(site):
            self._known[site.name] = signed
            files.replace(self._path, msgspec.json.encode(self._known), files.PRIVATE)

    def of(self, site: Party) -> SignedHead | None:
        """The latest head, for the report."""
        return self._known.get(site.name)

    def _verified(self, site: Party, head: bytes) -> tuple[bytes, SignedHead]:
        signed = load(head, SignedHead, site)
        try:
            public = self._federation.cards[site].signing
            verify(signed, public, site.name, bytes.fromhex(self._federation.id))
        except (Refused, KeyError):
            raise Abort(Cause.SIGNATURE, party=site, detail="a ledger head that is not this site's") from None
        return head, signed
