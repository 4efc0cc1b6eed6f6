"""Processes that share this one's memory and work for it: forked, asked over a socket, and gone with it.

They have the rows as the parent has them: nothing is copied and nothing is pickled. Answers are frames (`engines`).
A process that is killed ends the simulation; where this one is killed, the system ends them. They hold no key and
open nothing. It is NOT safe where other threads of this process hold locks: what runs in them is NumPy, torch on one
thread, and our own code.
"""

import ctypes
import json
import os
import signal
import socket
import sys
import warnings
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from selectors import EVENT_READ, DefaultSelector
from types import TracebackType
from typing import NoReturn, Self

from potluck.core import errors
from potluck.core.errors import PotluckError
from potluck.core.rounds import Abort, Cause
from potluck.core.slices import Bytes
from potluck.engines import frames
from potluck.learning.models.one_thread import keep_memory

Serve = Callable[[str, tuple[bytes, ...]], Sequence[Bytes]]
"""(operation, what it is given) -> what it gives. PotluckError, Abort and MemoryError go to whoever asked."""
PARENT_GONE = 1
"""PR_SET_PDEATHSIG."""


@dataclass(slots=True)
class _Process:
    pid: int
    line: socket.socket = field(repr=False)

    def post(self, op: str, buffers: Sequence[Bytes]) -> None:
        with suppress(BrokenPipeError, ConnectionResetError):  # the answer says why
            for piece in frames.pack(frames.REQUEST, op, 0, buffers):
                self.line.sendall(piece)

    def answer(self) -> tuple[bytes, ...]:
        try:
            frame = frames.read(lambda wanted: _exactly(self.line, wanted))
        except (EOFError, ConnectionResetError):
            raise Abort(Cause.ENGINE, detail=f"a process of the simulation was ended ({self._how()})") from None
        if frame.kind == frames.ERROR:
            raise _error(frame.buffers[0])
        return frame.buffers

    def _how(self) -> str:
        with suppress(ChildProcessError):
            code = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
            return next((one.name for one in signal.Signals if one == -code), f"code {code}")
        return "it is gone"


class Pool:
    """Some processes, each of which serves by the same function. As a context it ends them."""

    def __init__(self, count: int, serve: Serve) -> None:
        self._processes: list[_Process] = []
        try:
            for _ in range(count):
                self._processes.append(_forked(serve, [one.line for one in self._processes]))
        except BaseException:
            self.close()
            raise

    @property
    def pids(self) -> tuple[int, ...]:
        """Of all of them."""
        return tuple(one.pid for one in self._processes)

    def all(self, op: str, *buffers: Bytes) -> list[tuple[bytes, ...]]:
        """Ask each the same. Raises as `Serve`; Abort(ENGINE): one is gone."""
        for one in self._processes:
            one.post(op, buffers)
        return [one.answer() for one in self._processes]

    def share(self, op: str, given: Iterable[Sequence[Bytes]]) -> list[tuple[bytes, ...]]:
        """Ask for each of these once, whoever is free; answers in the order in which they come. Raises as `all`."""
        left, found = iter(given), list[tuple[bytes, ...]]()
        with DefaultSelector() as busy:

            def occupy(one: _Process) -> None:
                buffers = next(left, None)
                if buffers is not None:
                    one.post(op, buffers)
                    busy.register(one.line, EVENT_READ, one)

            for one in self._processes:
                occupy(one)
            while busy.get_map():
                for key, _ in busy.select():
                    busy.unregister(key.fileobj)
                    found.append(key.data.answer())
                    occupy(key.data)
        return found

    def close(self) -> None:
        """End them, whatever they do."""
        for one in self._processes:
            one.line.close()
            with suppress(ProcessLookupError):
                os.kill(one.pid, signal.SIGKILL)
            with suppress(ChildProcessError):
                os.waitpid(one.pid, 0)
        self._processes.clear()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()


class Here:
    """The same in this process, one after another: for sums that take less time than asking another process."""

    def __init__(self, serve: Serve) -> None:
        self._serve = serve

    def all(self, op: str, *buffers: Bytes) -> list[Sequence[Bytes]]:
        """See `Pool`."""
        return [self._serve(op, tuple(map(bytes, buffers)))]

    def share(self, op: str, given: Iterable[Sequence[Bytes]]) -> list[Sequence[Bytes]]:
        """See `Pool`."""
        return [found for one in given for found in self.all(op, *one)]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Nothing is to be ended."""


def _forked(serve: Serve, others: Sequence[socket.socket]) -> _Process:
    ours, theirs = socket.socketpair()
    parent = os.getpid()
    sys.stdout.flush()
    sys.stderr.flush()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # that there may be threads: see the module
        pid = os.fork()
    if pid:
        theirs.close()
        return _Process(pid, ours)
    try:
        for one in (ours, *others):
            one.close()
        _serve(serve, theirs, parent)
    finally:
        os._exit(1)


def _serve(serve: Serve, line: socket.socket, parent: int) -> NoReturn:
    """Until the other end is closed. Whatever goes wrong is told, and ends this process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for whoever asks, which ends its processes
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    ctypes.CDLL(None).prctl(PARENT_GONE, signal.SIGKILL, 0, 0, 0)
    keep_memory()
    try:
        while os.getppid() == parent:
            request = frames.read(lambda wanted: _exactly(line, wanted))
            try:
                pieces = frames.pack(frames.REPLY, request.name, 0, serve(request.name, request.buffers))
            except (PotluckError, Abort, MemoryError) as error:
                pieces = frames.pack(frames.ERROR, request.name, 0, [_told(error)])
            for piece in pieces:
                line.sendall(piece)
    except (EOFError, OSError):
        os._exit(0)
    os._exit(0)


def _exactly(line: socket.socket, wanted: int) -> bytes:
    pieces = bytearray()
    while len(pieces) < wanted:
        piece = line.recv(min(wanted - len(pieces), 1 << 20))
        if not piece:
            raise EOFError
        pieces += piece
    return bytes(pieces)


def _told(error: PotluckError | Abort | MemoryError) -> bytes:
    if isinstance(error, PotluckError):
        said = [type(error).__name__, error.what, error.where, error.hint]
    elif isinstance(error, Abort):
        said = ["Abort", error.cause.value, error.step, error.detail]
    else:
        said = ["MemoryError", "", "", ""]
    return json.dumps(said).encode()


def _error(told: bytes) -> PotluckError | Abort | MemoryError:
    name, what, where, hint = json.loads(told)
    if name == "Abort":
        return Abort(Cause(what), step=where, detail=hint)
    if name == "MemoryError":
        return MemoryError()
    kind: type[PotluckError] = getattr(errors, name)
    return kind(what, where=where, hint=hint)
