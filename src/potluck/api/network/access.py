"""The access log of a site or a coordinator, for its owner. It loads nothing of what runs rounds."""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from potluck.members.home import home_at
from potluck.owner.access import AccessLog, Entry, Event, Outcome, Subject
from potluck.owner.access import read as read_log


def log(folder: Path) -> tuple[Sequence[Entry], Sequence[int]]:
    """(entries, numbers of lines that cannot be read) of the access log."""
    found = read_log(home_at(folder).access)
    return found.entries, found.damaged


def note(folder: Path, event: Event, person: str, outcome: Outcome = "", why: Sequence[str] = ()) -> None:
    """A line of what a person did at the home in `folder`. Raises Refused: it cannot be written."""
    about = Subject(person=person)
    AccessLog(home_at(folder).access).write(event, datetime.now(UTC), outcome=outcome, about=about, why=tuple(why))
