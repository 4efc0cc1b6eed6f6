"""Whose keys a person here has agreed to: fingerprints of members' cards, a JSON file in the home.

The federation file comes by itself and its coordinator alone signs it. What a person agreed to, by joining with a file,
by approving a run or by a word of their own, is kept apart: a run that names somebody else waits for a person. Where
two persons must agree, the first one's word alone changes nothing. A home that has no such file yet joined its file by
hand, so its members count as agreed to.
"""

from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import msgspec

from potluck.core.errors import UsageError
from potluck.core.party import Party
from potluck.core.schema import readable
from potluck.members import files
from potluck.members.card import Card, fingerprint
from potluck.members.federation import Federation
from potluck.members.persons import folded

MOST = 4096
"""Fingerprints that are remembered: the oldest go."""


class Agreed(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One card. when: unix seconds; person: who agreed, "" where a file was joined by hand."""

    party: str
    when: float
    person: str = ""


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    version: Literal[1]
    agreed: dict[str, Agreed]
    half: dict[str, Agreed] = msgspec.field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Known:
    """The file of a home. me: whose home it is, who needs nobody's word."""

    path: Path
    me: Party

    def agreed(self, pinned: Federation | None = None) -> dict[str, Agreed]:
        """By fingerprint. pinned: the file in force, whose members count where nothing was written down yet.

        Raises UsageError: damaged.
        """
        return self._read(pinned).agreed

    def half(self, pinned: Federation, since: Mapping[str, float]) -> dict[str, Agreed]:
        """By fingerprint the word of the first of two persons.

        since: who was invited to the home's pages, by folded name, and when. Where anybody was, the word of somebody
        who is not invited any more, or was invited later, counts no more. Raises as `agreed`.
        """
        return {mark: one for mark, one in self._read(pinned).half.items() if not since or _stands(one, since)}

    def _read(self, pinned: Federation | None) -> _File:
        if not self.path.exists():
            return _File(1, {} if pinned is None else _of(pinned.members, 0.0, ""))
        try:
            return msgspec.json.decode(files.text(self.path, "list of members"), type=readable(_File))
        except (msgspec.DecodeError, UnicodeDecodeError):
            hint = "put it back from a backup; or remove it: then all members of now count as agreed to"
            raise UsageError("is damaged", where=str(self.path), hint=hint) from None

    def strangers(self, federation: Federation, among: Iterable[Party], pinned: Federation) -> tuple[Card, ...]:
        """Of these parties the cards in `federation` to which nobody here has agreed."""
        agreed = self.agreed(pinned)
        cards = (federation.cards[party] for party in among if party in federation.cards and party != self.me)
        return tuple(card for card in cards if fingerprint(card) not in agreed)

    def forget_others(self, cards: Sequence[Card], pinned: Federation) -> None:
        """Nobody agrees any more to other cards than these, whenever they left: their keys may be stolen. Raises as
        `agree`."""
        before = self._read(pinned)
        gone = (before.agreed.keys() | before.half.keys()) - {fingerprint(card) for card in cards}
        if gone or not self.path.exists():
            self._write(_without(before.agreed, gone), _without(before.half, gone))

    def agree(self, cards: Sequence[Card], pinned: Federation | None, now: float, person: str = "") -> None:
        """A person agrees to these cards; durable when this returns. Raises UsageError: the disk."""
        before = self._read(pinned)
        fresh = _without(_of(cards, now, person), before.agreed)
        if fresh or not self.path.exists():
            self._write(before.agreed | fresh, _without(before.half, fresh))

    def agree_half(
        self, cards: Sequence[Card], pinned: Federation, now: float, person: str, since: Mapping[str, float]
    ) -> None:
        """As `agree`, of one of two persons: cards that another one agreed to count from now on, as of when that one
        said so: what that one approved since was about them. since: as `half`."""
        agreed, first = self.agreed(pinned), self.half(pinned, since)
        mine = _without(_of(cards, now, person), agreed)
        both = {mark for mark in mine if mark in first and not _same(first[mark], person)}
        whole = {mark: msgspec.structs.replace(mine[mark], when=first[mark].when) for mark in both}
        self._write(agreed | whole, _without(mine | first, whole))

    def _write(self, agreed: Mapping[str, Agreed], half: Mapping[str, Agreed]) -> None:
        found = _File(1, dict(list(agreed.items())[-MOST:]), dict(list(half.items())[-MOST:]))
        files.replace(self.path, msgspec.json.encode(found), files.PRIVATE)


def _same(one: Agreed, person: str) -> bool:
    return folded(one.person) == folded(person)


def _stands(one: Agreed, since: Mapping[str, float]) -> bool:
    return one.when >= since.get(folded(one.person), float("inf"))


def _without(found: Mapping[str, Agreed], gone: Container[str]) -> dict[str, Agreed]:
    return {mark: one for mark, one in found.items() if mark not in gone}


def _of(cards: Iterable[Card], when: float, person: str) -> dict[str, Agreed]:
    return {fingerprint(card): Agreed(str(card.party), when, person) for card in cards}
