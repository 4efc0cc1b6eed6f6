"""One line for several runs: each letter goes to the run that it names, and waits there until that run reads it.

What a letter says about itself is not verified until it is read, by its run. So that nobody's flood takes the room of
others' letters, a run takes FREE letters as they come, and beyond those only letters whose signature holds, LETTERS of
each sender: who sends more than any run takes loses its own. A letter of a run that is not here is dropped: nobody can
use it. A first word (`hello`) belongs to no run, so all of them hear it.
"""

import threading
from collections import Counter, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from potluck.core.errors import PotluckError, Unreachable
from potluck.core.line import Delivery, Line
from potluck.core.party import Party
from potluck.core.rounds import Abort
from potluck.core.slices import Sliced
from potluck.parties.runners.identity import Identity
from potluck.secret.envelope import claimed

FREE, FREE_BYTES = 32, 1 << 26
"""Letters of a run, and their bytes, that wait unverified."""
LETTERS, BYTES = 128, 1 << 29
"""Letters of one sender to one run, and their bytes, that wait: more than a round takes."""


@dataclass(slots=True)
class _Waiting:
    """Letters that wait for one run, oldest first, each with its verified sender, or None."""

    me: Identity
    letters: deque[tuple[Delivery, Party | None]] = field(default_factory=deque)
    size: int = 0
    many: Counter[Party] = field(default_factory=Counter)
    sizes: Counter[Party] = field(default_factory=Counter)

    def put(self, delivery: Delivery) -> bool:
        """Keep it. False: a forgery, or more than this sender may have here."""
        sender, size = None, len(delivery.data)
        if len(self.letters) >= FREE or self.size + size > FREE_BYTES:
            try:
                sender = self.me.sender(delivery.data)
            except Abort:
                return False
            if self.many[sender] >= LETTERS or (self.many[sender] and self.sizes[sender] + size > BYTES):
                return False
            self.many[sender] += 1
            self.sizes[sender] += size
        self.letters.append((delivery, sender))
        self.size += size
        return True

    def take(self) -> Delivery:
        """The oldest."""
        delivery, sender = self.letters.popleft()
        self.size -= len(delivery.data)
        if sender is not None:
            self.many[sender] -= 1
            self.sizes[sender] -= len(delivery.data)
        return delivery


class Switchboard:
    """All runs behind one line. One thread calls `hand`; each run reads in its own."""

    def __init__(self, line: Line) -> None:
        self._line = line
        self._changed = threading.Condition()
        self._waiting: dict[str, _Waiting] = {}
        self._broken: PotluckError | None = None
        self.dropped = 0

    def join(self, run: str, me: Identity) -> "RunLine":
        """The line of a run, known by `me`; letters that name it wait for it from here on."""
        with self._changed:
            self._waiting[run] = _Waiting(me)
        return RunLine(self, run, self._line)

    def leave(self, run: str) -> None:
        """Letters of this run are dropped from here on."""
        with self._changed:
            self._waiting.pop(run, None)

    def hand(self, wait: float) -> bool:
        """Hand over one letter, at most `wait` seconds later. False: none came. Raises Refused, Unreachable as the line
        does: from then on all runs' lines do too."""
        try:
            delivery = self._line.receive(wait)
        except PotluckError as error:
            self.end(error)
            raise
        if delivery is None:
            return False
        try:
            run: str | None = claimed(delivery.data).run
        except Abort:  # it is no letter
            run = None
        with self._changed:
            if run == "":
                each = Delivery(delivery.data, lambda: None)
                for waiting in self._waiting.values():
                    self._count(waiting.put(each))
            else:
                found = self._waiting.get(run or "")
                if found is not None and found.put(delivery):
                    self._changed.notify_all()
                    return True
                self._count(False)
            self._changed.notify_all()
        delivery.done()
        return True

    def end(self, error: PotluckError) -> None:
        """No letter comes any more, whoever waits for one learns why."""
        with self._changed:
            self._broken = self._broken or error
            self._changed.notify_all()

    def _count(self, kept: bool) -> None:
        self.dropped += not kept

    def read(self, run: str, wait: float) -> Delivery | None:
        """The next letter of a run; see `core.line.Line.receive`."""
        with self._changed:
            self._changed.wait_for(lambda: self._broken or run not in self._waiting or self._waiting[run].letters, wait)
            if self._broken is not None:
                raise self._broken
            if run not in self._waiting:
                raise Unreachable("this run's line is closed")
            return self._waiting[run].take() if self._waiting[run].letters else None


@dataclass(frozen=True, slots=True)
class RunLine:
    """One run's line. See `core.line.Line`."""

    _board: Switchboard
    _run: str
    _line: Line

    def send(self, to: Party, data: Sliced, patience: float) -> None:
        """As the line that all share. Raises Unreachable."""
        self._line.send(to, data, patience)

    def send_all(self, letters: Sequence[tuple[Party, Sliced]], patience: float) -> Mapping[Party, Unreachable]:
        """As the line that all share."""
        return self._line.send_all(letters, patience)

    def receive(self, wait: float) -> Delivery | None:
        """The next letter that names this run. Raises Refused, Unreachable: as the line that all share."""
        return self._board.read(self._run, wait)

    @property
    def trouble(self) -> PotluckError | None:
        """As of the line that all share."""
        return self._line.trouble

    def close(self) -> None:
        """No letter comes here any more; the line stays open for the others."""
        self._board.leave(self._run)
