"""A party's card: the public half of its keys, signed by itself.

The signature proves that whoever made the card holds the signing key and vouches for the other two. It does not say
who that is: people compare fingerprints for that, by voice or another way that the sender of the file cannot change.
What it says of its party (`about`) is signed, too; a card that says nothing has the bytes that it had before there was
anything to say (decision 0070).
"""

import hashlib
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

import msgspec

from potluck.core.errors import Refused, UsageError
from potluck.core.party import SERVER, Party, Role
from potluck.core.rounds import Abort
from potluck.core.visible import visible
from potluck.core.wire import dump
from potluck.members import files, tables
from potluck.members.about import NOTHING, About
from potluck.members.keys import Keys, checked_point, raw_user
from potluck.members.names import checked_name
from potluck.secret.box import PUBLIC, PublicBoxKey
from potluck.secret.keys import Roster

_TAG, _TELLING = b"potluck card 1\0", b"potluck card 2\0"
_MARK, _NAMED = b"potluck fingerprint 1\0", b"potluck fingerprint 2\0"
_WORDS: dict[Role, Literal["site", "compute", "server"]] = {
    Role.SITE: "site",
    Role.COMPUTE: "compute",
    Role.SERVER: "server",
}
_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"  # Crockford's: no I, L, O, U


class _Parts(msgspec.Struct, frozen=True, array_like=True):
    role: str
    name: str
    signing: bytes
    box: bytes
    nkey: str


class _Telling(msgspec.Struct, frozen=True, array_like=True):
    parts: _Parts
    said: tuple[str, ...]


class CardTable(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A card as it lies in a TOML file."""

    role: Literal["site", "compute", "server"]
    name: str
    signing: str
    box: str
    nkey: str
    signature: str
    organisation: str = ""
    country: str = ""
    contact: str = ""


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    version: Literal[1]
    card: CardTable


@dataclass(frozen=True)
class Card:
    """Who: role and name. signing: 32 bytes; box: 1216 bytes; nkey: text `U...`; signature: 64 bytes, its own; about:
    what it says of itself."""

    party: Party
    signing: bytes = field(repr=False)
    box: bytes = field(repr=False)
    nkey: str = field(repr=False)
    signature: bytes = field(repr=False)
    about: About = NOTHING

    @property
    def organisation(self) -> str:
        """Whose it is, in its own words; "" where it does not say."""
        return self.about.organisation

    @property
    def country(self) -> str:
        """Where that is, in its own words; "" where it does not say."""
        return self.about.country

    @property
    def contact(self) -> str:
        """Whom to ask there, in its own words; "" where it does not say."""
        return self.about.contact

    @property
    def canonical(self) -> bytes:
        """Everything but the signature, the same bytes for the same card."""
        return self._parts(self.organisation, self.country, self.contact)

    @property
    def identity(self) -> bytes:
        """What a fingerprint covers: all but the contact, which may change as people come and go."""
        tag = _NAMED if self.organisation or self.country else _MARK
        return tag + self._parts(self.organisation, self.country)

    def _parts(self, *said: str) -> bytes:
        parts = _Parts(self.party.role.value, self.party.name, self.signing, self.box, self.nkey)
        return dump(_Telling(parts, said)) if any(said) else dump(parts)

    @property
    def signed(self) -> bytes:
        """What its signature covers."""
        return (_TAG if self.about == NOTHING else _TELLING) + self.canonical

    @property
    def keys(self) -> tuple[bytes, ...]:
        """Every public key in it, the two halves of the box key apart."""
        return self.signing, self.box[:-32], self.box[-32:], raw_user(self.nkey)

    def verify(self) -> None:
        """Raises UsageError: the name or a key is malformed. Refused: the signature is not its own key's."""
        if self.party != SERVER:
            checked_name(self.party.name)
        self.about.verify()
        checked_point(self.signing, "the signing key")
        checked_point(raw_user(self.nkey), "the broker's user key")
        try:
            PublicBoxKey(self.box)
            Roster({self.party: self.signing}).verify(self.party, self.signed, self.signature)
        except Abort as abort:
            what = f"{visible(str(self.party))}'s is not a true card: {abort.cause.value}"
            raise Refused(what, hint="ask its owner for it again") from None

    def table(self) -> CardTable:
        """The card as a table of TOML."""
        role = _WORDS[self.party.role]
        keys = tables.coded(self.signing), tables.coded(self.box), self.nkey, tables.coded(self.signature)
        return CardTable(role, self.party.name, *keys, self.organisation, self.country, self.contact)

    def text(self) -> str:
        """The card as a file."""
        return tables.write(_File(1, self.table()), "public keys of one party: compare the fingerprint with its owner")


def draft(party: Party, keys: Keys, about: About = NOTHING) -> Card:
    """The card of `party`, which holds `keys` and says so much of itself."""
    unsigned = Card(party, keys.signing.public, keys.box.public, keys.user.public, b"", about)
    return replace(unsigned, signature=keys.signing.sign(unsigned.signed))


def unpacked(table: CardTable, where: str) -> Card:
    """The card in a table, NOT verified yet. Raises UsageError: malformed."""
    party = Party(Role(table.role), table.name)
    if (party.role is Role.SERVER) != (party.name == SERVER.name):
        raise tables.malformed('only the coordinator, and always, is called "server"', where)
    signing = tables.decoded(table.signing, 32, "signing", where)
    box = tables.decoded(table.box, PUBLIC, "box", where)
    about = About(table.organisation, table.country, table.contact)
    return Card(party, signing, box, table.nkey, tables.decoded(table.signature, 64, "signature", where), about)


def read(path: Path) -> Card:
    """The verified card in a file. Raises UsageError: malformed. Refused: not signed by its own key."""
    found = tables.read(files.text(path, "card"), _File, str(path))
    card = unpacked(found.card, str(path))
    try:
        card.verify()
    except (UsageError, Refused) as error:
        raise type(error)(error.what, where=str(path), hint=error.hint) from None
    return card


def fingerprint(card: Card) -> str:
    """For comparing by voice: 160 bits of SHA-256 over role, name, keys, organisation and country, 8 groups of 4."""
    number = int.from_bytes(hashlib.sha256(card.identity).digest()[:20], "big")
    letters = "".join(_ALPHABET[number >> shift & 31] for shift in range(155, -1, -5))
    return "-".join(letters[at : at + 4] for at in range(0, 32, 4))


def key_mark(card: Card) -> str:
    """The fingerprint of its keys alone: the same, whatever the card says of its party."""
    return fingerprint(replace(card, about=NOTHING))
