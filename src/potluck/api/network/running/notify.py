"""Who is told that a request waits: a program of the owner's, run by the site's process ([notify] of the policy).

It is run without a shell, as a group of its own, from the policy's folder, with the few variables of `PASSED`; what its
command line says is the policy's alone, and what others wrote (names of plans and askers) comes as JSON on stdin, every
letter of it visible. It never
keeps the site waiting: it is started and looked at, one at a time, at most once a minute (what began to wait meanwhile
is told together), killed with its group after half a minute, and of what it prints a few lines are read and the first
is shown on the owner's screen where it failed. A program that leaves its group on purpose is not followed: a service's
control group ends it. How each message went is a line of the access log.
"""

import contextlib
import os
import signal
import stat
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote

import msgspec

from potluck.core import private
from potluck.core.errors import PotluckError, Refused, UsageError, reason
from potluck.core.prose import utc
from potluck.core.visible import visible
from potluck.members.home import SiteHome
from potluck.owner.access import AccessLog, Outcome, short
from potluck.owner.access import read as read_log
from potluck.owner.policy import Notify
from potluck.owner.reading import LINK
from potluck.owner.reading import read as read_policy
from potluck.owner.requests import Request, Requests
from potluck.parties.admission.proposal import read_of
from potluck.parties.runners.flood import Pace

LIMIT, EVERY, AGAIN = 30.0, 60.0, 86400.0
"""Seconds: that a program may take; between two of them; after which what still waits is told again."""
AT_ONCE, A_SECOND = 10.0, 1 / 900
"""Messages that may follow each other so, and how many for ever: who asks for ever more runs wakes nobody all night."""
RETRY = 900.0
"""Seconds after which is tried again what came to nothing."""
LOOK = 60.0
"""Seconds between two looks at what waits where nothing new was heard."""
NAMED = 20
"""Requests that one message has; of more it says how many."""
PRINTED = 4096
"""Bytes of what a program prints that are kept."""
LONGEST = 300
"""Bytes of an address of pages."""
PASSED = frozenset(
    [
        "PATH",
        "HOME",
        "USER",
        "LOGNAME",
        "LANG",
        "LC_ALL",
        "TZ",
        "TMPDIR",
        "SSL_CERT_FILE",
        "SSL_CERT_DIR",
        "http_proxy",
        "https_proxy",
        "no_proxy",
        "HTTP_PROXY",
        "HTTPS_PROXY",
        "NO_PROXY",
    ]
)
"""What it gets of the process's environment: what finds programs and ways out, and no password of a database."""
RECENT = 1 << 20
"""Bytes of the access log's end in which the last message is looked for."""


def program(notify: Notify, base: Path) -> list[str]:
    """The command line. base: the policy's folder.

    Raises UsageError: there is no such program. Refused: another user could have changed it.
    """
    path = base / notify.command[0]
    try:
        found = path.resolve(strict=True)
        for part in passed(path.absolute()):
            _trusted(part, part.lstat())
    except OSError as error:
        hint = "a path relative to policy.toml, or a whole one such as /usr/bin/mail"
        raise UsageError(f"notify.command cannot be run ({reason(error)})", where=str(path), hint=hint) from None
    if not found.is_file() or not os.access(found, os.X_OK):
        raise UsageError("notify.command is no program", where=str(path), hint=f"chmod u+x '{path}'")
    return [str(found), *notify.command[1:]]


def passed(path: Path) -> Iterator[Path]:
    """Every folder and link on the way to a file that exists, and the file. path: from the root."""
    at, names = Path(path.anchor), list(reversed(path.parts[1:]))
    yield at
    while names:
        name = names.pop()
        part = at.parent if name == ".." else at / name
        yield part
        if not part.is_symlink():
            at = part
            continue
        target = part.readlink()
        if target.is_absolute():
            at = Path(target.anchor)
        names += reversed(target.parts[1:] if target.is_absolute() else target.parts)


def _trusted(path: Path, status: os.stat_result) -> None:
    """As OpenSSH's StrictModes: whoever could put another program there would run it as this user."""
    others = not stat.S_ISLNK(status.st_mode) and status.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
    sticky = stat.S_ISDIR(status.st_mode) and status.st_mode & stat.S_ISVTX
    if status.st_uid not in (os.geteuid(), 0) or (others and not sticky):
        what = "notify.command is not run: another user of this machine could change it"
        raise Refused(what, where=str(path), hint=f"it and its folders have to be yours or root's: chmod go-w '{path}'")


@dataclass(slots=True)
class _Child:
    process: subprocess.Popen[bytes]
    began: float
    runs: tuple[str, ...]
    printed: bytes = b""
    size: int = 0


