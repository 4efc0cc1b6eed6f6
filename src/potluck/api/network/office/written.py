"""What is written down about a run for whoever watches it: words as they were said, and looks at its model."""

import json
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import msgspec

from potluck.api.network.sessions import EVENTS
from potluck.core.errors import UsageError
from potluck.core.schema import readable
from potluck.core.visible import visible
from potluck.learning.evaluation.validation import Look
from potluck.members.home import CoordinatorHome
from potluck.parties.runners.journal import Journal


@dataclass(frozen=True, slots=True)
class Event:
    """A word about a run. seq: from 1, in order; when: UTC, ISO 8601."""

    seq: int
    when: str
    event: str
    text: str


class _Line(msgspec.Struct, frozen=True):
    when: str = ""
    event: str = ""
    text: str = ""


def folder_of(home: CoordinatorHome, run: str) -> Path:
    """The folder of a run, by its name. Raises UsageError: there is none."""
    folder = home.runs / run
    if not run.isalnum() or not (folder / "journal.sqlite").is_file():
        raise UsageError("no such run", where=visible(run), hint=f"potluck status {home.folder}")
    return folder


def events_of(folder: Path, after: int = 0) -> tuple[Event, ...]:
    """The words of a run, oldest first. after: only those with a higher number. A line that a crash cut short has no
    words."""
    try:
        lines = (folder / EVENTS).read_bytes().splitlines()
    except FileNotFoundError:
        return ()
    found = []
    for seq, line in enumerate(lines[after:], after + 1):
        try:
            said = msgspec.json.decode(line, type=readable(_Line))
        except (msgspec.DecodeError, UnicodeDecodeError):
            said = _Line()
        found.append(Event(seq, said.when, said.event, said.text))
    return tuple(found)


def looks_of(folder: Path) -> tuple[Look, ...]:
    """What looks at validation rows said of a run's model so far, in the order of rounds: opened sums alone."""
    with closing(Journal.look(folder / "journal.sqlite")) as journal:
        return tuple(Look(**json.loads(text)) for text in journal.facts("look "))
