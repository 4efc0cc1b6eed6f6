"""The ledger heads that the coordinator keeps: each party's latest, signed by it, shown to it at the next request.

So a site whose ledger was put back from a copy, or whose folder runs twice, is noticed by itself. The coordinator can
withhold a head, which only leaves the site with its own anchor; it cannot make one up.
"""

import threading
from copy import copy
from pathlib import Path

import msgspec

from potluck.core.errors import Refused
from potluck.core.party import Party, Role
from potluck.core.rounds import Abort, Cause
from potluck.core.schema import readable
from potluck.core.wire import load
from potluck.members import files
from potluck.members.federation import Federation
from potluck.owner.ledger_heads import SignedHead, verify


class KnownHeads:
    """The heads in files of the coordinator's home, one for sites, one for compute parties, who may be called alike.

    Safe to use from several threads: all runs of a process share one.
    """

    def __init__(self, path: Path, federation: Federation) -> None:
        """A damaged file is taken as empty: it is the sites' memory that counts."""
        self._paths = {Role.SITE: path, Role.COMPUTE: path.with_stem(f"{path.stem}-compute")}
        self._federation = federation
        self._known = {role: _read(one) for role, one in self._paths.items()}
        self._lock = threading.RLock()
        self._versions = {federation.version}

    def under(self, federation: Federation) -> "KnownHeads":
        """The same heads, for a run under another federation file, in which parties may have other keys."""
        found = copy(self)
        found._federation = federation
        self._versions.add(federation.version)
        return found

    def latest(self, party: Party) -> bytes:
        """The party's latest head, as bytes, also under keys that it had before: a ledger that was put back does not
        become another by new keys. Empty where none is known."""
        known = self.of(party)
        return b"" if known is None else msgspec.msgpack.encode(known)

    def keep(self, party: Party, head: bytes) -> None:
        """Verify a head of a party that says yes after it was shown the one known, and keep it where it is later, or
        begins a new ledger under new keys. Raises Abort(SIGNATURE or MALFORMED)."""
        signed = self._verified(party, head)
        with self._lock:
            known, newest = self.of(party), self._federation.version == max(self._versions)
            if known is None or signed.seq > known.seq or (newest and not self._mine(party, known)):
                self._known[party.role][party.name] = signed
                files.replace(self._paths[party.role], msgspec.json.encode(self._known[party.role]), files.PRIVATE)

    def of(self, party: Party) -> SignedHead | None:
        """The latest head, for the report."""
        return self._known[party.role].get(party.name)

    def verify(self, party: Party, head: bytes) -> None:
        """Raises Abort(SIGNATURE or MALFORMED): a head that is not this party's."""
        self._verified(party, head)

    def _mine(self, party: Party, known: SignedHead) -> bool:
        try:
            self._verified(party, msgspec.msgpack.encode(known))
        except Abort:
            return False
        return True

    def _verified(self, party: Party, head: bytes) -> SignedHead:
        signed = load(head, SignedHead, party)
        try:
            public = self._federation.cards[party].signing
            verify(signed, public, party.name, bytes.fromhex(self._federation.id))
        except (Refused, KeyError):
            raise Abort(Cause.SIGNATURE, party=party, detail="a ledger head that is not this party's") from None
        return signed


def _read(path: Path) -> dict[str, SignedHead]:
    try:
        return msgspec.json.decode(path.read_bytes(), type=readable(dict[str, SignedHead]))
    except (OSError, msgspec.MsgspecError):
        return {}
