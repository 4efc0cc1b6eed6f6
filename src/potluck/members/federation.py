"""The federation: who belongs to it, where its broker is, signed by the coordinator and versioned.

The coordinator decides who is a member; members see each other's keys and can compare them (`site join` prints all).
The signature keeps the broker, the mail and a stranger from changing the list. It does not keep a coordinator from
listing a member under a key of its own: only comparing fingerprints does.
"""

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import NoReturn

import msgspec
from cryptography import x509

from potluck.core.errors import Refused, UsageError
from potluck.core.party import SERVER, Party, Role
from potluck.core.rounds import Abort
from potluck.core.spelling import normal
from potluck.core.visible import visible
from potluck.core.wire import dump
from potluck.members.card import Card, fingerprint
from potluck.members.names import checked_name
from potluck.members.tables import moment
from potluck.secret.keys import Roster, SigningKey

DAYS = 365
MEMBERS = (Role.SITE, Role.COMPUTE)
SKEW = 3600
"""Seconds that a member's clock may be behind the coordinator's."""
AHEAD = (
    "one clock is wrong: set this machine's right; if it is, the coordinator's was ahead when it signed: it sets its "
)
AHEAD += "clock right and runs potluck federation rotate again"
_ADDRESS = re.compile(r"tls://(\[(?P<six>[0-9A-Fa-f:.]+)\]|(?P<host>[A-Za-z0-9.-]+)):(?P<port>[1-9][0-9]{0,4})")
_TAG, _LATER = b"potluck federation 1\0", b"potluck federation 2\0"
_HANDOVER = b"potluck handover 1\0"
NODES = (1, 3)
"""How many nodes a broker may have: of two each would need the other."""
_LATEST = 253402300799  # the last second that a TOML time can say


class _Statement(msgspec.Struct, frozen=True, array_like=True):
    id: str
    version: int
    old: bytes
    new: bytes


class _Content(msgspec.Struct, frozen=True, array_like=True):
    name: str
    id: str
    version: int
    issued: int
    expires: int
    broker: str
    ca: str
    cards: tuple[tuple[bytes, bytes], ...]
    handovers: tuple[tuple[int, bytes, bytes, bytes], ...]


@dataclass(frozen=True)
class Handover:
    """The old key says: from this version on, the new one is the coordinator's. 32, 32 and 64 bytes."""

    version: int
    old: bytes
    new: bytes
    signature: bytes = field(repr=False)

    def verify(self, federation: str) -> None:
        """Raises Refused: the old key did not say so, or said it of another federation."""
        message = _HANDOVER + dump(_Statement(federation, self.version, self.old, self.new))
        try:
            Roster({SERVER: self.old}).verify(SERVER, message, self.signature)
        except Abort:
            _forged("the hand-over to the coordinator's new key is not signed by the old one")


def hand_over(federation: str, version: int, old: SigningKey, new: bytes) -> Handover:
    """The old key's word for the new one, in force from `version` on."""
    message = _HANDOVER + dump(_Statement(federation, version, old.public, new))
    return Handover(version, old.public, new, old.sign(message))


