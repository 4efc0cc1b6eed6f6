"""The coordinator's part of enrolment: the first federation, and every change as a next version of it."""

import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from potluck.core.errors import UsageError
from potluck.core.party import SERVER, Draw, Party
from potluck.core.visible import visible
from potluck.members import files
from potluck.members import keys as keyring
from potluck.members.about import NOTHING, About
from potluck.members.card import Card, draft
from potluck.members.change import called
from potluck.members.federation import Federation, broker_addresses, hand_over, place
from potluck.members.home import CoordinatorHome, Membership
from potluck.members.keys import Keys
from potluck.members.names import checked_name
from potluck.secret.random import system

DAY = 86400
MOST_DAYS = 3650


def found(folder: Path, draw: Draw = system) -> tuple[CoordinatorHome, Keys, str]:
    """A new home with keys alone, and a new federation's id. Raises UsageError: there already, or the disk."""
    home = CoordinatorHome(folder.absolute())
    files.folder(home.folder)
    try:
        return home, keyring.make(home.keys, draw), draw(16).hex()
    except BaseException:
        shutil.rmtree(home.folder)
        raise


def first(
    name: str, id: str, keys: Keys, broker: tuple[str, str], now: float, days: int, about: About = NOTHING
) -> Federation:
    """Version 1, without members. broker: its address and its CA; about: what the coordinator says of itself. Raises
    UsageError: days."""
    times = (int(now), _until(now, days))
    return Federation(checked_name(name), id, 1, *times, *broker, draft(SERVER, keys, about), ())


def with_members(federation: Federation, cards: Sequence[Card], now: float) -> Federation:
    """The next version, with these cards too. Raises UsageError: one is there already, or the coordinator's card."""
    for card in cards:
        if card.party == SERVER:
            raise UsageError("a coordinator's card is no member's", hint="add the cards that `potluck site new` makes")
        if card.party in federation.cards:
            hint = "new keys of a member: `potluck federation rotate FOLDER CARD`"
            raise UsageError(f"{called(card.party)} is a member already", hint=hint)
    return _next(federation, (*federation.members, *cards), now)


def with_new_keys(federation: Federation, cards: Sequence[Card], now: float) -> Federation:
    """The next version, with these cards in the place of their namesakes'. Raises UsageError: no such member.

    Without cards: the next version with the same members.
    """
    fresh = {card.party: card for card in cards}
    for party in fresh:
        _member(federation, party)
    return _next(federation, tuple(fresh.get(card.party, card) for card in federation.members), now)


def without(federation: Federation, party: Party, now: float) -> Federation:
    """The next version, without this member. Raises UsageError: no such member."""
    gone = _member(federation, party)
    return _next(federation, tuple(card for card in federation.members if card != gone), now)


def prolonged(federation: Federation, days: int) -> Federation:
    """The same version, valid for so many days from its issue. Raises UsageError: days."""
    return replace(federation, expires=_until(federation.issued, days))


def moved(federation: Federation, broker: str) -> Federation:
    """The same version, whose broker is at this address, or at these of its three nodes with commas between.

    Raises UsageError: no address, or one node for three.
    """
    if len(broker_addresses(broker)) < len(federation.addresses):
        hint = "found another federation, or name three nodes: several may be on one machine"
        raise UsageError("a broker of three nodes does not become one of one", where=visible(broker), hint=hint)
    return replace(federation, broker=broker)


def described(federation: Federation, keys: Keys, about: About) -> Federation:
    """The same version, whose coordinator says this of itself. keys: its own, in force."""
    return replace(federation, coordinator=draft(SERVER, keys, about))


def cut(federation: Federation) -> Federation:
    """The same version, under which no run goes on that began under an earlier one."""
    return replace(federation, oldest=federation.version)


def rekeyed(home: CoordinatorHome, before: Membership, federation: Federation, draw: Draw = system) -> Membership:
    """`federation`, which is to follow `before`, under new keys of the coordinator that the old ones hand over to.

    The new keys wait in the home until it is issued. Raises UsageError: the disk.
    """
    shutil.rmtree(home.fresh, ignore_errors=True)  # of an attempt that was cut off: nobody has seen them
    keys = keyring.make(home.fresh, draw)
    link = hand_over(federation.id, federation.version, before.keys.signing, keys.signing.public)
    new = draft(SERVER, keys, federation.coordinator.about)
    handed = replace(federation, coordinator=new, handovers=(*federation.handovers, link))
    return Membership(SERVER, keys, handed)


def _next(federation: Federation, members: Sequence[Card], now: float) -> Federation:
    ordered = tuple(sorted(members, key=lambda card: place(card.party)))
    return replace(federation, version=federation.version + 1, issued=int(now), members=ordered)


def _member(federation: Federation, party: Party) -> Card:
    for card in federation.members:
        if card.party == party:
            return card
    known = ", ".join(called(card.party) for card in federation.members) or "none"
    raise UsageError(f"{called(party)} is not a member", where=visible(federation.name), hint=f"members: {known}")


def _until(now: float, days: int) -> int:
    if not 1 <= days <= MOST_DAYS:
        raise UsageError(f"a federation file is valid for 1 to {MOST_DAYS} days, not {days}", where="--days")
    return int(now) + days * DAY
