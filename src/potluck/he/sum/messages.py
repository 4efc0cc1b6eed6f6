"""The messages of one threshold sum: fixed schemas, what is signed, and what boxes and vaults are sealed under.

Sites are named by their index in the plan's order. Whatever does not fit its schema is `Abort(MALFORMED)`; what fits
is still hostile until `site` or `server` has checked it. Polynomials are bytes here: `residues.read` checks them.
"""

from collections.abc import Iterable
from typing import Annotated

import msgspec

from potluck.core.party import Party
from potluck.core.rounds import Terms
from potluck.core.wire import Giver, Hash, Index, Message, OfSite, Signature, Signer
from potluck.secret.box import OVERHEAD, BoxPublic
from potluck.secret.container import Secret
from potluck.secret.shamir import SIZE
from potluck.secret.statement import indices, named
from potluck.secret.statement import session as named_session
from potluck.secret.stream import digest

KEYS = "he/keys"
ROSTER = "he/roster"
SHARE = "he/share"
RELAY = "he/relay"
INPUT = "he/input"
SURVIVORS = "he/survivors"
PARTIAL = "he/partial"
MISSING = "he/missing"
REBUILD = "he/rebuild"

ShareBox = Annotated[bytes, msgspec.Meta(min_length=SIZE + OVERHEAD, max_length=SIZE + OVERHEAD)]


class Advert(Message, frozen=True):
    """A site's keys of this round: the channel's, and its part b [2, N] of the joint key."""

    channel: BoxPublic
    part: bytes
    signature: Signature


class Listed(OfSite, frozen=True):
    """Who advertised what."""

    advert: Advert


class Roster(Message, frozen=True):
    """All adverts, in the plan's order. The roster's hash is over its bytes."""

    listed: tuple[Listed, ...]


class Note(OfSite, frozen=True):
    """One share of the key to the dealer's vault, sealed to its holder, and a commitment to it.

    site: the holder on the way to the server, the dealer on the way from it.
    """

    commitment: Hash
    box: ShareBox
    signature: Signature


class Dealt(Message, frozen=True):
    """All a site deals: its secret key in a vault, which the server keeps, and a note for everybody else."""

    vault: bytes
    notes: tuple[Note, ...]


class Relay(Message, frozen=True):
    """U2, those who dealt, the hashes of their vaults, and their notes to the receiver (its own left out)."""

    dealers: tuple[Index, ...]
    vaults: tuple[Hash, ...]
    notes: tuple[Note, ...]


class Input(Message, frozen=True):
    """A site's ciphertexts [c, 2, 2, N], and its signature over their hash."""

    ciphertexts: bytes
    signature: Signature


class Survivors(Message, frozen=True):
    """U3, those whose ciphertexts arrived, and the hash of U2 that it belongs to.

    bodies: with recheck the ciphertexts of every giver but the receiver, in order; without, the sum of all.
    """

    dealers: Hash
    givers: tuple[Giver, ...]
    bodies: tuple[bytes, ...]


class Partial(Message, frozen=True):
    """A partial decryption [c, 1, N] of the sum, and the site's signature over what it was asked to decrypt."""

    partial: bytes
    signature: Signature


class Missing(Message, frozen=True):
    """U4, those whose partial decryption arrived, each with its signature. All other dealers are missing."""

    signers: tuple[Signer, ...]


class Shares(Message, frozen=True):
    """The shares of the missing dealers' vault keys that one site holds, in order: 32 bytes each, hidden in print."""

    shares: bytes

    def __repr__(self) -> str:
        return f"Shares({len(self.shares)} bytes)"

    def __rich_repr__(self) -> list[tuple[str, object]]:
        return [("bytes", len(self.shares))]


def session(terms: Terms) -> bytes:
    """32 bytes that name protocol, version, terms and round."""
    return named_session(b"potluck he 1", terms)


def seed(terms: Terms) -> bytes:
    """The public seed of the round's common polynomial: it follows from the round, so that nobody chose it."""
    return digest(b"potluck he common 1", session(terms))


def advert_statement(terms: Terms, party: Party, advert: Advert) -> bytes:
    """What a site signs to advertise its keys."""
    return b"potluck he advert 1\0" + digest(session(terms), named(party), advert.channel, advert.part)


def roster_hash(terms: Terms, body: bytes) -> bytes:
    """32 bytes over everything that the roster says, in this round."""
    return digest(b"potluck he roster 1", session(terms), body)


def note_statement(roster: bytes, dealer: Party, to: Party, vault: bytes, note: Note) -> bytes:
    """What a dealer signs for each holder. vault: the hash of the dealer's vault."""
    return b"potluck he note 1\0" + digest(roster, named(dealer), named(to), vault, note.commitment, note.box)


def box_info(roster: bytes, dealer: Party, to: Party) -> bytes:
    """What a share is sealed under: it opens in no other roster and direction."""
    return b"potluck he box 1\0" + digest(roster, named(dealer), named(to))


def vault_info(roster: bytes, dealer: Party) -> bytes:
    """What a vault is locked for."""
    return b"potluck he vault 1\0" + digest(roster, named(dealer))


def commitment(roster: bytes, dealer: Party, holder: Party, share: Secret) -> bytes:
    """SHA-256 of a uniform 32-byte share and its place: binding, and hiding since nobody can guess the share."""
    return digest(b"potluck he commitment 1", roster, named(dealer), named(holder), share.expose())


def input_statement(roster: bytes, dealers: Iterable[int], party: Party, body: bytes) -> bytes:
    """What a site signs about its ciphertexts. body: their hash."""
    return b"potluck he input 1\0" + digest(roster, indices(dealers), named(party), body)


def survivors_statement(roster: bytes, dealers: Iterable[int], givers: Iterable[Giver]) -> bytes:
    """What a site signs about what it decrypts: whose key, whose ciphertexts, and which ciphertexts."""
    listed = tuple(givers)
    hashes = b"".join(giver.hash for giver in listed)
    return b"potluck he survivors 1\0" + digest(roster, indices(dealers), indices(g.site for g in listed), hashes)
