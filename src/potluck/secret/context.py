"""Several messages under one encapsulation: HPKE's contexts (RFC 9180, section 5.2), one a sender, receiver and info.

A message is encapsulation, number (8 bytes), sealed bytes. Its nonce is the context's base nonce XOR its number, and
what it is bound to is authenticated with it. An encapsulation costs as much as all else of a short letter, so it is
made once; it travels with every message all the same, and so does the number: a message that is lost, repeated or
overtaken keeps no other from being opened, and the receiver owes no memory (what it keeps of a sender saves time).
RFC 9180 leaves order, loss and repetition to whoever uses it (section 9.7); here they are the desk's.

No number comes twice under one key: the sender alone counts, in its process's memory, and a process that starts again
has another context. Any number opens: a repeated message is the same one again, and no second one can be made under
its number but by the sender. As long as a process holds a context, who reads its memory opens what that process sealed
in it, so a context lasts for one info, and the one before is dropped with the first message of the next.
"""

from collections.abc import Iterator, Mapping
from hashlib import sha256
from itertools import count

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from potluck.core.party import Party
from potluck.core.rounds import Abort, Cause
from potluck.core.slices import LONG, Bytes, Sliced
from potluck.secret import long_box
from potluck.secret.box import BoxKey, PublicBoxKey
from potluck.secret.schedule import HEAD, TAG, Schedule

_NUMBER = 8
_START = HEAD + _NUMBER
OVERHEAD = _START + TAG


class Sending:
    """One context, the sender's end."""

    def __init__(self, box: PublicBoxKey, info: bytes) -> None:
        self.info = info
        self._head, self._schedule = box.encapsulated(info)
        self._aead = AESGCM(self._schedule.key.expose())
        self._numbers = count()

    def seal(self, plaintext: Bytes, bound: bytes) -> bytes:
        """plaintext of n bytes -> a message of n + OVERHEAD bytes."""
        number = next(self._numbers)
        sealed = self._aead.encrypt(self._schedule.nonce_of(number), plaintext, bound)
        return b"".join((self._head, number.to_bytes(_NUMBER, "big"), sealed))

    def pieces(self, plaintext: Sliced, bound: bytes) -> Iterator[bytes]:
        """The same in pieces that follow each other: neither message nor plaintext need be held."""
        number = next(self._numbers)
        yield self._head + number.to_bytes(_NUMBER, "big")
        yield from long_box.pieces(plaintext, self._schedule.key, self._schedule.nonce_of(number), bound)


class Senders:
    """The contexts in which one party seals: at most one a receiver, that of the last info."""

    def __init__(self, boxes: Mapping[Party, PublicBoxKey]) -> None:
        self._boxes = boxes
        self._open: dict[Party, Sending] = {}

    def apart(self) -> "Senders":
        """To the same parties, in contexts of its own."""
        return Senders(self._boxes)

    def forget(self) -> None:
        """Let go of all contexts, as at the end of a round: the next letter begins another."""
        self._open.clear()

    @property
    def parties(self) -> frozenset[Party]:
        """All that one may write to."""
        return frozenset(self._boxes)

    def to(self, party: Party, info: bytes) -> Sending:
        """The context towards a party. Raises KeyError: nobody I write to."""
        found = self._open.get(party)
        if found is None or found.info != info:
            found = self._open[party] = Sending(self._boxes[party], info)
        return found


class Receivers:
    """The contexts in which one party opens: of each sender the last one is kept, since more mostly follows in it."""

    def __init__(self, key: BoxKey) -> None:
        self._key = key
        self._kept: dict[Party, tuple[bytes, Schedule, AESGCM]] = {}

    def apart(self) -> "Receivers":
        """With the same key, and contexts of its own."""
        return Receivers(self._key)

    def opened(self, sender: Party, message: Sliced, start: int, info: bytes, bound: bytes) -> Sliced:
        """What `sender` sealed, which where it is long is opened as it is read. start: where the message begins. To be
        asked only once it is known who sent it. Raises Abort(BOX), at once: it does not open."""
        size = len(message) - start - OVERHEAD
        if size < 0:
            raise Abort(Cause.BOX)
        begin = start + _START
        head = bytes(message[start : start + HEAD])
        schedule, aead = self._context(sender, head, info)
        nonce = schedule.nonce_of(int.from_bytes(bytes(message[start + HEAD : begin]), "big"))
        if size > LONG:
            return long_box.LongBox(message, begin, schedule.key, nonce, bound)
        try:
            return aead.decrypt(nonce, message[begin:], bound)
        except InvalidTag:
            raise Abort(Cause.BOX) from None

    def _context(self, sender: Party, head: bytes, info: bytes) -> tuple[Schedule, AESGCM]:
        name = sha256(head + info).digest()
        kept = self._kept.get(sender)
        if kept is None or kept[0] != name:
            schedule = self._key.decapsulated(head, info)
            kept = self._kept[sender] = name, schedule, AESGCM(schedule.key.expose())
        return kept[1], kept[2]
