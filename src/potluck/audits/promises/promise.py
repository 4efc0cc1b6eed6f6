"""An audit of one promise, as one value: what it looks at, and what it finds.

An audit runs the objects that a site runs, on rows that are made up or an owner's own, and compares what comes out with
what the plan says. It is a file and a line in `audits`. What it proves is one-sided: a bound that was broken is a
promise that does not hold, one that was not broken is no proof that it does.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

from potluck.audits.promises.scene import Scene
from potluck.core.rounds import Abort, Cause

WRONG = 1e-4
"""How often all audits of a call together say that a promise is broken which is kept, at most."""
MANY, LONG = 20_000, 120.0
"""Numbers of a sum, and seconds: what is of as many, and takes longer, is said before."""


@dataclass(frozen=True, slots=True)
class Bound:
    """What was proved of an epsilon. claimed: by the plan; lower_bound: what was found; confidence: that all bounds of
    a call hold; held: whether the claim still may, None: nothing was proved; words: how it was found."""

    name: str
    claimed: float
    lower_bound: float
    confidence: float
    held: bool | None
    words: str

    def document(self) -> dict[str, object]:
        """As JSON has it."""
        return {name: getattr(self, name) for name in self.__slots__}


@dataclass(frozen=True, slots=True)
class Check:
    """What was found that is no epsilon. held: None where this audit says nothing of this plan, and `words` why not.
    expected, found: numbers in the unit that `words` say."""

    name: str
    held: bool | None
    words: str
    expected: float | None = None
    found: float | None = None

    def document(self) -> dict[str, object]:
        """As JSON has it."""
        return {name: getattr(self, name) for name in self.__slots__}


Finding = Bound | Check


@dataclass(frozen=True, slots=True)
class Effort:
    """What one audit may take. level: how often it may be wrong; until: by the monotonic clock; trials: at most so many
    of each kind; tell: is told what is being done."""

    level: float
    until: float = float("inf")
    trials: int = 10_000
    tell: Callable[[str], None] = field(default=lambda words: None, repr=False)

    @property
    def over(self) -> bool:
        """Whether the time is up."""
        return time.monotonic() >= self.until

    def late(self, numbers: int) -> bool:
        """Whether no time is left for rounds of so many numbers: those of few are carried out all the same."""
        return self.over and numbers >= MANY

    def forecast(self, what: str, numbers: int, count: int, once: Callable[[], object]) -> None:
        """Tells how long so many sums of many numbers take, where it is long: one is done here. It ends with the time
        that there is, and what was looked at by then counts."""
        if numbers < MANY:
            return
        begun = time.monotonic()
        once()
        seconds = (time.monotonic() - begun) * count
        if seconds > LONG:
            words = f"{count:,} {what}, of {numbers:,} numbers each, would take {seconds / 60:,.0f} minutes"
            self.tell(f"{words}, and fewer say less: --minutes")

    def part(self, parts: int) -> "Effort":
        """The first of so many parts of what is left of the time."""
        now = time.monotonic()
        return replace(self, until=now + (self.until - now) / parts)


@dataclass(frozen=True, slots=True)
class Audit:
    """One audit. reference: whose method it is; findings: what it finds, for each kind of sum; weight: of the time that
    all have together, how much it takes."""

    name: str
    reference: str
    findings: Callable[[Scene, Effort], Iterator[Finding]] = field(repr=False)
    weight: float = 1.0

    def looked(self, scene: Scene, effort: Effort) -> Iterator[Finding]:
        """The same, where what is audited may end in an abort: with noise no row ends a sum, which would tell of it."""
        try:
            yield from self.findings(scene, effort)
        except Abort as abort:
            yield Check(self.name, False if abort.cause is Cause.RANGE else None, f"it ended: {abort}")


LATE = "the time was up before a round could be carried out"
SURE = f"confidence {100 * (1 - WRONG):g} %"
"""Of whatever a call proves, all of it together."""


def verdict(held: bool, lower: float) -> bool | None:
    """Of a bound: whether the claim may still hold, where anything was proved of it."""
    return False if not held else True if lower > 0 else None


SAID = {True: "; held", False: "; BROKEN", None: ""}
