"""What a site's process counts, and the small file in its home that says how it is.

The file is for `site status` and the doctor: this user's alone, replaced in one step, at most once a second, and not
flushed to the disk. Who reads it holds it against the lock: without that it is the word of a process that has ended.
A process takes away what one before it wrote, and what it cannot replace itself: no old word passes for a new one.
It has no name of a plan, no asker and no number of rows.
"""

import os
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import msgspec

from potluck.core import private
from potluck.core.errors import PotluckError, Unreachable
from potluck.core.line import Delivery, Line
from potluck.core.party import Party
from potluck.core.plan import CODE
from potluck.core.schema import readable
from potluck.core.slices import Sliced
from potluck.members.files import full
from potluck.members.home import SiteHome

OFTEN, SELDOM = 1.0, 10.0
"""Seconds between two files where something changed, and where nothing did."""


class Beat(msgspec.Struct, frozen=True, kw_only=True):
    """The file. began, seen: unix seconds of the process's start and of this file; program: its version; since: when
    the connection to the broker came or went; trouble: why there is none, empty where there is; nodes: of several, by
    address whether each answered last; stopped: why nothing is answered, or why the process ended, else empty."""

    version: Literal[1] = 1
    pid: int
    program: str
    began: float
    seen: float
    connected: bool
    since: float
    trouble: str = ""
    reconnects: int = 0
    nodes: dict[str, bool] = {}
    stopped: str = ""


@dataclass(frozen=True, slots=True)
class Counts:
    """So far. busy: seconds since the process last looked around, as it does twice a second between letters; letters,
    bytes: by "in" and "out"; happened: by what and how it came out, in this program's words."""

    connected: bool
    busy: float
    reconnects: int
    letters: Mapping[str, int]
    bytes: Mapping[str, int]
    happened: Mapping[tuple[str, str], int]
    nodes: Mapping[str, bool] = field(default_factory=dict)


@dataclass(slots=True)
class Pulse:
    """One process's. Safe to read from other threads; `clock` gives unix seconds."""

    home: SiteHome
    clock: Callable[[], float] = time.time
    began: float = field(init=False)
    _since: float = field(init=False)
    _trouble: str = "not connected yet"
    _stopped: str = ""
    _connections: int = 0
    _nodes: Mapping[str, bool] = field(default_factory=dict)
    _written: float = 0.0
    _changed: bool = True
    _letters: Counter[str] = field(default_factory=Counter)
    _bytes: Counter[str] = field(default_factory=Counter)
    _happened: Counter[tuple[str, str]] = field(default_factory=Counter)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _line: Line | None = None
    _looked: float = field(init=False)

    def __post_init__(self) -> None:
        self.began = self._since = self._looked = self.clock()

    def begin(self) -> None:
        """This process holds the home now."""
        with suppress(OSError):
            self.home.status.unlink(missing_ok=True)
        self.beat()

    def follow(self, line: Line) -> None:
        """From here on whoever asks is told of this line's connection as it is, also while the process computes."""
        self._line = line

    def noted(self, what: str, outcome: str) -> None:
        """Something happened."""
        with self._lock:
            self._happened[what, outcome] += 1

    def moved(self, way: Literal["in", "out"], size: int) -> None:
        """A letter came or went."""
        with self._lock:
            self._letters[way] += 1
            self._bytes[way] += size

    def line(self, trouble: PotluckError | None) -> None:
        """How the connection is now; asked often."""
        now = "" if trouble is None else trouble.what
        with self._lock:
            if now != self._trouble:
                self._connections += self._trouble != "" and not now
                self._trouble, self._since, self._changed = now, self.clock(), True

    def connected(self, times: int, nodes: Mapping[str, bool]) -> None:
        """How often it was connected so far, also where that was over too soon to be seen; which nodes answer."""
        with self._lock:
            self._changed |= times > self._connections or nodes != self._nodes
            self._connections, self._nodes = max(self._connections, times), nodes

    def counts(self) -> Counts:
        """All of it at one moment."""
        if self._line is not None:
            self.line(self._line.trouble)
        with self._lock:
            again = max(0, self._connections - 1)
            busy = max(0.0, self.clock() - self._looked)
            moved = dict(self._letters), dict(self._bytes)
            return Counts(not self._trouble, busy, again, *moved, dict(self._happened), self._nodes)

    def beat(self, stopped: str = "") -> None:
        """Write the file, where it is time to, and at once where this changed. stopped: why nothing is answered. A disk
        that is full ends nothing here."""
        now = self._looked = self.clock()
        news, self._stopped = stopped != self._stopped, stopped
        if not news and now - self._written < (OFTEN if self._changed else SELDOM):
            return
        self._written, self._changed = now, False
        said = Beat(
            pid=os.getpid(), program=CODE, began=self.began, seen=now, connected=not self._trouble,
            since=self._since, trouble=self._trouble, reconnects=max(0, self._connections - 1), nodes=dict(self._nodes),
            stopped=stopped,
        )  # fmt: skip
        fresh = self.home.status.with_name(f".{self.home.status.name}.{os.getpid()}")
        try:
            private.write(fresh, msgspec.json.encode(said) + b"\n")
            fresh.replace(self.home.status)
        except OSError:
            with suppress(OSError):
                fresh.unlink(missing_ok=True)
                self.home.status.unlink(missing_ok=True)


def heard(path: Path) -> Beat | None:
    """What the last process wrote; None: nothing that can be read."""
    try:
        return msgspec.json.decode(private.read(path), type=readable(Beat))
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError):
        return None


def mute(home: SiteHome, beat: Beat | None) -> str:
    """Why a process that holds the home answers nothing; empty: nothing says so. beat: what `heard` gives."""
    if any(full(one) for one in (home.folder, home.ledger.parent) if one.is_dir()):
        return "the disk has no room: nothing is answered until there is some"
    if beat is None:
        return "it cannot say how it is, or begins just now: does the disk take anything?"
    return f"nothing is answered: {beat.stopped}" if beat.stopped else ""


@dataclass(frozen=True, slots=True)
class Counted:
    """A line whose letters are counted as they pass."""

    line: Line
    pulse: Pulse

    def __post_init__(self) -> None:
        self.pulse.follow(self.line)

    def send(self, to: Party, data: Sliced, patience: float) -> None:
        """See `core.line.Line`."""
        self.line.send(to, data, patience)
        self.pulse.moved("out", len(data))

    def send_all(self, letters: Sequence[tuple[Party, Sliced]], patience: float) -> Mapping[Party, Unreachable]:
        """See `core.line.Line`."""
        lost = self.line.send_all(letters, patience)
        for to, data in letters:
            if to not in lost:
                self.pulse.moved("out", len(data))
        return lost

    def receive(self, wait: float) -> Delivery | None:
        """See `core.line.Line`."""
        found = self.line.receive(wait)
        if found is not None:
            self.pulse.moved("in", len(found.data))
        return found

    @property
    def trouble(self) -> PotluckError | None:
        """See `core.line.Line`."""
        return self.line.trouble

    def close(self) -> None:
        """See `core.line.Line`."""
        self.line.close()
