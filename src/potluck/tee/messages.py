"""The messages of one sum in an enclave: fixed schemas, and what is signed and sealed.

Sites are named by their index in the plan's order. The host carries all of it; the enclave and the owners believe
only what is signed by a pinned key, or by the key that evidence binds.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from potluck.core.party import Party, Role
from potluck.core.rounds import Abort, Cause
from potluck.core.wire import Hash, Index, Signature
from potluck.secret.box import BoxPublic
from potluck.secret.keys import Roster
from potluck.secret.stream import digest

NONCE = "tee/nonce"
EVIDENCE = "tee/evidence"
INPUT = "tee/input"
SURVIVORS = "tee/survivors"
CONFIRM = "tee/confirm"


class Nonce(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """An owner's fresh challenge, and the hash of the policy under which it will judge the answer."""

    nonce: Hash
    policy: Hash
    signature: Signature


class Shown(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """Evidence for one owner's challenge, with the enclave's public keys of this boot."""

    box: BoxPublic
    sign: Hash
    format: str
    raw: bytes
    endorsements: tuple[bytes, ...]


class Input(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """An owner's words, sealed to the enclave, and its signature over their hash and over whom it sealed them to."""

    sealed: bytes
    signature: Signature


class Giver(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """Whose parcel the enclave opened, the parcel's hash, and the owner's signature over it."""

    site: Index
    hash: Hash
    signature: Signature


class Survivors(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """Whose parcels the enclave has opened, signed by the enclave."""

    givers: tuple[Giver, ...]
    signature: Signature


class Confirmed(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """One owner's signature over the set of givers: it signs one set for what may be opened once."""

    signature: Signature


class Signer(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """Whose signature it is."""

    site: Index
    signature: Signature


class Signers(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """Confirmations, as the host hands them to the enclave."""

    signers: tuple[Signer, ...]


class Parcel(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """One owner's input, with the evidence and policy that it sealed under, as the host hands it to the enclave."""

    site: Index
    evidence: Hash
    policy: Hash
    input: Input


def nonce_statement(session: bytes, site: bytes, nonce: bytes, policy: bytes) -> bytes:
    """What an owner signs to ask for evidence."""
    return b"potluck tee nonce 1\0" + digest(session, site, nonce, policy)


def evidence_hash(shown: Shown) -> bytes:
    """32 bytes over everything that was shown."""
    parts = (shown.box, shown.sign, shown.format.encode(), shown.raw, *shown.endorsements)
    return digest(b"potluck tee evidence 1", *parts)


def parcel_info(session: bytes, site: bytes, evidence: bytes, policy: bytes) -> bytes:
    """What a parcel is sealed under: it opens in no other round, in nobody else's name, under no other evidence."""
    return b"potluck tee parcel 1\0" + digest(session, site, evidence, policy)


def input_statement(session: bytes, site: bytes, sign: bytes, sealed: bytes) -> bytes:
    """What an owner signs about its parcel. sign: the enclave's key; sealed: the parcel's hash."""
    return b"potluck tee input 1\0" + digest(session, site, sign, sealed)


def survivors_statement(session: bytes, sign: bytes, givers: Iterable[Giver]) -> bytes:
    """What enclave and owners sign about a set of givers."""
    listed = tuple(givers)
    sites = b"".join(one.site.to_bytes(4, "big") for one in listed)
    return b"potluck tee survivors 1\0" + digest(session, sign, sites, b"".join(one.hash for one in listed))


def output_statement(session: bytes, sign: bytes, givers: bytes, words: bytes) -> bytes:
    """What the enclave signs about what it opened. givers: hash of the survivors statement; words: their hash."""
    return b"potluck tee output 1\0" + digest(session, sign, givers, words)


def check_enclave(key: bytes, statement: bytes, signature: bytes) -> None:
    """Raises Abort(SIGNATURE): the enclave's key of this boot did not sign it, or is none."""
    enclave = Party(Role.ENCLAVE, "enclave")
    try:
        Roster({enclave: key}).verify(enclave, statement, signature)
    except ValueError:
        raise Abort(Cause.SIGNATURE, party=enclave, detail="its key is malformed") from None
