"""Signed heads of a site's ledger, and the anchor: the latest one, in a file beside the ledger.

A head (number and hash of the last entry) stands for the whole chain before it. Who has seen one notices a ledger that
was put back or forked. Signature: Ed25519 (RFC 8032) over a tag of its own, federation, site, number and hash.
An anchor does NOT help where ledger and anchor are put back together: the server, which sees a head with every answer
and shows it again, does. Nor does it bind the holder of the key, who can sign another history for whoever saw none.
"""

import contextlib
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import msgspec

from potluck.core import private
from potluck.core.errors import Refused, UsageError
from potluck.core.party import site as party
from potluck.core.rounds import Abort, Record
from potluck.core.schema import readable
from potluck.members.files import settle
from potluck.owner.chain import Chain, Head
from potluck.secret.keys import Roster
from potluck.secret.stream import digest

_TAG = b"potluck ledger head 1\0"
_SLOT = 4096
"""Bytes of an anchor file's slot: far more than any head takes, and what a disk writes at once."""


class Unsigned(Refused):
    """A head that another key signed."""


class Facts(Protocol):
    """What a ledger was told."""

    def facts(self, start: str) -> Sequence[tuple[int, str, bytes]]: ...


class SignedHead(msgspec.Struct, frozen=True, array_like=True):
    """A head as the site `site` of `federation` signed it. hash: 32 bytes; signature: 64 bytes."""

    federation: bytes
    site: str
    seq: int
    hash: bytes
    signature: bytes


def sign(head: Head, site: str, federation: bytes, key: Callable[[bytes], bytes]) -> SignedHead:
    """`head` under the site's key. key: signs a message (`SigningKey.sign`)."""
    signature = key(_message(head, site, federation))
    return SignedHead(federation, site, head.seq, head.hash, signature)


def verify(signed: SignedHead, public: bytes, site: str, federation: bytes) -> Head:
    """The head that `site` of `federation` signed. public: its pinned key [32].

    Raises Refused: of another site or federation, malformed, or not signed by that key.
    """
    where = f"ledger head of {site}"
    if (signed.site, signed.federation) != (site, federation):
        raise Refused("it is of another site or federation", where=where)
    if len(signed.hash) != 32 or not 0 <= signed.seq < 1 << 63:
        raise Refused("it is malformed", where=where)
    head, me = Head(signed.seq, signed.hash), party(site)
    try:
        Roster({me: public}).verify(me, _message(head, site, federation), signed.signature)
    except (Abort, ValueError):  # ValueError: the key is none
        raise Unsigned("it is not signed by this site's key", where=where) from None
    return head


_KEY = "key/"


def noted(public: bytes) -> Record:
    """The ledger's note that this key [32] is, or was, its site's."""
    return Record(f"{_KEY}{public.hex()}", b"", again=True)


def own(signed: SignedHead, keys: Iterable[bytes], site: str, federation: bytes, ledger: Facts) -> Head | None:
    """The head that a server shows, where one of `keys` signed it or one that the ledger notes; None: none of them did,
    so it is of a ledger before this one, or made up. Raises Refused: of another site or federation, or malformed."""
    before = (bytes.fromhex(key.removeprefix(_KEY)) for _, key, _ in ledger.facts(_KEY))
    for public in dict.fromkeys((*keys, *before)):
        try:
            return verify(signed, public, site, federation)
        except Unsigned:
            continue
    return None


DAMAGED = "the ledger's anchor is damaged"


def _written(signed: SignedHead) -> bytes:
    return msgspec.json.encode(signed).ljust(_SLOT - 1) + b"\n"


def _read(slot: bytes) -> SignedHead | None:
    """What stands in a slot, not yet verified; None: nothing, or what a write that was cut off left."""
    try:
        signed = msgspec.json.decode(slot, type=readable(SignedHead))
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    return signed if _written(signed) == slot else None


def _message(head: Head, site: str, federation: bytes) -> bytes:
    return _TAG + digest(federation, site.encode(), head.seq.to_bytes(8, "big"), head.hash)


