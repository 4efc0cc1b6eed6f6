"""What an attack is: what it needs of what was seen, what it tries, what counts as success, and where it is from.

An attack knows what a coalition knows (`Seen`) and nothing more: it guesses before anybody looks at true rows. These
only say afterwards how right a guess was.
"""

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol, runtime_checkable

from potluck.audits.seen import Seen
from potluck.core.asks import Ask
from potluck.core.seeded import Generator
from potluck.learning.data.table import Table

Truth = Mapping[str, Table]
"""True rows by site: of those that can be read here."""
Scene = tuple[Seen, Truth]
"""What was seen of a made run, and the rows that it was over."""


class Sort(StrEnum):
    """What an attack is after."""

    RECONSTRUCTION = "reconstruction"
    AGGREGATION = "aggregation"
    MEMBERSHIP = "membership"
    POISONING = "poisoning"


class Over(Exception):
    """It is time."""


@dataclass(frozen=True, slots=True)
class Until:
    """When an attack has to end, on the clock of `time.monotonic`, and what it draws from."""

    when: float
    rng: Generator = field(repr=False)

    def part(self, share: float) -> "Until":
        """A share of what time is left."""
        now = time.monotonic()
        return Until(now + max(0.0, self.when - now) * share, self.rng)

    @property
    def over(self) -> bool:
        """Whether it is time."""
        return time.monotonic() >= self.when

    def before(self, ask: Ask) -> None:
        """Called before each sum of a run that is made for an attack. Raises Over."""
        if self.over:
            raise Over


@dataclass(frozen=True, slots=True)
class Verdict:
    """What came of a guess.

    succeeded: None where only true rows could say. score, baseline: the same number of the guess and of one that takes
    nothing of the record; the better the guess the larger, and what it is, words say.
    """

    succeeded: bool | None
    words: str
    score: float | None = None
    baseline: float | None = None


class Found(Protocol):
    """What an attack found about the rows of some sites together."""

    @property
    def of(self) -> frozenset[str]:
        """Whose."""
        ...

    def judged(self, truth: Truth) -> Verdict:
        """How right it is. truth: may lack these sites."""
        ...


@runtime_checkable
class OfTwo(Protocol):
    """What an attack found that compares two runs of other rows each."""

    def judged_beside(self, truth: Truth, earlier: Truth) -> Verdict:
        """How right it is. earlier: rows of the earlier run, as that run's plan takes them; may lack sites."""
        ...


class Attack(Protocol):
    """One attack: an object in a file of its own, and a line in `attacks`."""

    @property
    def name(self) -> str: ...

    @property
    def sort(self) -> Sort: ...

    @property
    def reference(self) -> str:
        """Where it is published."""
        ...

    def fits(self, seen: Seen) -> str | None:
        """Why it cannot be tried on this; None: it can."""
        ...

    def tried(self, seen: Seen, until: Until) -> Sequence[Found]:
        """What it finds of what it fits; nothing where it finds nothing."""
        ...


@runtime_checkable
class OwnControl(Protocol):
    """An attack whose control is none of the made-up runs of `control`, which are of one row a site and an honest
    server."""

    def control(self, seen: Seen, until: Until) -> Iterable[Scene]:
        """Runs of the plan in which nothing protects from this attack, made by the program itself; empty where none can
        be made. Raises Over: not in this time."""
        ...


def named(sites: frozenset[str]) -> str:
    """Whose rows, in words."""
    names = sorted(sites)
    return f"site {names[0]}" if len(names) == 1 else f"sites {', '.join(names)} together"
