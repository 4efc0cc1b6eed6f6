"""The access log: a line of JSON for every request, granted or not, every round, every decision. Append-only, 0600.
A coordinator's has who signed in at its pages, and who started and cancelled what.

Each line is on disk before `write` returns. Names from outside are shortened and their control letters written out,
so that no one can forge a line or move a terminal's cursor. No value, no text from the network but names, and a
coordinator's reason for cancelling a run; of rows only counts of what a plan did not expect in them (event "rows"): the
log is the owner's. It is NOT rotated and NOT chained: it grows by some hundred bytes a line, and whoever may write the
file may change it. What was spent is in the ledger, which is evidence.
"""

import fcntl
import json
import os
import shutil
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

import msgspec

from potluck.core import private
from potluck.core.errors import Refused, UsageError, reason
from potluck.core.schema import readable
from potluck.core.visible import visible
from potluck.members.files import settle

LONGEST = 128
REASON = 1000
"""Letters of the words that a person gives with a decision."""
IN_FILE = "in the file, by whoever has the terminal"
"""How a policy was changed, where a line of that names no person."""
MOST_CODES = 20
LINE = 48 << 10
Event = Literal[
    "start", "stop", "request", "approve", "deny", "revoke", "withdraw", "rows", "round", "refusal", "end", "forget",
    "members", "sign-in", "sign-out", "person", "papers", "submit", "cancel", "policy", "notify", "doctor",
]  # fmt: skip
Outcome = Literal["", "pending", "approved", "denied", "revoked", "finished", "withdrawn", "done", "refused", "aborted"]


class Unlogged(Refused):
    """The log cannot be written now. What cannot be logged must not be done."""


class Entry(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One line. when: UTC, ISO 8601; asker: who asked; person: who decided; plan: its name; file: of a request, the
    federation file that the server goes by; version: of a request, that of the server's program where it is another
    than here; policy: digest of the words of the one in force (`policy_words`); why: codes; reason: a person's words
    with a decision, a change of the policy, or the end of a run that its asker cancelled."""

    when: str
    event: Event
    outcome: Outcome = ""
    asker: str = ""
    person: str = ""
    plan: str = ""
    hash: str = ""
    run: str = ""
    file: str = ""
    policy: str = ""
    version: str = ""
    round: int | None = None
    why: tuple[str, ...] = ()
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Log:
    """What a file holds, oldest first, and which lines (from 1) cannot be read: a crash can cut one short."""

    entries: tuple[Entry, ...]
    damaged: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Subject:
    """Whom and what a line is about; empty where it is about nothing of that kind."""

    asker: str = ""
    person: str = ""
    plan: str = ""
    hash: str = ""
    run: str = ""
    file: str = ""
    policy: str = ""
    reason: str = ""
    version: str = ""


class AccessLog:
    """One site's log. Any number of processes may write it."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def write(
        self,
        event: Event,
        now: datetime,
        *,
        outcome: Outcome = "",
        about: Subject | None = None,
        round: int | None = None,
        why: tuple[str, ...] = (),
    ) -> Entry:
        """A line, durable when this returns. now: with its time zone.

        Raises Unlogged: it cannot be written.
        """
        about = about or Subject()
        entry = Entry(
            when=now.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            event=event,
            outcome=outcome,
            asker=short(about.asker),
            person=short(about.person),
            plan=short(about.plan),
            hash=short(about.hash),
            run=short(about.run),
            file=short(about.file),
            policy=short(about.policy),
            version=short(about.version),
            round=round,
            why=tuple(short(code) for code in why[:MOST_CODES]),
            reason=short(about.reason, REASON),
        )
        line = json.dumps(msgspec.to_builtins(entry), ensure_ascii=True).encode("ascii") + b"\n"
        try:
            _append(self._path, line)
        except OSError as error:
            raise self._unlogged(reason(error)) from None
        return entry

    def ready(self) -> None:
        """Raises Unlogged: its disk has no room for lines."""
        if _full(self._path.parent):
            raise self._unlogged("its disk has no room")

    def _unlogged(self, why: str) -> Unlogged:
        hint = "nothing is done that is not logged: check the disk, its space and the file's permissions"
        return Unlogged(f"cannot be written ({why})", where=str(self._path), hint=hint)


def read(path: Path, last: int | None = None) -> Log:
    """The log of a site; of one that has none yet, nothing. last: only the lines that lie in so many newest bytes.

    Raises UsageError: it cannot be read.
    """
    entries: list[Entry] = []
    damaged: list[int] = []
    try:
        with path.open("rb") as file:
            if last is not None and file.seek(0, os.SEEK_END) > last:
                file.seek(-last, os.SEEK_END)
                file.readline(LINE)  # it began before
            else:
                file.seek(0)
            for number, line in enumerate(iter(lambda: file.readline(LINE), b""), 1):
                try:
                    entry = msgspec.json.decode(line, type=readable(Entry))
                    datetime.fromisoformat(entry.when).astimezone(UTC)
                    entries.append(entry)
                except (msgspec.DecodeError, UnicodeDecodeError, ValueError, OverflowError):
                    damaged.append(number)
    except FileNotFoundError:
        return Log((), ())
    except OSError as error:
        raise UsageError(f"cannot be read ({reason(error)})", where=str(path)) from None
    return Log(tuple(entries), tuple(damaged))


def short(text: str, longest: int = LONGEST) -> str:
    """A text from outside as it may be kept and printed: visible, and cut at `longest` letters. Two texts stay two."""
    cut = text if len(text) <= longest else f"{text[: longest - 3]}..."
    return visible(cut.replace("\\", "\\u{5c}"))


def _full(folder: Path) -> bool:
    return shutil.disk_usage(folder).free < LINE


def _append(path: Path, line: bytes) -> None:
    """The whole line or nothing of it, also beside other processes. A line that a crash cut short is ended first."""
    fresh = not path.exists()
    handle = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, private.FILE)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        size = os.fstat(handle).st_size
        torn = size > 0 and os.pread(handle, 1, size - 1) != b"\n"
        try:
            private.append(handle, b"\n" + line if torn else line)
            os.fsync(handle)
        except OSError:
            os.ftruncate(handle, size)
            raise
    finally:
        os.close(handle)
    if fresh:
        settle(path.parent)
