"""The messages of one masked sum: fixed schemas with fixed sizes, what is signed, and what boxes are sealed under.

Sites are named by their index in the plan's order. Whatever does not fit its schema is `Abort(MALFORMED)`; what fits
is still hostile until `site` or `server` has checked it.
"""

from collections.abc import Iterable
from typing import Annotated

import msgspec

from potluck.core.party import Party
from potluck.core.rounds import Terms
from potluck.core.wire import Hash, Index, Message, OfSite, Signature, Signer
from potluck.mpc.mask.pairs import session
from potluck.secret.box import OVERHEAD, BoxPublic
from potluck.secret.container import Secret
from potluck.secret.shamir import SIZE
from potluck.secret.statement import indices, named
from potluck.secret.stream import digest

ADVERTISE = "mask/advertise"
ROSTER = "mask/roster"
SHARE = "mask/share"
RELAY = "mask/relay"
INPUT = "mask/input"
SURVIVORS = "mask/survivors"
SIGN = "mask/sign"
SIGNED = "mask/signed"
UNMASK = "mask/unmask"

ShareBox = Annotated[bytes, msgspec.Meta(min_length=2 * SIZE + OVERHEAD, max_length=2 * SIZE + OVERHEAD)]
HalfBox = Annotated[bytes, msgspec.Meta(min_length=SIZE + OVERHEAD, max_length=SIZE + OVERHEAD)]


class Advert(Message, frozen=True):
    """A site's keys of this round: the channel's (fresh), the mask's and the pair's (from its root), and its picks."""

    channel: BoxPublic
    mask: Hash
    pair: BoxPublic
    picks: tuple[Index, ...]
    signature: Signature

    @property
    def public(self) -> tuple[bytes, bytes]:
        """(X25519 mask key, pair box key)."""
        return self.mask, self.pair


class Listed(OfSite, frozen=True):
    """Who advertised what."""

    advert: Advert


class Roster(Message, frozen=True):
    """All adverts, in the plan's order, and the server's box key of this round. The roster's hash is over its bytes."""

    server: BoxPublic
    listed: tuple[Listed, ...]


class Kept(Message, frozen=True):
    """Commitments to one holder's shares of the dealer's root and of its self-mask seed."""

    root: Hash
    seed: Hash


class Shares(Message, frozen=True):
    """Both shares for one holder, sealed to its channel key, and commitments to them."""

    kept: Kept
    box: ShareBox


class DealtHalf(Message, frozen=True):
    """The dealer's half of the pair's secret, sealed to the later site's pair key, and a commitment to it."""

    commitment: Hash
    box: HalfBox


class Note(Message, frozen=True):
    """What one site deals to another: shares if the other holds them, the pair's half if the other comes later."""

    shares: Shares | None
    half: DealtHalf | None
    signature: Signature


class Addressed(OfSite, frozen=True):
    """A note and its other end: the receiver on the way to the server, the dealer on the way from it."""

    note: Note


class Dealt(Message, frozen=True):
    """All a site deals: a commitment to its seed, those to the shares that it keeps itself, and a note a neighbour."""

    seed: Hash
    own: Kept | None
    notes: tuple[Addressed, ...]


class Relay(Message, frozen=True):
    """U2, those who dealt, and their notes to the receiver."""

    dealers: tuple[Index, ...]
    notes: tuple[Addressed, ...]


class Survivors(Message, frozen=True):
    """U3, those whose masked input arrived, and the hash of U2 that it belongs to."""

    dealers: Hash
    givers: tuple[Index, ...]


class Signed(Message, frozen=True):
    """One site's signature over the survivor set."""

    signature: Signature


class Signatures(Message, frozen=True):
    """Signatures over the same survivor set, in the plan's order."""

    signers: tuple[Signer, ...]


def advert_statement(terms: Terms, party: Party, advert: Advert) -> bytes:
    """What a site signs to advertise its keys and picks."""
    keys = (advert.channel, advert.mask, advert.pair)
    return b"potluck mask advert 1\0" + digest(session(terms), named(party), *keys, indices(advert.picks))


def note_statement(roster: bytes, dealer: Party, to: Party, note: Note) -> bytes:
    """What a dealer signs for each neighbour: roster, both ends, commitments and boxes."""
    shares, half = note.shares, note.half
    parts = (b"", b"", b"") if shares is None else (shares.kept.root, shares.kept.seed, shares.box)
    more = (b"", b"") if half is None else (half.commitment, half.box)
    return b"potluck mask note 1\0" + digest(roster, named(dealer), named(to), SHARE.encode(), *parts, *more)


def survivors_statement(terms: Terms, roster: bytes, dealers: Iterable[int], givers: Iterable[int]) -> bytes:
    """What a site signs about a survivor set: one set a round."""
    return b"potluck mask survivors 1\0" + digest(session(terms), roster, indices(dealers), indices(givers))


def box_info(roster: bytes, sender: Party, to: Party, step: str) -> bytes:
    """What a box is sealed under: it opens in no other roster, direction or step."""
    return b"potluck mask box 1\0" + digest(roster, named(sender), named(to), step.encode())


def server_info(roster: bytes, sender: Party) -> bytes:
    """What a site's two messages to the server's key of the round are sealed under, each bound to its step."""
    return b"potluck mask to server 1\0" + digest(roster, named(sender))


def commitment(roster: bytes, dealer: Party, holder: Party, kind: str, value: Secret) -> bytes:
    """SHA-256 of a uniform 32-byte value and its place: binding, and hiding since nobody can guess the value."""
    return digest(b"potluck mask commitment 1", roster, named(dealer), named(holder), kind.encode(), value.expose())


def roster_hash(terms: Terms, body: bytes) -> bytes:
    """32 bytes over everything that the roster says, in this round."""
    return digest(b"potluck mask roster 1", session(terms), body)
