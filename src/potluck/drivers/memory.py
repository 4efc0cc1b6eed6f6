"""All parties in one process: the same halves, desks and signed letters that run across machines.

The carrier between the desks is a function, so that tests can flip, replay, reorder or swallow letters, or let a
party vanish at any step. Time is virtual: when nothing moves, the clock jumps to the next deadline.
"""

from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial

from potluck.core.desk import Desk, Letter
from potluck.core.ledger import Ledger, Volatile
from potluck.core.party import SERVER, Draw, Party, Role
from potluck.core.rounds import Cause, Credentials, Half, RoundId
from potluck.drivers.transcript import Transcript
from potluck.secret.container import Secret
from potluck.secret.envelope import seal, unseal
from potluck.secret.keys import Roster, SigningKey
from potluck.secret.random import system

Carry = Callable[[Letter], Iterable[Letter]]
"""What the network does with a letter: pass it on (once, changed, twice, later) or not at all."""
Vanish = Callable[[Party, RoundId, str], bool]
"""Whether a party is dead from the moment it would await or send this step of this round."""


def faithfully(letter: Letter) -> Iterable[Letter]:
    """The honest network."""
    return (letter,)


def new_run() -> str:
    """A fresh name for a run: 128 random bits in hex."""
    return system(16).hex()


def nobody(party: Party, round: RoundId, step: str) -> bool:
    """Nobody vanishes."""
    return False


@dataclass(slots=True)
class Post:
    """The letters between the desks of one round."""

    desks: Mapping[Party, Desk[object]]
    carry: Carry
    vanish: Vanish
    transcript: Transcript
    queue: deque[Letter] = field(default_factory=deque)
    deadlines: dict[Party, tuple[str, int]] = field(default_factory=dict)
    dead: set[Party] = field(default_factory=set)
    now: int = 0

    def run(self) -> None:
        """Until every desk is done or its party dead."""
        for party, desk in self.desks.items():
            self._post(party, desk.start())
        while self._deliver() or self._wait():
            pass

    def _deliver(self) -> bool:
        if not self.queue:
            return False
        letter = self.queue.popleft()
        if letter.to in self.desks and letter.to not in self.dead:
            self._post(letter.to, self.desks[letter.to].receive(letter.data))
        return True

    def _post(self, party: Party, letters: list[Letter]) -> None:
        desk = self.desks[party]
        for letter in letters:
            if party in self.dead or self.vanish(party, desk.round, letter.label.step):
                self.dead.add(party)
                return
            self.transcript.moved(letter.label, letter.sender, letter.to, len(letter.data))
            self.queue.extend(self.carry(letter))
        if not desk.done and self.deadlines.get(party, ("", 0))[0] != desk.step:
            self.deadlines[party] = (desk.step, self.now + desk.hops)

    def _wait(self) -> bool:
        """Nothing moves: the earliest deadline passes. False where nobody waits any more."""
        waiting = {p: self.deadlines[p][1] for p, d in self.desks.items() if not d.done and p not in self.dead}
        if not waiting:
            return False
        self.now = max(self.now, min(waiting.values()))
        for party in [party for party, when in waiting.items() if when <= self.now]:
            self._post(party, self.desks[party].expire())
        return True


class Memory:
    """One in-memory federation for one run: fresh signing keys, a ledger a party, one transcript.

    sites: with the protection's helpers.
    """

    def __init__(
        self,
        sites: Iterable[Party],
        federation: bytes,
        *,
        ledgers: Mapping[Party, Ledger] | None = None,
        transcript: Transcript | None = None,
        draw: Draw = system,
        carry: Carry = faithfully,
        vanish: Vanish = nobody,
    ) -> None:
        self.parties = (SERVER, *sites)
        self.transcript = transcript or Transcript()
        self._federation = federation
        self._draw = draw
        self._carry = carry
        self._vanish = vanish
        self._keys = {party: SigningKey(Secret(draw(32))) for party in self.parties}
        self._roster = Roster({party: key.public for party, key in self._keys.items()})
        self._ledgers: dict[Party, Ledger] = {party: Volatile() for party in self.parties} | dict(ledgers or {})

    def seat(self, party: Party) -> Credentials:
        """What this party alone holds."""
        return Credentials(party, self._draw, self._keys[party].sign, self._roster.verify, self._roster.public)

    def key(self) -> Secret:
        """A fresh key of 32 bytes."""
        return Secret(self._draw(32))

    def desk(self, party: Party, round: RoundId, half: Half[object]) -> Desk[object]:
        """A desk whose letters are signed with the party's key."""
        seal_as = partial(seal, self._keys[party], self._federation, party)
        open_as = partial(unseal, self._roster, self._federation, party)
        desk: Desk[object] = Desk(party, round, half, seal_as, open_as, self._ledgers[party])
        desk.on_read = self.transcript.reader(party)
        return desk

    def round(
        self, round: RoundId, halves: Mapping[Party, Half[object]], absent: Iterable[Party] = ()
    ) -> Mapping[Party, Desk[object]]:
        """Run one round to its end; each desk holds its party's result or abort. absent: known to be away."""
        desks = {party: self.desk(party, round, half) for party, half in halves.items()}
        post = Post(desks, self._carry, self._vanish, self.transcript)
        for party in absent:
            for desk in desks.values():
                if desk.me.role is not Role.SITE:
                    desk.leave(party, Cause.REFUSED)
        post.run()
        for desk in desks.values():
            desk.close()  # who vanished lets go of its keys now, not when Python happens to tidy up
        return desks
