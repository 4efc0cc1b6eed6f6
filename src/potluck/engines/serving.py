"""The loop of a worker process: reads requests from its stdin, runs operations, answers on its stdout, one at a time.

It tests itself, shuts the door behind it and says that it is there. From then on it can open no socket and no file
beyond what it was granted, leave no core dump, take no more memory than it was given, and be read by no debugger of the
same user; where the machine runs out of memory, it is the first to go. It ends when its stdin closes or its parent is
gone. An error of any kind ends it: whoever called starts a fresh one.

It is no sandbox: code of an attacker that runs in here can still signal and start processes, and undo limits as root.

Operations stand in tables: `op(state, *buffers) -> list of buffers`, where `state` is that table's own dictionary, kept
as long as the process lives. Their modules import everything at the top (later there is no file to be had) and refuse
bad input with `OpError`. This file needs the standard library alone.
"""

import contextlib
import ctypes
import os
import platform
import resource
import signal
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from importlib.metadata import version

from potluck.engines import frames
from potluck.engines.frames import Frame, FrameError, OpError

Op = Callable[..., list[bytes]]
Operations = Mapping[str, Op]
PIECE = 1 << 20
LONGEST = 3600
"""Seconds after which the kernel ends an operation, also one during which no line of Python can run."""
SMALL = 4096
_DUMPABLE = 4


def serve(
    tables: Sequence[Operations],
    ready: Callable[[], Sequence[str]],
    files: int = 0,
    room: int = SMALL,
    left: Callable[[], None] = lambda: None,
) -> None:
    """Serve until stdin closes. The last argument of the command line is the memory limit in bytes.

    ready: tests the engine and gives its versions, "name version" each; raises OpError where it gives wrong answers.
    files: how many descriptors it may hold beside its pipes. room: bytes that what they write to may have. left: takes
    away what it has written, where its parent is gone.
    """
    source, sink = _pipes()
    threading.Thread(target=_watch, args=(os.getppid(), left), daemon=True).start()
    ops = _bound(tables)
    try:
        about = ready()
    except OpError as error:
        _write(sink, frames.pack(frames.ERROR, str(error), 0, []))
        return
    shut(int(sys.argv[-1]), files, room)
    _write(sink, frames.pack(frames.REPLY, "ready", 0, [text.encode() for text in about]))
    while (request := _read(source)) is not None:
        if not _answer(ops, request, sink):
            return
    left()


def shut(memory: int, files: int = 0, room: int = SMALL) -> None:
    """Shut the door: no new file or socket, no core dump, no debugger, at most `memory` bytes of address space.

    files: how many new descriptors it may hold all the same. room: no file among them can be written to beyond that.
    """
    with contextlib.suppress(OSError), open("/proc/self/oom_score_adj", "w", encoding="ascii") as score:
        score.write("1000")
    ctypes.CDLL(None).prctl(_DUMPABLE, 0, 0, 0, 0)
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    most = max(map(int, os.listdir("/proc/self/fd"))) + files if files else 0
    limits = {resource.RLIMIT_CORE: 0, resource.RLIMIT_FSIZE: room if files else 0, resource.RLIMIT_NOFILE: most}
    for what, limit in limits.items():
        resource.setrlimit(what, (limit, limit))


def versions(*packages: str) -> list[str]:
    """What a worker runs on, as `ready` gives it: Python and these packages."""
    return [f"python {platform.python_version()}", *(f"{one} {version(one)}" for one in packages)]


def _pipes() -> tuple[int, int]:
    """stdin and stdout under numbers of their own: whatever a library prints goes to stderr, not into a frame."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle
    source, sink = os.dup(0), os.dup(1)
    os.dup2(2, 1)
    os.close(0)
    return source, sink


def _watch(parent: int, left: Callable[[], None]) -> None:
    """End with the parent, even in the middle of an operation, unless that holds the interpreter's lock.

    PR_SET_PDEATHSIG would also fire when only the parent's thread that started this process ends.
    """
    while os.getppid() == parent:
        time.sleep(0.5)
    try:
        left()
    finally:
        os._exit(1)


def _bound(tables: Sequence[Operations]) -> dict[str, Callable[..., list[bytes]]]:
    ops: dict[str, Callable[..., list[bytes]]] = {"echo": lambda *buffers: list(buffers)}
    for table in tables:
        state: dict[str, object] = {}
        ops |= {name: partial(op, state) for name, op in table.items()}
    return ops


def _answer(ops: Mapping[str, Callable[..., list[bytes]]], request: Frame, sink: int) -> bool:
    """Carry out one request. False: an error was reported, and this process must end."""
    try:
        if request.kind != frames.REQUEST or request.name not in ops:
            raise OpError("no such operation")
        signal.alarm(LONGEST)  # its default is to end the process
        pieces = frames.pack(frames.REPLY, request.name, request.number, ops[request.name](*request.buffers))
        signal.alarm(0)
    except (OpError, FrameError) as error:
        _write(sink, frames.pack(frames.ERROR, str(error), request.number, []))
        return False
    except Exception as error:  # whatever the engine throws; its own words may quote the input
        _write(sink, frames.pack(frames.ERROR, type(error).__name__, request.number, []))
        raise
    _write(sink, pieces)
    return True


def _read(source: int) -> Frame | None:
    """The next frame, or None where the other end is closed. Raises FrameError: nonsense."""

    def take(wanted: int) -> bytes:
        pieces = []
        while wanted:
            piece = os.read(source, min(wanted, PIECE))
            if not piece:
                raise EOFError
            wanted -= len(piece)
            pieces.append(piece)
        return b"".join(pieces)

    try:
        return frames.read(take)
    except EOFError:
        return None


def _write(sink: int, pieces: Sequence[memoryview]) -> None:
    for piece in pieces:
        while piece:
            piece = piece[os.write(sink, piece[:PIECE]) :]
