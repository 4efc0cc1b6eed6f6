"""Signed letters: who sends what to whom, in which round and step, under the sender's pinned key.

Layout: 4 bytes magic and version, 4 bytes header length, header (MessagePack, fixed schema), 64 bytes Ed25519
signature over (tag, federation, header, SHA-256 of the body), body.

A closed letter is the same with its body sealed to the receiver (HPKE, `secret.box`), under an `info` that names
federation, round, step, sender and receiver: whoever carries it learns sizes and labels, and cannot have it opened as
anybody else's. The box comes first and the signature over it, so that nothing unsigned is ever opened.
It does NOT give forward secrecy against theft of the receiver's long-term key: protections seal once more to keys of
the round.
"""

import hashlib
from collections.abc import Callable

import msgspec

from potluck.core.party import Party, Role
from potluck.core.rounds import Abort, Cause, Label, Parcel, RoundId
from potluck.core.wire import dump, load
from potluck.secret.box import BoxKey, PublicBoxKey
from potluck.secret.keys import Roster, SigningKey

MAGIC = b"PLK\x01"
MAX_HEADER = 1024
_TAG = b"potluck letter 1\0"
_BOX_TAG = b"potluck closed letter 1\0"


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
    return _signed(key, federation, _header(sender, to, parcel.label), parcel.body)


def unseal(roster: Roster, federation: bytes, me: Party, letter: bytes) -> tuple[Party, Parcel]:
    """The verified (sender, parcel) of a letter to `me`. Raises Abort(MALFORMED or SIGNATURE)."""
    header, raw = _read(letter)
    return _verified(roster, federation, me, letter, header, raw)


def close(key: SigningKey, box: PublicBoxKey, federation: bytes, sender: Party, to: Party, parcel: Parcel) -> bytes:
    """A signed letter whose body only `to`, the holder of `box`, can read."""
    header = _header(sender, to, parcel.label)
    return _signed(key, federation, header, box.seal(parcel.body, _info(federation, header)))


def disclose(
    roster: Roster, box: BoxKey, bound: Callable[[RoundId], bytes], me: Party, letter: bytes
) -> tuple[Party, Parcel]:
    """The verified (sender, parcel) of a closed letter to `me`. bound: what letters of a round are bound to.

    Raises Abort(MALFORMED, SIGNATURE or BOX).
    """
    header, raw = _read(letter)
    federation = bound(RoundId(header.run, header.number))
    sender, sealed = _verified(roster, federation, me, letter, header, raw)
    return sender, Parcel(sealed.label, box.unseal(sealed.body, _info(federation, raw)))


def _header(sender: Party, to: Party, label: Label) -> bytes:
    header = dump(Header(label.round.run, label.round.number, label.step, sender.role, sender.name, to.role, to.name))
    if len(header) > MAX_HEADER:
        raise ValueError("a letter's header is at most 1024 bytes long: shorten the names")
    return header


def _signed(key: SigningKey, federation: bytes, header: bytes, body: bytes) -> bytes:
    signature = key.sign(_message(federation, header, body))
    return b"".join((MAGIC, len(header).to_bytes(4, "big"), header, signature, body))


def _message(federation: bytes, header: bytes, body: bytes) -> bytes:
    return _TAG + hashlib.sha256(federation).digest() + header + hashlib.sha256(body).digest()


def _info(federation: bytes, header: bytes) -> bytes:
    return _BOX_TAG + hashlib.sha256(federation).digest() + header


def _read(letter: bytes) -> tuple[Header, bytes]:
    """The header, unverified, and its bytes, which are the only ones that say so. Raises Abort(MALFORMED)."""
    if len(letter) < 72 or letter[:4] != MAGIC:
        raise Abort(Cause.MALFORMED, detail="not a letter of this version")
    size = int.from_bytes(letter[4:8], "big")
    if size > MAX_HEADER or len(letter) < 72 + size:
        raise Abort(Cause.MALFORMED, detail="a letter is cut short")
    raw = letter[8 : 8 + size]
    return load(raw, Header), raw


def _verified(
    roster: Roster, federation: bytes, me: Party, letter: bytes, header: Header, raw: bytes
) -> tuple[Party, Parcel]:
    end = 8 + len(raw)
    signature, body = letter[end : end + 64], letter[end + 64 :]
    sender = Party(header.from_role, header.from_name)
    roster.verify(sender, _message(federation, raw, body), signature)
    if Party(header.to_role, header.to_name) != me:
        raise Abort(Cause.SIGNATURE, party=sender, detail="a letter for somebody else")
    return sender, Parcel(Label(RoundId(header.run, header.number), header.step), body)
