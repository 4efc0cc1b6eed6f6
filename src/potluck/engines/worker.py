"""A worker process seen from Potluck: start it, ask it, end it; it can neither hang nor take down whoever asks.

One worker serves one tenant: OpenFHE keeps evaluation keys for the whole process. Its state is gone with the process,
so a caller that built some compares `generation`. Any thread may call; calls wait for one another.

It contains crashes, hangs and greed of a library that was not written for hostile bytes. It is no sandbox against
code that an attacker runs inside it: bytes are authenticated before they come here.
"""

import contextlib
import fcntl
import os
import select
import signal
import subprocess
import threading
import time
import weakref
from collections import deque
from collections.abc import Iterator, Mapping, Sequence

from potluck.core.errors import PotluckError
from potluck.core.rounds import Abort, Cause
from potluck.engines import environment, frames
from potluck.engines.frames import Frame, FrameError

MEMORY = 8 << 30
"""Address space of a worker, in bytes."""
START = 120.0
"""Seconds until a started worker must say that it is ready: to load torch takes half a minute on a busy machine."""
PATIENCE = 120.0
"""Seconds that an operation may take where nobody says otherwise."""
PIECE = 1 << 20
_Asked = tuple[str, "subprocess.Popen[bytes]", float]
"""The operation, who was asked, and until when."""


class Worker:
    """An engine's process, started when it is first asked.

    program: the command line, to which the memory limit is added; by default that of the installed engine `name`.
    memory: bytes of address space. generation: how many processes were started so far.
    versions: what the last one runs on: python, openfhe, numpy.
    """

    def __init__(self, name: str = "he", *, program: Sequence[str] | None = None, memory: int = MEMORY) -> None:
        self.name = name
        self.memory = memory
        self.generation = 0
        self.versions: Mapping[str, str] = {}
        self._program = program
        self._process: subprocess.Popen[bytes] | None = None
        self._end: weakref.finalize[[subprocess.Popen[bytes]], Worker] | None = None
        self._number = 0
        self._asked: _Asked | None = None
        self._busy = False
        self._told: deque[tuple[str, tuple[bytes, ...]]] = deque()
        self._lock = threading.RLock()

    @property
    def pid(self) -> int | None:
        """The process's id, or None where none runs."""
        return None if self._process is None else self._process.pid

    def call(self, op: str, *buffers: bytes, deadline: float = PATIENCE) -> tuple[bytes, ...]:
        """Ask for one operation, within `deadline` seconds (a start not counted); gives its buffers.

        Raises Abort(ENGINE): the worker died, was too late (it is killed), answered nonsense or refused, or the buffers
        are too large. The next call starts a fresh one. Raises UsageError: the engine is not installed.
        """
        with self._lock:
            self.post(op, *buffers, deadline=deadline)
            return self.collect()

    def tell(self, op: str, *buffers: bytes) -> None:
        """Ask for what nobody needs the answer of: at once, or, where a call is under way, right after that.

        For finalizers: Python runs them wherever it likes, also in the middle of a call of the same thread, between the
        halves of a frame. Nothing happens where no process runs, nor if it ends before.
        """
        self._told.append((op, buffers))
        if self._lock.acquire(blocking=False):  # whoever holds it hears of it when it is done
            if self._busy:
                self._lock.release()
            else:
                self._busy = True
                self._end_turn()

    def post(self, op: str, *buffers: bytes, deadline: float = PATIENCE) -> None:
        """Ask as `call` does, but do not wait for the answer: workers that talk to each other are all asked first.

        Until `collect`, by the same thread, calls of other threads wait. Raises as `call` does; then nothing is asked.
        """
        self._begin(op)
        try:
            self._asked = self._ask(op, buffers, time.monotonic() + deadline)
        except BaseException:
            self._end_turn()
            raise

    def collect(self) -> tuple[bytes, ...]:
        """The answer to what was posted. Raises as `call` does."""
        if self._asked is None:
            raise RuntimeError("nothing was posted")
        asked, self._asked = self._asked, None
        try:
            return self._answer(asked)
        finally:
            self._end_turn()

    def start(self) -> None:
        """Start the process where none runs. Raises as `call` does."""
        self._begin("start")
        try:
            self._started()
        finally:
            self._end_turn()

    def warm(self) -> None:
        """Start the process beside other work. What goes wrong shows when it is asked for something."""

        def quietly() -> None:
            with contextlib.suppress(Abort, PotluckError):
                self.start()

        threading.Thread(target=quietly, daemon=True).start()

    def close(self) -> None:
        """End the process; its state is gone, and what was posted is dropped. It waits for a call of another thread."""
        with self._lock:
            self._ended()
            if self._asked is not None:
                self._asked, self._busy = None, False
                self._lock.release()

    def _begin(self, op: str) -> None:
        """One call at a time: other threads wait, and the same thread must not ask between the halves of a frame."""
        self._lock.acquire()
        if self._busy:
            self._lock.release()
            raise RuntimeError(f"{op} is asked for in the middle of another call")
        self._busy = True

    def _end_turn(self) -> None:
        try:
            while self._told and self._process is not None:
                op, buffers = self._told.popleft()
                with contextlib.suppress(Abort):  # then the process is gone, and what it held with it
                    self._answer(self._ask(op, buffers, time.monotonic() + PATIENCE))
        finally:
            self._busy = False
            self._lock.release()

    def _ask(self, op: str, buffers: Sequence[bytes], until: float) -> _Asked:
        with self._named(op):
            process = self._started()
            self._number += 1
            _write(process, frames.pack(frames.REQUEST, op, self._number, buffers), until)
        return op, process, until

    def _answer(self, asked: _Asked) -> tuple[bytes, ...]:
        op, process, until = asked
        with self._named(op):
            return self._reply(_read(process, until), self._number)

    @contextlib.contextmanager
    def _named(self, op: str) -> Iterator[None]:
        """What goes wrong in here gets its name; whatever it is, the process is ended where bytes may lie in a pipe."""
        try:
            yield
        except FrameError as error:
            raise Abort(Cause.ENGINE, step=op, detail=str(error)) from None
        except _Failed as failure:
            raise Abort(Cause.ENGINE, step=op, detail=self._failed(failure)) from None
        except BaseException:
            self._ended()  # half a request lies in the pipe
            raise

    def _ended(self) -> None:
        if self._end is not None:
            self._end()
        self._process, self._end = None, None
        self._told.clear()

    def _started(self) -> subprocess.Popen[bytes]:
        if self._process is not None and self._process.poll() is None:
            return self._process
        self._ended()
        program = self._program or environment.require(self.name).program()
        try:
            process = _spawn([*program, str(self.memory)])
        except OSError as error:
            raise Abort(Cause.ENGINE, step="start", detail=f"cannot be started ({type(error).__name__})") from None
        self._process, self._end = process, weakref.finalize(self, _end, process)
        self.generation += 1
        try:
            ready = self._reply(_read(process, time.monotonic() + START), 0)
            self.versions = _versions(ready)
        except _Failed as failure:
            raise Abort(Cause.ENGINE, step="start", detail=self._failed(failure)) from None
        except BaseException:
            self._ended()
            raise
        return process

    def _reply(self, frame: Frame, number: int) -> tuple[bytes, ...]:
        if frame.number != number:
            raise _Failed("answered something else")
        if frame.kind == frames.ERROR:
            raise _Failed(frame.name)
        if frame.kind != frames.REPLY:
            raise _Failed("answered nonsense")
        return frame.buffers

    def _failed(self, failure: "_Failed") -> str:
        """Why, in words; the process is ended."""
        process = self._process
        code = None
        if process is not None and failure.ended:
            with contextlib.suppress(subprocess.TimeoutExpired):
                code = process.wait(1)
        self._ended()
        if code is None:
            return failure.words
        return f"ended by {_signal(-code)}" if code < 0 else f"ended with code {code}"


