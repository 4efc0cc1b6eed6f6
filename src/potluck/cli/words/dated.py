"""Lines of long-lived verbs that begin with the time, in UTC: what stands in a file or with a supervisor is a log.

In systemd's journal lines have a time already: there they get none of ours unless asked.
"""

import io
import os
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TextIO, TypeVar

import click

F = TypeVar("F", bound=Callable[..., object])
JOURNAL = "JOURNAL_STREAM"
"""Where systemd says which stream goes to its journal: device:inode."""


def stamp(now: datetime) -> str:
    """As it stands before a line, e.g. "2026-12-01T09:30:00Z "."""
    return now.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ ")


class Dated(io.TextIOBase):
    """A stream whose lines begin with the time at which they began. It is no terminal: nothing moves a cursor there."""

    def __init__(self, to: TextIO, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._to, self._now, self._fresh = to, now, True

    @property
    def encoding(self) -> str:  # type: ignore[override]
        """As the stream behind it."""
        return self._to.encoding

    @property
    def errors(self) -> str | None:  # type: ignore[override]
        """As the stream behind it."""
        return self._to.errors

    def write(self, text: str) -> int:
        """Whole lines, or the beginning of one."""
        said = [part for line in text.split("\n") for part in (line, "\n")][:-1]
        for part in filter(None, said):
            self._to.write(f"{stamp(self._now())}{part}" if self._fresh and part != "\n" else part)
            self._fresh = part == "\n"
        return len(text)

    def writable(self) -> bool:
        """It is."""
        return True

    def flush(self) -> None:
        """What was written is on its way."""
        self._to.flush()

    def isatty(self) -> bool:
        """See the class."""
        return False

    def fileno(self) -> int:
        """Of the stream behind it."""
        return self._to.fileno()


def journaled(stream: TextIO) -> bool:
    """Whether systemd's journal reads this stream, and so dates its lines. See systemd.exec(5)."""
    try:
        status = os.fstat(stream.fileno())
    except (OSError, ValueError):
        return False
    return os.environ.get(JOURNAL) == f"{status.st_dev}:{status.st_ino}"


def _date(context: click.Context, option: click.Parameter, value: bool) -> None:
    """From here on, until the program ends (`door.run` undoes it)."""
    if not isinstance(sys.stderr, Dated) and (value or not (sys.stderr.isatty() or journaled(sys.stderr))):
        sys.stderr = Dated(sys.stderr)


def lasting(command: F) -> F:
    """Add --timestamps to a verb that runs for days; where its words go to a file, their lines have the time anyway."""
    words = "Begin each line of words with the time, also in a terminal."
    return click.option("--timestamps", is_flag=True, expose_value=False, callback=_date, help=words)(command)