@dataclass(frozen=True)
class Federation:
    """id: 16 bytes in hex; version: 1, 2, ...; issued, expires: unix seconds; ca: PEM; broker: `tls://host:port`,
    or those of its three nodes with commas between; oldest: runs that began under a version below it end at once, for
    keys of then may be stolen (0: none do)."""

    name: str
    id: str
    version: int
    issued: int
    expires: int
    broker: str
    ca: str = field(repr=False)
    coordinator: Card
    members: tuple[Card, ...]
    handovers: tuple[Handover, ...] = ()
    oldest: int = 0

    @property
    def canonical(self) -> bytes:
        """Everything the coordinator signs, the same bytes for the same federation."""
        cards = tuple((card.canonical, card.signature) for card in (self.coordinator, *self.members))
        links = tuple((link.version, link.old, link.new, link.signature) for link in self.handovers)
        head = (self.name, self.id, self.version, self.issued, self.expires, self.broker, self.ca)
        content = dump(_Content(*head, cards, links))
        return _LATER + self.oldest.to_bytes(8, "big") + content if self.oldest else _TAG + content

    @property
    def digest(self) -> bytes:
        """32 bytes that name this version and all it says; they enter every letter of a round, and what its parties
        agree on."""
        return hashlib.sha256(self.canonical).digest()

    @property
    def cards(self) -> Mapping[Party, Card]:
        """Every card, the coordinator's first."""
        return {card.party: card for card in (self.coordinator, *self.members)}

    @property
    def sites(self) -> tuple[Party, ...]:
        """The member sites, in the order of their names."""
        return tuple(card.party for card in self.members if card.party.role is Role.SITE)

    @property
    def computes(self) -> tuple[Party, ...]:
        """The members that compute for others, in the order of their names. One may be called as a site is."""
        return tuple(card.party for card in self.members if card.party.role is Role.COMPUTE)

    @property
    def addresses(self) -> tuple[tuple[str, int], ...]:
        """Host and port of each of the broker's nodes. Raises UsageError: not `tls://host:port`."""
        return broker_addresses(self.broker)

    def roster(self) -> Roster:
        """The signing keys of all parties."""
        return Roster({party: card.signing for party, card in self.cards.items()})

    def boxes(self) -> Mapping[Party, bytes]:
        """The box keys of all parties, 1216 bytes each."""
        return {party: card.box for party, card in self.cards.items()}

    def users(self) -> Mapping[Party, str]:
        """The broker's users: every party's public nkey `U...`."""
        return {party: card.nkey for party, card in self.cards.items()}

    def verify(self, signature: bytes) -> None:
        """Raises UsageError: malformed. Refused: not signed by the coordinator it names, a false card, shared keys."""
        self._shape()
        for card in (self.coordinator, *self.members):
            card.verify()
        _distinct((self.coordinator, *self.members))
        self._chain()
        try:
            Roster({SERVER: self.coordinator.signing}).verify(SERVER, self.canonical, signature)
        except Abort:
            _forged("the federation file is not signed by the coordinator that it names")

    def current(self, now: float) -> None:
        """Raises Refused: expired, or issued more than an hour from now. now: unix seconds."""
        if now >= self.expires:
            what = f"version {self.version} expired on {moment(self.expires):%Y-%m-%d %H:%M} UTC"
            hint = (
                "is this clock right? Then, coordinator: `potluck federation rotate FOLDER`; sites: join the new file"
            )
            raise Refused(what, where=f"federation {visible(self.name)}", hint=hint)
        if self.issued > now + SKEW:
            what = f"version {self.version} was issued on {moment(self.issued):%Y-%m-%d %H:%M} UTC, still to come"
            raise Refused(what, where=f"federation {visible(self.name)}", hint=AHEAD)

    def _shape(self) -> None:
        checked_name(self.name, "federation")
        if not re.fullmatch("[0-9a-f]{32}", self.id):
            raise UsageError("the federation's id is not 16 bytes in hex")
        if not 1 <= self.version < 2**53 or not 0 <= self.issued < self.expires <= _LATEST:
            raise UsageError("the federation's version or times make no sense")
        if not 0 <= self.oldest <= self.version:
            raise UsageError("the oldest version whose runs may go on is none of this federation's")
        broker_addresses(self.broker)
        _authority(self.ca)
        if self.coordinator.party != SERVER or any(card.party.role not in MEMBERS for card in self.members):
            raise UsageError("the coordinator's card must be a server's, every member's a site's or a compute party's")
        names = [place(card.party) for card in self.members]
        if names != sorted(names):
            raise UsageError("the members are not in the order of their names")

    def _chain(self) -> None:
        """Each hand-over is true and goes on from the one before, up to the coordinator's key of now."""
        for link in self.handovers:
            link.verify(self.id)
        keys = [link.old for link in self.handovers] + [self.coordinator.signing]
        versions = [0, *(link.version for link in self.handovers)]
        follows = all(link.new == key for link, key in zip(self.handovers, keys[1:], strict=True))
        rising = all(a < b for a, b in pairwise(versions)) and versions[-1] <= self.version
        if not follows or not rising or len(set(keys)) < len(keys):
            _forged("the hand-overs of the coordinator's key do not lead to the key it has")


