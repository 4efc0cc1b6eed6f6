"""Whose keys a person here has agreed to: fingerprints of members' cards, a JSON file in the home.

The federation file comes by itself and its coordinator alone signs it. What a person agreed to, by joining with a file,
by approving a run or by a word of their own, is kept apart: a run that names somebody else waits for a person. A home
that has no such file yet joined its file by hand, so its members count as agreed to.
"""

from collections.abc import Iterable, Sequence
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

MOST = 4096
"""Fingerprints that are remembered: the oldest go."""


class Agreed(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One card. when: unix seconds; person: who agreed, "" where a file was joined by hand."""

    party: str
    when: float
    person: str = ""


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    version: Literal[1]
    agreed: dict[str, Agreed]


@dataclass(frozen=True, slots=True)
class Known:
    """The file of a home. me: whose home it is, who needs nobody's word."""

    path: Path
    me: Party

    def agreed(self, pinned: Federation | None = None) -> dict[str, Agreed]:
        """By fingerprint. pinned: the file in force, whose members count where nothing was written down yet.

        Raises UsageError: damaged.
        """
        if not self.path.exists():
            return {} if pinned is None else _of(pinned.members, 0.0, "")
        try:
            return msgspec.json.decode(files.text(self.path, "list of members"), type=readable(_File)).agreed
        except (msgspec.DecodeError, UnicodeDecodeError):
            hint = "put it back from a backup; or remove it: then all members of now count as agreed to"
            raise UsageError("is damaged", where=str(self.path), hint=hint) from None

    def strangers(self, federation: Federation, among: Iterable[Party], pinned: Federation) -> tuple[Card, ...]:
        """Of these parties the cards in `federation` to which nobody here has agreed."""
        agreed = self.agreed(pinned)
        cards = (federation.cards[party] for party in among if party in federation.cards and party != self.me)
        return tuple(card for card in cards if fingerprint(card) not in agreed)

    def forget(self, cards: Sequence[Card], pinned: Federation) -> None:
        """Nobody agrees to these cards any more: their keys may be stolen. Raises as `agree`."""
        before, gone = self.agreed(pinned), {fingerprint(card) for card in cards}
        if gone & before.keys() or not self.path.exists():
            kept = {mark: one for mark, one in before.items() if mark not in gone}
            files.replace(self.path, msgspec.json.encode(_File(1, kept)), files.PRIVATE)

    def agree(self, cards: Sequence[Card], pinned: Federation | None, now: float, person: str = "") -> None:
        """A person agrees to these cards; durable when this returns. Raises UsageError: the disk."""
        before = self.agreed(pinned)
        fresh = {mark: one for mark, one in _of(cards, now, person).items() if mark not in before}
        if fresh or not self.path.exists():
            kept = dict(list((before | fresh).items())[-MOST:])
            files.replace(self.path, msgspec.json.encode(_File(1, kept)), files.PRIVATE)


def _of(cards: Iterable[Card], when: float, person: str) -> dict[str, Agreed]:
    return {fingerprint(card): Agreed(str(card.party), when, person) for card in cards}
