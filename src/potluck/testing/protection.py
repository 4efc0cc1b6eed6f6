"""The one property that every protection must have: what it opens is the sum of the givers' words, bit for bit.

For authors of new protections: `check_protection` runs all halves in memory, over a network and with drop-outs of
your choice, and compares with plain addition. It also holds the halves to what they tell the drivers: who gave has
paid, and whoever has the round repeated knows that contributions left and whose sum it is. It says nothing about what
leaked on the way.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from potluck.core.desk import Desk
from potluck.core.ledger import Ledger
from potluck.core.party import SERVER, Party
from potluck.core.rounds import Abort, Credentials, Half, Label, Sum, Terms, Words
from potluck.core.slices import Sliced, whole
from potluck.core.stages import Guarded, Opened
from potluck.drivers.memory import Carry, Memory, Vanish, faithfully, nobody
from potluck.drivers.transcript import Transcript
from potluck.testing.draws import seeded

AnyHalf = Half[object]
Play = Callable[[Credentials, AnyHalf], AnyHalf]
"""What a party really does, given its seat and the half it should have run."""


@dataclass(slots=True)
class Bodies(Transcript):
    """A transcript that keeps every body in memory, as its receiver read it: (step, sender, to, body)."""

    bodies: list[tuple[str, Party, Party, bytes]] = field(default_factory=list)

    def __post_init__(self) -> None:
        Transcript.__init__(self)

    def reader(self, to: Party) -> Callable[[Party, Label, Sliced], None]:
        """Keeps what `to` reads."""
        return lambda sender, label, body: self.read(label, sender, to, body)

    def read(self, label: Label, sender: Party, to: Party, body: Sliced) -> None:
        """Keep the body."""
        self.bodies.append((label.step, sender, to, whole(body)))


def honestly(seat: Credentials, half: AnyHalf) -> AnyHalf:
    """Run the half as it is."""
    return half


@dataclass(slots=True)
class RoundContext:
    """One federation in memory with repeatable keys: run one round, or several with the same ledgers."""

    protection: Sum
    terms: Terms
    words: Mapping[Party, Words]
    carry: Carry = faithfully
    vanish: Vanish = nobody
    play: Mapping[Party, Play] = field(default_factory=dict)
    ledgers: Mapping[Party, Ledger] | None = None
    transcript: Bodies = field(default_factory=Bodies)

    def seat(self, memory: Memory, party: Party) -> Credentials:
        """A seat whose randomness depends on party and round alone, so that a test can be its accomplice."""
        return replace(memory.seat(party), draw=seeded(str(party), self.terms.round.run, self.terms.round.number))

    def run(self) -> Mapping[Party, Desk[object]]:
        """All desks, each with its result or its abort."""
        memory = Memory(
            (*self.terms.sites, *self.protection.helpers()),
            b"test federation",
            ledgers=self.ledgers,
            transcript=self.transcript,
            draw=seeded("keys"),
            carry=self.carry,
            vanish=self.vanish,
        )
        halves: dict[Party, AnyHalf] = {SERVER: self.protection.open(self.terms, self.seat(memory, SERVER))}
        for site in self.terms.sites:
            halves[site] = self.protection.give(self.terms, self.seat(memory, site), Guarded(self.words[site]))
        for helper in self.protection.helpers():
            halves[helper] = self.protection.assist(self.terms, self.seat(memory, helper))
        played = {
            party: self.play.get(party, honestly)(self.seat(memory, party), half) for party, half in halves.items()
        }
        return memory.round(self.terms.round, played)


def check_protection(context: RoundContext) -> Opened | Abort:
    """Run one round. Returns what opened, or why nothing did; raises AssertionError for a wrong sum, or for steps that
    do not say what they do (`core.rounds.Exchange`)."""
    return judged(context, context.run())


def judged(context: RoundContext, desks: Mapping[Party, Desk[object]]) -> Opened | Abort:
    """What the server's desk ended with, compared with plain addition."""
    server = desks[SERVER]
    _declared(context, desks)
    if server.abort is not None:
        return server.abort
    opened = server.result
    assert isinstance(opened, Opened)
    unpaid = [site for site in opened.givers if site not in context.play and not desks[site].charged]
    assert not unpaid, f"{unpaid} gave and wrote no charge"
    assert len(opened.givers) >= context.terms.fewest, "opened below the minimum cohort"
    right = np.zeros(context.terms.length, context.terms.dtype)
    for giver in opened.givers:
        right += context.words[giver]
    assert np.array_equal(opened.words, right), "opened a wrong sum"
    return opened


def _declared(context: RoundContext, desks: Mapping[Party, Desk[object]]) -> None:
    """The halves say where contributions leave and whose sum it is, or drivers would repeat rounds for free."""
    honest = [desks[site] for site in context.terms.sites if site in desks and site not in context.play]
    if any(desk.contributing for desk in honest):
        assert desks[SERVER].contributing, "contributions left, and the server's half does not say that it awaits them"
    others = [desk for party, desk in desks.items() if party not in context.terms.sites]
    told = frozenset[Party]().union(*(desk.fixed for desk in others))
    for desk in honest:
        assert desk.fixed <= told, f"{desk.me} stands by a set that no other half says that it fixed"
