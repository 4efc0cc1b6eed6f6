"""A network in memory, between threads: for tests of runners, and of what a hostile broker can do to them."""

import queue
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from potluck.core.errors import PotluckError, Unreachable
from potluck.core.line import Delivery
from potluck.core.party import Party

Carry = Callable[[Party, Party, bytes], Iterable[tuple[Party, bytes]]]
"""What the network does with a letter (sender, to, data): what it delivers to whom instead, in order."""


def faithfully(sender: Party, to: Party, data: bytes) -> Iterable[tuple[Party, bytes]]:
    """The honest network."""
    return ((to, data),)


class Exchange:
    """Mailboxes by party; letters wait for who is not there, as a broker's stream keeps them."""

    def __init__(self, carry: Carry = faithfully) -> None:
        # No SimpleQueue: in CPython 3.11 a get that is woken for nothing as its time runs out waits for ever.
        self._boxes: dict[Party, queue.Queue[bytes | None]] = {}
        self._carry = carry

    def box(self, party: Party) -> queue.Queue[bytes | None]:
        """The mailbox of a party."""
        return self._boxes.setdefault(party, queue.Queue())

    def wake(self, party: Party) -> None:
        """Whoever waits for a letter has waited long enough: it looks around. See `awake`."""
        self.box(party).put(None)

    def awake(self, party: Party) -> None:
        """Nobody is woken any more."""
        box = self.box(party)
        with box.mutex:
            while None in box.queue:
                box.queue.remove(None)

    def carry(self, sender: Party, to: Party, data: bytes) -> None:
        """Take a letter."""
        for who, what in self._carry(sender, to, data):
            self.box(who).put(what)

    def line(self, party: Party) -> "MemoryLine":
        """A party's connection."""
        return MemoryLine(self, party)


@dataclass(slots=True)
class MemoryLine:
    """See `core.line.Line`."""

    exchange: Exchange
    party: Party
    closed: bool = False
    trouble: PotluckError | None = None

    def send(self, to: Party, data: bytes, patience: float) -> None:
        """Raises Unreachable: closed."""
        if self.closed:
            raise Unreachable("the line is closed")
        self.exchange.carry(self.party, to, data)

    def send_all(self, letters: Sequence[tuple[Party, bytes]], patience: float) -> Mapping[Party, Unreachable]:
        """One after the other. Raises Unreachable: closed."""
        for to, data in letters:
            self.send(to, data, patience)
        return {}

    def receive(self, wait: float) -> Delivery | None:
        """The next letter, or None."""
        if self.closed:
            raise Unreachable("the line is closed")
        try:
            data = self.exchange.box(self.party).get(timeout=max(wait, 0.0005))
        except queue.Empty:
            return None
        return None if data is None else Delivery(data, lambda: None)

    def close(self) -> None:
        """Hang up."""
        self.closed = True
