"""What a federation file changes beside the one that is in force: who joins, leaves, has new keys, in words."""

from dataclasses import dataclass

from potluck.core.party import SERVER, Party, Role
from potluck.core.visible import visible
from potluck.members.card import Card, fingerprint
from potluck.members.federation import Federation
from potluck.members.tables import moment


def called(party: Party) -> str:
    """A member as it is called on a screen: a site by its name, a compute party with what it does."""
    return f"{visible(party.name)} (compute)" if party.role is Role.COMPUTE else visible(party.name)


def _said(card: Card) -> str:
    """After the fingerprint, since a log cuts long lines."""
    said = card.about.words()
    return f", says of itself: {said}" if said else ""


def _told(before: Card, now: Card) -> list[str]:
    """A line for each text that it says otherwise now: a log cuts long ones, and one must not hide another."""
    name = "the coordinator" if now.party == SERVER else called(now.party)
    was, says = before.about.document(), now.about.document()
    both = [(what, text or "not said", was[what] or "not said") for what, text in says.items() if text != was[what]]
    return [f"{name}, {fingerprint(now)}, says of itself now: {what} {new}; before: {old}" for what, new, old in both]


@dataclass(frozen=True, slots=True)
class Change:
    """From one file to another of the same federation."""

    before: Federation
    after: Federation

    @property
    def joined(self) -> tuple[Card, ...]:
        """Cards of parties that were no members."""
        return tuple(card for card in self.after.members if card.party not in self.before.cards)

    @property
    def left(self) -> tuple[Card, ...]:
        """Cards of parties that are members no more."""
        return tuple(card for card in self.before.members if card.party not in self.after.cards)

    @property
    def rekeyed(self) -> tuple[Card, ...]:
        """New cards of parties that have other keys."""
        known = self.before.cards
        return tuple(one for one in self.after.members if one.party in known and known[one.party].keys != one.keys)

    @property
    def renamed(self) -> tuple[Card, ...]:
        """New cards of parties that have the same keys and another fingerprint: another organisation or country."""
        kept = [card for card in self.after.members if card.party in self.before.cards and card not in self.rekeyed]
        return tuple(card for card in kept if fingerprint(self.before.cards[card.party]) != fingerprint(card))

    @property
    def handed_over(self) -> bool:
        """Whether the coordinator has new keys."""
        return self.before.coordinator.signing != self.after.coordinator.signing

    @property
    def moved(self) -> bool:
        """Whether the broker is elsewhere, or under another authority."""
        return (self.before.broker, self.before.ca) != (self.after.broker, self.after.ca)

    @property
    def cuts(self) -> bool:
        """Whether runs that began under the file before end at once."""
        return self.after.oldest > self.before.version

    def lines(self) -> tuple[str, ...]:
        """A line a change, with fingerprints where people are to compare them."""
        found = [f"{called(card.party)} joined, {fingerprint(card)}{_said(card)}" for card in self.joined]
        found += [f"{called(card.party)} left, {fingerprint(card)}" for card in self.left]
        found += [f"{called(card.party)} has new keys, {fingerprint(card)}" for card in self.rekeyed]
        if self.handed_over:
            found.append(f"the coordinator has new keys, {fingerprint(self.after.coordinator)}, signed by the old ones")
        if self.before.broker != self.after.broker:
            found.append(f"the broker is at {self.after.broker} now, it was at {self.before.broker}")
        elif self.moved:
            found.append("the broker has another authority")
        if self.before.expires != self.after.expires:
            found.append(f"it expires on {moment(self.after.expires):%Y-%m-%d}")
        if self.cuts:
            found.append("runs that began under an earlier file end at once: keys of then may be stolen")
        known = self.before.cards
        for card in (self.after.coordinator, *self.after.members):
            if card.party in known:
                found += _told(known[card.party], card)
        return tuple(found)
