"""The messages of one sum in an enclave: fixed schemas, and what is signed and sealed.

Sites are named by their index in the plan's order. The host carries all of it; the enclave and the owners believe
only what is signed by a pinned key, or by the key that evidence binds.
"""

from collections.abc import Iterable

from potluck.core.wire import Giver, Hash, Index, Message, Signature, Signer
from potluck.secret.stream import digest

INPUT = "tee/input"
SURVIVORS = "tee/survivors"
CONFIRM = "tee/confirm"


class Input(Message, frozen=True):
    """An owner's words, sealed to the enclave, and its signature over their hash and over whom it sealed them to."""

    sealed: bytes
    signature: Signature


class Survivors(Message, frozen=True):
    """Whose parcels the enclave has opened, signed by the enclave."""

    givers: tuple[Giver, ...]
    signature: Signature


class Confirmed(Message, frozen=True):
    """One owner's signature over the set of givers: it signs one set for what may be opened once."""

    signature: Signature


class Signers(Message, frozen=True):
    """Confirmations, as the host hands them to the enclave."""

    signers: tuple[Signer, ...]


class Parcel(Message, frozen=True):
    """One owner's input, with the evidence and policy that it sealed under, as the host hands it to the enclave."""

    site: Index
    evidence: Hash
    policy: Hash
    input: Input


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