@dataclass(frozen=True, slots=True)
class Anchor:
    """The file that holds a ledger's latest signed head, and the one before. sign: as in `sign`; public: the key it
    belongs to.

    It has two slots. A head is written over the older one, so that a write that a power cut tears leaves the newer; the
    ledger is then ahead of it, as it is on the disk before. If a slot is damaged and the ledger is not ahead, no torn
    write did it.
    """

    path: Path
    site: str
    federation: bytes
    public: bytes
    sign: Callable[[bytes], bytes] = field(repr=False)

    def read(self) -> Head | None:
        """The newest head in the file, None without a file. Raises Refused: damaged, or not signed by this site."""
        found = self._look()
        return found and found[0]

    def known(self, now: Head) -> Head | None:
        """The same, of a ledger that ends at `now`. Raises Refused: also where one slot is damaged, and the ledger is
        not ahead of the other."""
        found = self._look()
        if found is not None and not found[1] and now.seq <= found[0].seq:
            raise self._refused(DAMAGED)
        return found and found[0]

    def _look(self) -> tuple[Head, bool] | None:
        """The newest head, and whether the file is as it was written."""
        with self._as_our_errors():
            if not self.path.exists():
                return None
            with self.path.open("rb") as file:
                raw = file.read(2 * _SLOT + 1)
        what, heads, slots = DAMAGED, [], self._slots(raw)
        for signed in filter(None, slots):
            try:
                heads.append(verify(signed, self.public, self.site, self.federation))
            except Refused as error:
                what = f"the ledger's anchor is not this site's: {error.what}"
        if not heads:
            raise self._refused(what)
        whole = len(heads) == len(slots) and (len(slots) == 1 or len(raw) == 2 * _SLOT)
        return max(heads, key=lambda head: head.seq), whole

    def _mine(self, signed: SignedHead) -> bool:
        try:
            verify(signed, self.public, self.site, self.federation)
        except Refused:
            return False
        return True

    def _refused(self, what: str) -> Refused:
        hint = "restore the site's folder: ledger, anchor and keys together"
        return Refused(what, where=str(self.path), hint=hint)

    @staticmethod
    def _slots(raw: bytes) -> list[SignedHead | None]:
        if len(raw) < _SLOT:  # of before there were slots
            return [_read(raw.removesuffix(b"\n").ljust(_SLOT - 1) + b"\n")]
        return [_read(raw[:_SLOT]), _read(raw[_SLOT : 2 * _SLOT])]

    def adopt(self, head: Head) -> None:
        """The first anchor of a ledger that had none: from here on it cannot be put back unnoticed.

        Raises Refused: there is one.
        """
        with self._as_our_errors():
            draft = self._drafted(head)
            try:
                os.link(draft, self.path)
            except FileExistsError:
                hint = "open the ledger with it"
                raise Refused("the ledger has an anchor already", where=str(self.path), hint=hint) from None
            finally:
                draft.unlink()
            settle(self.path.parent)

    def move(self, head: Head) -> None:
        """The anchor holds `head` when this returns, also after a power cut; a kill may leave the one before: the
        ledger is then ahead of it. For one caller at a time, who has read it. Raises UsageError: it cannot be written.
        """
        with self._as_our_errors(), self.path.open("r+b") as file:
            raw = file.read(2 * _SLOT)
            if len(raw) < 2 * _SLOT:
                self.renew(head)
                return
            slots = self._slots(raw)
            if any(signed and not self._mine(signed) for signed in slots):
                return  # another process has handed it over to new keys, under which this one will go on in a moment
            first, second = (signed.seq if signed else -1 for signed in slots)
            file.seek(_SLOT if first > second else 0)
            file.write(_written(sign(head, self.site, self.federation, self.sign)))
            file.flush()
            os.fsync(file.fileno())

    def renew(self, head: Head) -> None:
        """A new file in place of the old one: both slots hold `head`. Raises UsageError: it cannot be written."""
        with self._as_our_errors():
            os.replace(self._drafted(head), self.path)
            settle(self.path.parent)

    def expects(self, ledger: Path) -> None:
        """Raises Refused: the ledger is gone, although there is an anchor for it."""
        # The ledger is made before its anchor: look at the anchor first, since another process may be making both.
        if self.read() is not None and not ledger.exists():
            hint = f"put the newest {ledger.name} back; without it nobody knows what was spent"
            raise Refused("the ledger is missing, its anchor is there", where=str(ledger), hint=hint)

    def hold(self, chain: Chain) -> None:
        """Compare with the ledger, then move to its end. A ledger ahead of its anchor was killed between the two.

        Raises Refused: the ledger is behind or forked, or holds entries although the anchor is gone.
        """
        with chain.change() as now:
            known = self.known(now)
            if known is None and now.seq:
                raise Refused(
                    f"the ledger has {now.seq} entries and its anchor is gone",
                    where=str(self.path),
                    hint="put it back; whoever trusts this ledger as it is may adopt it anew",
                )
            if known is not None:
                chain.holds(known)
            if known != now:
                self.renew(now)

    def _drafted(self, head: Head) -> Path:
        """The file's new content under another name, 0600 and on the disk: one name, so that kills leave one file."""
        draft = self.path.with_name(f".{self.path.name}.new")
        draft.unlink(missing_ok=True)
        handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, private.FILE)
        with open(handle, "wb") as file:
            file.write(2 * _written(sign(head, self.site, self.federation, self.sign)))
            file.flush()
            os.fsync(file.fileno())
        return draft

    @contextlib.contextmanager
    def _as_our_errors(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            hint = "check the folder, its permissions and its space"
            what = f"the ledger's anchor cannot be used ({error.strerror or error})"
            raise UsageError(what, where=str(self.path), hint=hint) from None
