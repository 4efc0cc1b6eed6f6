"""The rounds of a run as its journal has them: when, how much moved, who dropped out and why. None of it is private."""

from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from potluck.members.home import CoordinatorHome
from potluck.parties.runners.journal import Journal


@dataclass(frozen=True, slots=True)
class Tried:
    """One round. kind, step: of the sum, steps from 0, -1 of a round that only another copy of the journal had; began,
    ended: seconds since 1970, None: it goes on; opened: whether it stands; up, down: bytes; lost: (who dropped out,
    why); cause: why it came to nothing."""

    number: int
    kind: str
    step: int
    began: float
    ended: float | None
    opened: bool
    up: int = 0
    down: int = 0
    lost: tuple[tuple[str, str], ...] = ()
    cause: str = ""

    @property
    def seconds(self) -> float | None:
        """How long it took."""
        return None if self.ended is None else max(0.0, self.ended - self.began)


def rounds(folder: Path, run: str) -> tuple[Tried, ...]:
    """All rounds of a run of the coordinator in `folder`, in order, those that came to nothing among them. run: a name
    that is known to be one. Raises UsageError, Refused: it has no journal."""
    path = CoordinatorHome.at(folder).runs / run / "journal.sqlite"
    with closing(Journal.look(path)) as journal:
        found = journal.rounds()
    return tuple(
        Tried(
            one["number"],
            one["kind"],
            one["step"],
            one["began"],
            one["ended"],
            bool(one["opened"]),
            one.get("up", 0),
            one.get("down", 0),
            tuple(one.get("lost", {}).items()),
            one["cause"] or "",
        )
        for one in found
    )
