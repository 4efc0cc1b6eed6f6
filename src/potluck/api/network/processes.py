"""Child processes of `up`: started, watched, started again where they die, and ended with this process."""

import ctypes
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from potluck.core import private

GRACE = 10.0
"""Seconds between asking a process to end and ending it."""
MOST = 100
"""Starts of one process; one that dies more often will not live."""
PAUSE = 0.2
PARENT_DIED = 1  # prctl's PR_SET_PDEATHSIG
INTERRUPTED = 130
TIME = re.compile(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ ")
"""How lines of long-lived verbs begin where they stand in a file."""


class Processes:
    """The children, by name. logs: by name the folder of what it says; say: (event, name) for whoever watches."""

    def __init__(
        self, commands: Mapping[str, Sequence[str]], logs: Mapping[str, Path], say: Callable[[str, str], None]
    ) -> None:
        self._commands = commands
        self._logs = logs
        self._say = say
        self._children: dict[str, subprocess.Popen[bytes]] = {}
        self._starts = dict.fromkeys(commands, 0)

    def __enter__(self) -> Self:
        for folder in set(self._logs.values()):
            folder.mkdir(mode=private.FOLDER, parents=True, exist_ok=True)
        for name in self._commands:
            self._start(name)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Ask all to end, the last started first; end those that do not."""
        for name in reversed(self._children):
            if self._children[name].poll() is None:
                self._children[name].terminate()
        end = time.monotonic() + GRACE
        for child in reversed(self._children.values()):
            try:
                child.wait(max(0.0, end - time.monotonic()))
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()

    def said(self, name: str) -> str:
        """What a process wrote to stdout in its last life."""
        return (self._logs[name] / f"{name}.out").read_text(encoding="utf-8", errors="replace")

    def last_word(self, name: str, begins: str = "") -> str:
        """The last line that a process wrote to stderr, without its time, of those that begin so; empty: none."""
        text = (self._logs[name] / f"{name}.log").read_text(encoding="utf-8", errors="replace")
        lines = [TIME.sub("", line, count=1) for line in text.strip().splitlines()]
        return next((line for line in reversed(lines) if line.startswith(begins)), "")

    def pid(self, name: str) -> int:
        """The process id."""
        return self._children[name].pid

    def tend(self, last: str) -> int | None:
        """Start again who died; gives the exit code of `last` once it has ended by itself."""
        for name, child in self._children.items():
            code = child.poll()
            if code is None:
                continue
            if name == last and 0 <= code < INTERRUPTED:
                return code
            if self._starts[name] >= MOST:
                return max(code, 1)
            self._say("started again", name)
            time.sleep(PAUSE)
            self._start(name)
        return None

    def _start(self, name: str) -> None:
        self._starts[name] += 1
        log, out = (self._logs[name] / f"{name}.{kind}" for kind in ("log", "out"))
        with private.opened(log, os.O_APPEND) as words, private.opened(out, os.O_TRUNC) as data:
            self._children[name] = subprocess.Popen(  # noqa: S603 - our own command lines
                list(self._commands[name]),
                stdin=subprocess.DEVNULL,
                stdout=data,
                stderr=words,
                start_new_session=True,  # Ctrl-C goes to this process alone, which ends the others
                preexec_fn=die_with_parent if sys.platform == "linux" else None,
            )


def die_with_parent() -> None:
    """In a child, before its program starts: it gets SIGTERM when its parent dies, however it dies."""
    ctypes.CDLL(None).prctl(PARENT_DIED, signal.SIGTERM)