def titled(version: int, digest: bytes) -> str:
    """A version of a federation file as people compare it."""
    return f"version {version} (sha256:{digest.hex()})"


def place(party: Party) -> tuple[str, str]:
    """By what members are put in order."""
    return party.name, party.role.value


def accept(offered: Federation, pinned: Federation, now: float) -> None:
    """Whether a verified file may take the place of the pinned one.

    Raises Refused: expired, another federation, rolled back, another file of the same version, or a coordinator's key
    that the pinned one has not handed over to.
    """
    where = f"federation {visible(offered.name)}"
    if offered.id != pinned.id:
        what = f"another federation (id {offered.id}) than the one joined ({pinned.id})"
        raise Refused(what, where=where, hint="one folder, one federation: make another with `potluck site new`")
    key, version = pinned.coordinator.signing, pinned.version
    for link in offered.handovers:
        if link.old == key and link.version > version:
            key, version = link.new, link.version
    if offered.version < pinned.version:
        what = f"version {offered.version} is older than version {pinned.version}, which is in force here"
        raise Refused(what, where=where, hint="ask the coordinator for the newest file")
    if key != offered.coordinator.signing:
        _forged(f"signed by {fingerprint(offered.coordinator)}, and the key pinned here has not handed over to it")
    if offered.version == pinned.version and offered.digest != pinned.digest:
        what = f"version {offered.version} is in force here with other content"
        raise Refused(what, where=where, hint="somebody signed two files of one version: call the coordinator")
    offered.current(now)


def broker_addresses(text: str) -> tuple[tuple[str, int], ...]:
    """(host, port) of one `tls://host:port`, or of three with commas between. Raises UsageError."""
    found = tuple(_address(url) for url in text.split(","))
    if len(found) not in NODES:
        hint = "of two each would need the other: no safer than one"
        raise UsageError(f"a broker has one node or three, not {len(found)}", where=visible(text), hint=hint)
    if len(set(found)) < len(found):
        raise UsageError("two nodes of the broker have one address", where=visible(text), hint="one for each node")
    return found


def _address(url: str) -> tuple[str, int]:
    """(host, port) of `tls://host:port`. Raises UsageError."""
    found = _ADDRESS.fullmatch(url)
    port = int(found["port"]) if found else 0
    if found is None or not 0 < port < 65536:
        hint = "tls://broker.example:4222, as the sites reach it"
        raise UsageError("the broker's address is not tls://host:port", where=visible(url), hint=hint)
    return found["six"] or found["host"], port


def _authority(pem: str) -> None:
    try:
        found: Sequence[x509.Certificate] = x509.load_pem_x509_certificates(pem.encode())
    except ValueError:
        found = ()
    if not found or "PRIVATE" in pem:
        raise UsageError("the broker's CA is not a certificate in PEM")


def _distinct(cards: Sequence[Card]) -> None:
    seen: dict[bytes, Party] = {}
    for card in cards:
        for key in (f"{card.party.role.value} {normal(card.party.name)}".encode(), *card.keys):
            if key in seen:
                what = f"{visible(str(seen[key]))} and {visible(str(card.party))} have the same name or share a key"
                raise Refused(what, hint="each party makes its own keys and has a name of its own")
            seen[key] = card.party


def _forged(what: str) -> NoReturn:
    raise Refused(what, hint="do not use it; compare fingerprints with the coordinator by voice")
