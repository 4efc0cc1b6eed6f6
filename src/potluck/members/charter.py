"""The file federation.toml: the federation and its coordinator's signature, as readable TOML."""

from datetime import datetime
from pathlib import Path
from typing import Literal

import msgspec

from potluck.core.errors import Refused, UsageError
from potluck.members import card as cards
from potluck.members import files, tables
from potluck.members.card import CardTable
from potluck.members.federation import Federation, Handover
from potluck.secret.keys import SigningKey

TITLE = "who belongs to the federation, signed by its coordinator: any change makes it invalid"


class _Link(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    version: int
    old: str
    new: str
    signature: str


class _Head(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    name: str
    id: str
    version: int
    issued: datetime
    expires: datetime
    broker: str
    ca: str
    oldest: int = 0


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    version: Literal[1]
    signature: str
    federation: _Head
    coordinator: CardTable
    handovers: tuple[_Link, ...] = ()
    members: tuple[CardTable, ...] = ()


def write(federation: Federation, key: SigningKey) -> str:
    """The text of federation.toml, signed. Raises UsageError, Refused: what no reader would accept."""
    signature = key.sign(federation.canonical)
    it, times = federation, (tables.moment(federation.issued), tables.moment(federation.expires))
    links = tuple(
        _Link(link.version, tables.coded(link.old), tables.coded(link.new), tables.coded(link.signature))
        for link in it.handovers
    )
    head = _Head(it.name, it.id, it.version, *times, it.broker, it.ca, it.oldest)
    members = tuple(card.table() for card in it.members)
    text = tables.write(_File(1, tables.coded(signature), head, it.coordinator.table(), links, members), TITLE)
    if parse(text, federation.name).canonical != federation.canonical:
        raise UsageError("a text in it does not survive TOML", where=federation.name, hint="plain names, plain PEM")
    return text


def parse(text: str, where: str) -> Federation:
    """The federation in the text, its signatures verified under the keys that it names itself.

    Whether these are the keys one knows says `federation.accept`. Raises UsageError: malformed. Refused: forged.
    """
    file = tables.read(text, _File, where)
    head = file.federation
    issued = tables.seconds(head.issued, "issued", where)
    expires = tables.seconds(head.expires, "expires", where)
    coordinator = cards.unpacked(file.coordinator, where)
    members = tuple(cards.unpacked(one, where) for one in file.members)
    links = tuple(_link(link, where) for link in file.handovers)
    times = (head.version, issued, expires)
    where_to = (head.broker, head.ca)
    federation = Federation(head.name, head.id, *times, *where_to, coordinator, members, links, head.oldest)
    try:
        federation.verify(tables.decoded(file.signature, 64, "signature", where))
    except (UsageError, Refused) as error:
        raise type(error)(error.what, where=where, hint=error.hint) from None
    return federation


def spelled(text: str, where: str) -> str:
    """The text as `write` spells it: what is signed, and nothing that somebody on the way wrote beside it, such as a
    comment. The text is one that `parse` takes. Raises as `tables.read`."""
    return tables.write(tables.read(text, _File, where), TITLE)


def read(path: Path) -> Federation:
    """`parse` of a file. Raises UsageError, Refused."""
    return parse(files.text(path, "federation file"), str(path))


def _link(link: _Link, where: str) -> Handover:
    old, new = (tables.decoded(key, 32, "a hand-over's key", where) for key in (link.old, link.new))
    return Handover(link.version, old, new, tables.decoded(link.signature, 64, "a hand-over's signature", where))