@dataclass(slots=True)
class Notifier:
    """One site's, asked by its process alone. say: words for the owner's screen; noted: how each message went."""

    home: SiteHome
    log: AccessLog
    requests: Requests
    say: Callable[[str], None]
    noted: Callable[[str, str], None] = lambda what, outcome: None
    _told: dict[str, float] = field(default_factory=dict)
    _looked: float = float("-inf")
    _next: float = float("-inf")
    _new: bool = True
    _child: _Child | None = None
    _pace: Pace = field(default_factory=lambda: Pace(AT_ONCE, A_SECOND))

    def began(self) -> None:
        """The process starts: what was told before is not told again at once. Raises UsageError: the log."""
        done = [one for one in read_log(self.home.access, RECENT).entries if one.event == "notify"]
        if done and done[-1].outcome == "done":
            at = datetime.fromisoformat(done[-1].when).timestamp()
            self._told = {one.run: at for one in self.requests.pending() if one.first_seen <= at}

    def heard(self, what: str, outcome: str, run: str) -> None:
        """What `Owner.noted` says."""
        if what == "request" and outcome == "pending":
            self._new = True
        elif what in ("request", "end"):
            self._told.pop(run, None)

    def look(self, now: float) -> None:
        """Asked again and again, between letters; returns at once. now: unix seconds."""
        if self._child is not None:
            self._watch(self._child, now)
        if self._child is not None or now < self._next or not (self._new or now - self._looked >= LOOK):
            return
        self._looked, self._new = now, False
        try:
            waiting = self.requests.pending()
            self._told = {one.run: at for one in waiting if (at := self._told.get(one.run)) is not None}
            due = [one for one in waiting if now - self._told.get(one.run, -AGAIN) >= AGAIN]
            notify = read_policy(self.home.policy).notify
        except PotluckError:
            return  # a policy or file that cannot be read is said where it is asked for
        if due and notify.command:
            self._next = now + EVERY
            if not self._pace.allows(now):
                self._new = True
                return
            self._told |= {one.run: now for one in due}
            self._start(notify, due, now)

    def close(self) -> None:
        """The process ends, and with it what it runs."""
        if self._child is not None:
            _end(self._child.process)
            self._ended(self._child, "ended with the site's process")

    def _start(self, notify: Notify, due: Sequence[Request], now: float) -> None:
        runs = tuple(one.run for one in due)
        try:
            command = program(notify, self.home.policy.parent)
            with tempfile.TemporaryFile() as told:  # a pipe might not take all of it at once
                told.write(msgspec.json.encode(message(self.home, notify, due)) + b"\n")
                told.seek(0)
                process = subprocess.Popen(  # noqa: S603  the owner's own command, checked above, and no shell
                    command, stdin=told, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                    cwd=self.home.policy.parent, start_new_session=True,
                    env={name: value for name, value in os.environ.items() if name in PASSED},
                )  # fmt: skip
        except (PotluckError, OSError) as error:
            why = error.what if isinstance(error, PotluckError) else f"notify.command cannot be run ({reason(error)})"
            self._failed(runs, now)
            self._write("refused", (why,))
            return
        assert process.stdout is not None
        os.set_blocking(process.stdout.fileno(), False)
        self._child = _Child(process, now, runs)

    def _watch(self, child: _Child, now: float) -> None:
        """Whether it has ended, or has to."""
        _read(child)
        # Not reaped before its group has ended: until then no other group can have its number.
        if os.waitid(os.P_PID, child.process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None:
            _end(child.process)
            _read(child)
            code = child.process.returncode
            self._ended(child, "" if code == 0 else f"exit code {code}" if code > 0 else f"ended by signal {-code}")
        elif now - child.began >= LIMIT:
            _end(child.process)
            self._ended(child, f"not done within {LIMIT:.0f} seconds")

    def _ended(self, child: _Child, why: str) -> None:
        self._child = None
        assert child.process.stdout is not None
        child.process.stdout.close()
        if not why:
            self._write("done", ())
            return
        for line in child.printed.decode(errors="replace").splitlines()[:1]:
            self.say(f"notify.command said: {visible(line[:200])}")
        self._failed(child.runs, child.began)
        self._write("aborted", (why,))

    def _failed(self, runs: tuple[str, ...], at: float) -> None:
        """Nobody was told of these."""
        self._told |= {run: at - AGAIN + RETRY for run in runs if run in self._told}

    def _write(self, outcome: Outcome, why: tuple[str, ...]) -> None:
        self.noted("notify", outcome)
        if why:
            self.say(f"warning: nobody was told of what waits: {why[0]}")
        with contextlib.suppress(Refused):  # whatever matters more is refused for the same reason
            self.log.write("notify", datetime.now(UTC), outcome=outcome, why=why)


def message(home: SiteHome, notify: Notify, due: Sequence[Request]) -> dict[str, object]:
    """What the program reads. Names are others' words: shortened, and every letter visible."""
    link = notify.link or _shown(home)
    listed = [
        {
            "hash": f"sha256:{one.hash}",
            "plan": short(plan.name) if (plan := read_of(one)) else "",
            "asker": short(one.asker),
            "when": utc(one.first_seen),
            "link": f"{link}/requests/{one.hash}?run={quote(one.run)}" if link else None,
        }
        for one in due[:NAMED]
    ]
    return {"version": 1, "site": home.name, "requests": listed, "more": max(0, len(due) - NAMED)}


def _shown(home: SiteHome) -> str | None:
    """Where `site web` showed the pages last; None: it never did."""
    try:
        with private.regular(home.pages) as file:
            said = file.read(LONGEST).decode("ascii").strip()
    except (OSError, UnicodeDecodeError):
        return None
    return said if LINK.fullmatch(said) else None


def _read(child: _Child) -> None:
    """What it printed meanwhile; what is beyond PRINTED is counted and dropped."""
    assert child.process.stdout is not None
    for _ in range(64):
        try:
            data = os.read(child.process.stdout.fileno(), 1 << 16)
        except BlockingIOError:
            return
        if not data:
            return
        child.size += len(data)
        child.printed += data[: PRINTED - len(child.printed)]


def _end(process: subprocess.Popen[bytes]) -> None:
    """It, and all that it started within its group."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
