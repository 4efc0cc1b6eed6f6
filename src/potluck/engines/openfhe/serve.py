"""The worker: reads requests from its stdin, runs operations over OpenFHE, answers on its stdout, one at a time.

It starts, tests itself, shuts the door behind it and says that it is there. From then on it can open no file and no
socket, leave no core dump, take no more memory than it was given, and be read by no debugger of the same user; where
the machine runs out of memory, it is the first to go. It ends when its stdin closes or its parent is gone. An error of
any kind ends it: whoever called starts a fresh one.

It is no sandbox: code of an attacker that runs in here can still signal and start processes, and undo limits as root.

Operations stand in the tables `OPS` of the sibling modules: `op(state, *buffers) -> list of buffers`, where `state` is
that module's own dictionary, kept as long as the process lives. They import everything at the top of their module
(later there is no file to be had) and refuse bad input with `OpError`.
"""

from __future__ import annotations

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
from importlib.metadata import version

import openfhe

from potluck.engines import frames
from potluck.engines.frames import Frame, FrameError, OpError
from potluck.engines.openfhe import bfv, ckks

Op = Callable[..., list[bytes]]
Table = Mapping[str, Op]
TABLES: tuple[Table, ...] = (bfv.OPS, ckks.OPS)
PIECE = 1 << 20
LONGEST = 3600
"""Seconds after which the kernel ends an operation, also one during which no line of Python can run."""
_DUMPABLE = 4


def main(tables: Sequence[Table] = TABLES) -> None:
    """Serve until stdin closes. The first argument is the memory limit in bytes."""
    source, sink = _pipes()
    threading.Thread(target=_watch, args=(os.getppid(),), daemon=True).start()
    ops = _bound(tables)
    try:
        selftest()
    except OpError as error:
        _write(sink, frames.pack(frames.ERROR, str(error), 0, []))
        return
    about = [f"python {platform.python_version()}", *(f"{name} {version(name)}" for name in ("openfhe", "numpy"))]
    shut(int(sys.argv[1]))
    _write(sink, frames.pack(frames.REPLY, "ready", 0, [text.encode() for text in about]))
    while (request := _read(source)) is not None and _answer(ops, request, sink):
        pass


def selftest() -> None:
    """A sum of two small ciphertexts, exactly. It also makes the engine draw its randomness while a file can be opened.

    Raises OpError: the engine gives wrong answers.
    """
    parameters = openfhe.CCParamsBFVRNS()
    parameters.SetPlaintextModulus(65537)
    parameters.SetMultiplicativeDepth(0)
    parameters.SetSecurityLevel(openfhe.HEStd_NotSet)
    parameters.SetRingDim(64)
    context = openfhe.GenCryptoContext(parameters)
    for feature in (openfhe.PKESchemeFeature.PKE, openfhe.PKESchemeFeature.LEVELEDSHE):
        context.Enable(feature)
    pair = context.KeyGen()
    first, second = list(range(8)), list(range(100, 108))
    boxes = [context.Encrypt(pair.publicKey, context.MakePackedPlaintext(values)) for values in (first, second)]
    opened = context.Decrypt(context.EvalAdd(*boxes), pair.secretKey).GetPackedValue()[:8]
    if list(opened) != [a + b for a, b in zip(first, second, strict=True)]:
        raise OpError("the self-test gives a wrong sum")


def shut(memory: int) -> None:
    """Shut the door: no new file or socket, no core dump, no debugger, at most `memory` bytes of address space."""
    with contextlib.suppress(OSError), open("/proc/self/oom_score_adj", "w", encoding="ascii") as score:
        score.write("1000")
    ctypes.CDLL(None).prctl(_DUMPABLE, 0, 0, 0, 0)
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    for what in (resource.RLIMIT_CORE, resource.RLIMIT_FSIZE, resource.RLIMIT_NOFILE):
        resource.setrlimit(what, (0, 0))


def _pipes() -> tuple[int, int]:
    """stdin and stdout under numbers of their own: whatever a library prints goes to stderr, not into a frame."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle
    source, sink = os.dup(0), os.dup(1)
    os.dup2(2, 1)
    os.close(0)
    return source, sink


def _watch(parent: int) -> None:
    """End with the parent, even in the middle of an operation, unless that holds the interpreter's lock.

    PR_SET_PDEATHSIG would also fire when only the parent's thread that started this process ends.
    """
    while os.getppid() == parent:
        time.sleep(0.5)
    os._exit(1)


def _bound(tables: Sequence[Table]) -> dict[str, Callable[..., list[bytes]]]:
    ops: dict[str, Callable[..., list[bytes]]] = {"echo": lambda *buffers: list(buffers)}
    for table in tables:
        state: dict[str, object] = {}
        ops |= {name: _with(state, op) for name, op in table.items()}
    return ops


def _with(state: dict[str, object], op: Op) -> Callable[..., list[bytes]]:
    return lambda *buffers: op(state, *buffers)


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
    parser = frames.parse()
    wanted = next(parser)
    while True:
        pieces = []
        while wanted:
            piece = os.read(source, min(wanted, PIECE))
            if not piece:
                return None
            wanted -= len(piece)
            pieces.append(piece)
        try:
            wanted = parser.send(b"".join(pieces))
        except StopIteration as done:
            frame: Frame = done.value
            return frame


def _write(sink: int, pieces: Sequence[memoryview]) -> None:
    for piece in pieces:
        while piece:
            piece = piece[os.write(sink, piece[:PIECE]) :]