class _Failed(Exception):
    """What a worker did instead of answering. ended: its end of a pipe is closed."""

    def __init__(self, words: str, *, ended: bool = False) -> None:
        self.words, self.ended = words, ended
        super().__init__(words)


def _signal(number: int) -> str:
    return next((one.name for one in signal.Signals if one == number), f"signal {number}")


def _spawn(command: Sequence[str]) -> subprocess.Popen[bytes]:
    """Start it with an empty environment and no file but its pipes. Its stderr is dropped: it may quote its input."""
    process = subprocess.Popen(  # noqa: S603  the engine's own interpreter, or a test's
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        bufsize=0,
        cwd="/",
        env={"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "LC_ALL": "C.UTF-8"},
        process_group=0,  # Ctrl-C at a terminal is for Potluck, which ends its workers
    )
    for pipe in (process.stdin, process.stdout):
        assert pipe is not None
        os.set_blocking(pipe.fileno(), False)
        with contextlib.suppress(OSError):
            fcntl.fcntl(pipe.fileno(), fcntl.F_SETPIPE_SZ, PIECE)
    return process


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a process and everything that this side holds of it."""
    process.kill()
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            with contextlib.suppress(OSError):
                pipe.close()
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(10)


def _versions(ready: Sequence[bytes]) -> dict[str, str]:
    pairs = [buffer[:100].decode("ascii", "replace").split(" ") for buffer in ready[:10]]
    if any(len(pair) != 2 for pair in pairs):
        raise _Failed("answered nonsense")
    return {pair[0]: pair[1] for pair in pairs}


def _wait(descriptor: int, event: int, until: float) -> None:
    """Wait until `descriptor` is ready. Raises _Failed: not in time."""
    poll = select.poll()
    poll.register(descriptor, event)
    left = until - time.monotonic()
    if left <= 0 or not poll.poll(left * 1000):
        raise _Failed("no answer in time")


def _write(process: subprocess.Popen[bytes], pieces: Sequence[memoryview], until: float) -> None:
    assert process.stdin is not None
    sink = process.stdin.fileno()
    for piece in pieces:
        while piece:
            try:
                piece = piece[os.write(sink, piece[:PIECE]) :]
            except BlockingIOError:
                _wait(sink, select.POLLOUT, until)
            except BrokenPipeError:
                raise _Failed("ended", ended=True) from None


def _take(source: int, wanted: int, until: float) -> bytes:
    """Exactly `wanted` bytes. Memory is taken as they come, not as they are announced."""
    pieces = []
    while wanted:
        try:
            piece = os.read(source, min(wanted, PIECE))
        except BlockingIOError:
            _wait(source, select.POLLIN, until)
            continue
        if not piece:
            raise _Failed("ended", ended=True)
        wanted -= len(piece)
        pieces.append(piece)
    return b"".join(pieces)


def _read(process: subprocess.Popen[bytes], until: float) -> Frame:
    assert process.stdout is not None
    source = process.stdout.fileno()
    try:
        return frames.read(lambda wanted: _take(source, wanted, until))
    except FrameError:
        raise _Failed("answered nonsense") from None
