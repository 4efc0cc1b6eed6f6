"""Signed letters: who sends what to whom, in which round and step, under the sender's pinned key.

Layout: 4 bytes magic and version, 4 bytes header length, header (MessagePack, fixed schema), 64 bytes Ed25519
signature over (tag, federation, header, SHA-256 of the body), body.

A closed letter is the same with its body sealed to the receiver (HPKE, `secret.context`), in a context of its own for
each round, sender and receiver (the `info`) and bound to its header: whoever carries it learns sizes and labels, and
cannot have it opened as anybody else's or as another step. The box comes first and the signature over it, so that
nothing unsigned is ever opened.
It does NOT give forward secrecy against theft of the receiver's long-term key: protections seal once more to keys of
the round.
"""

from collections.abc import Callable
from hashlib import sha256
from typing import Protocol

import msgspec

from potluck.core.party import Party, Role
from potluck.core.rounds import Abort, Cause, Label, Parcel, RoundId
from potluck.core.slices import LONG, PIECE, Sliced, slices, whole
from potluck.core.wire import dump, load
from potluck.secret.context import OVERHEAD, Receivers, Senders
from potluck.secret.keys import Roster, SigningKey
from potluck.secret.spool import Spooled

MAGIC = b"PLK\x02"
"""The last byte is the version of the format: another one for every change of what a letter looks like."""
MAX_HEADER, SIGNATURE = 1024, 64
_TAG = b"potluck letter 1\0"
_BOX_TAG = b"potluck closed letter 2\0"


class _Hash(Protocol):
    """What `hashlib` makes."""

    def digest(self) -> bytes: ...


class Header(msgspec.Struct, frozen=True, array_like=True):
    """Everything a letter says about itself."""

    run: str
    number: int
    step: str
    from_role: Role
    from_name: str
    to_role: Role
    to_name: str


def seal(key: SigningKey, federation: bytes, sender: Party, to: Party, parcel: Parcel) -> bytes:
    """A signed letter. federation: what it is bound to, so that no letter is valid elsewhere."""
    body = parcel.body[:]
    return b"".join((_signed(key, federation, _header(sender, to, parcel.label), sha256(body)), body))


def unseal(roster: Roster, federation: bytes, me: Party, letter: Sliced) -> tuple[Party, Parcel]:
    """The verified (sender, parcel) of a letter to `me`. Raises Abort(MALFORMED or SIGNATURE)."""
    header, raw = _read(letter)
    sender, label = _verified(roster, federation, me, letter, header, raw)
    return sender, Parcel(label, letter[_end(raw) :])


def close(key: SigningKey, senders: Senders, federation: bytes, sender: Party, to: Party, parcel: Parcel) -> Sliced:
    """A signed letter whose body only `to` can read. A long one lies in a file; the body is not needed any more.

    Raises UsageError: there is no room for that. KeyError: `senders` know no box key of `to`.
    """
    header = _header(sender, to, parcel.label)
    context = senders.to(to, _info(federation, sender, to, parcel.label.round))
    if len(parcel.body) <= LONG:
        sealed = context.seal(whole(parcel.body), header)
        return b"".join((_signed(key, federation, header, sha256(sealed)), sealed))
    at = _end(header)
    letter, state = Spooled(at + len(parcel.body) + OVERHEAD), sha256()
    for piece in context.pieces(parcel.body, header):
        state.update(piece)
        letter.write(at, piece)
        at += len(piece)
    letter.write(0, _signed(key, federation, header, state))
    return letter


def disclose(
    roster: Roster, receivers: Receivers, bound: Callable[[RoundId], bytes], me: Party, letter: Sliced
) -> tuple[Party, Parcel]:
    """The verified (sender, parcel) of a closed letter to `me`. bound: what letters of a round are bound to.

    A long body is opened as it is read. Raises Abort(MALFORMED, SIGNATURE or BOX).
    """
    header, raw = _read(letter)
    federation = bound(RoundId(header.run, header.number))
    sender, label = _verified(roster, federation, me, letter, header, raw)
    info = _info(federation, sender, me, label.round)
    return sender, Parcel(label, receivers.opened(sender, letter, _end(raw), info, raw))


def sender_of(roster: Roster, bound: Callable[[RoundId], bytes], me: Party, letter: Sliced) -> Party:
    """Who signed a closed letter to `me`; it is not opened. Raises Abort(MALFORMED or SIGNATURE)."""
    header, raw = _read(letter)
    return _verified(roster, bound(RoundId(header.run, header.number)), me, letter, header, raw)[0]


def claimed(letter: Sliced) -> RoundId:
    """The run and round that a letter says it is of: NOT verified, only to find the keys to verify it with.

    Raises Abort(MALFORMED).
    """
    header, _ = _read(letter)
    return RoundId(header.run, header.number)


def _header(sender: Party, to: Party, label: Label) -> bytes:
    header = dump(Header(label.round.run, label.round.number, label.step, sender.role, sender.name, to.role, to.name))
    if len(header) > MAX_HEADER:
        raise ValueError("a letter's header is at most 1024 bytes long: shorten the names")
    return header


def _end(header: bytes) -> int:
    """Where the body begins."""
    return 8 + len(header) + SIGNATURE


def _signed(key: SigningKey, federation: bytes, header: bytes, body: _Hash) -> bytes:
    """All of a letter but its body."""
    signature = key.sign(_message(federation, header, body))
    return b"".join((MAGIC, len(header).to_bytes(4, "big"), header, signature))


def _message(federation: bytes, header: bytes, body: _Hash) -> bytes:
    return _TAG + sha256(federation).digest() + header + body.digest()


def _info(federation: bytes, sender: Party, to: Party, round_: RoundId) -> bytes:
    """Of all letters from one to another in a round: a header without a step."""
    return _BOX_TAG + sha256(federation).digest() + _header(sender, to, Label(round_, ""))


def _read(letter: Sliced) -> tuple[Header, bytes]:
    """The header, unverified, and its bytes, which are the only ones that say so. Raises Abort(MALFORMED)."""
    start = bytes(letter[:4])
    if start[:3] == MAGIC[:3] and start != MAGIC:
        raise Abort(Cause.MALFORMED, detail="of another version of potluck: update all parties")
    if len(letter) < 72 or start != MAGIC:
        raise Abort(Cause.MALFORMED, detail="not a letter")
    size = int.from_bytes(bytes(letter[4:8]), "big")
    if size > MAX_HEADER or len(letter) < 72 + size:
        raise Abort(Cause.MALFORMED, detail="a letter is cut short")
    raw = bytes(letter[8 : 8 + size])
    return load(raw, Header), raw


def _verified(
    roster: Roster, federation: bytes, me: Party, letter: Sliced, header: Header, raw: bytes
) -> tuple[Party, Label]:
    end, state = _end(raw), sha256()
    for part in slices(len(letter), PIECE, end):
        state.update(letter[part])
    sender = Party(header.from_role, header.from_name)
    roster.verify(sender, _message(federation, raw, state), bytes(letter[end - SIGNATURE : end]))
    if Party(header.to_role, header.to_name) != me:
        raise Abort(Cause.SIGNATURE, party=sender, detail="a letter for somebody else")
    return sender, Label(RoundId(header.run, header.number), header.step)
