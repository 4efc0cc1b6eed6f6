"""The engine of joint computation, typed: programs and intersections, done in a process of its own.

One `Spu` is one party's engine for one job. What talks to the other parties gives a `Pending`: on one thread, ask
all parties first, then take the results. Shares are opaque bytes whose length is known. A share in, a share out:
nothing is opened here.
"""

import json
import shutil
import tempfile
import weakref
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from potluck.core.rounds import Abort, Cause, Limit
from potluck.mpc.credentials import EngineCredentials

if TYPE_CHECKING:
    from potluck.engines.worker import Worker

T = TypeVar("T")
WIDTH = {"ABY3": 16, "CHEETAH": 8}
"""Bytes of a party's share, an element."""
PAIR = 2
"""The same of a bit under ABY3."""
RR22 = "RR22"
AMONG = {3: "ABY3", 2: "CHEETAH"}
"""The protocol by which so many compute."""
DIGEST = 16
"""Bytes of a key that is intersected."""
BOTH = 2
"""The receiver of an intersection where both sides learn it."""
SLACK = 15.0
"""Seconds that the engine has beyond its patience with others, to say what happened."""


UNSENT = "ended with code 255"
"""What the library makes of a message that it cannot send: it ends its process."""


class Pending(Generic[T]):
    """The result of a call that waits for other parties. It is taken once, by the thread that asked."""

    def __init__(self, worker: "Worker", read: Callable[[tuple[bytes, ...]], T]) -> None:
        self._worker, self._read = worker, read

    def result(self) -> T:
        """Raises Abort(ENGINE): another party is gone or too late, or computes something else; the engine is ended."""
        try:
            found = self._worker.collect()
        except Abort as abort:
            if abort.detail == UNSENT:
                raise Abort(Cause.ENGINE, step=abort.step, detail="another party is gone or too late") from None
            raise
        return self._read(found)


@dataclass(frozen=True, slots=True)
class Job:
    """What all parties of a job have alike. protocol: ABY3 or CHEETAH, to compute; RR22 or ECDH, to intersect.

    name: of the job, in its certificates. addresses: host:port by rank. patience: whole seconds that a party waits for
    the others to connect, and for the next message while something is computed.
    """

    protocol: str
    name: str
    addresses: tuple[str, ...]
    patience: int = 120


@dataclass(frozen=True, slots=True)
class Value:
    """What a program takes or gives. kind: `integer` (mod 2^64), `fixed` (real, steps of 2^-18) or `bit`."""

    kind: str
    shape: tuple[int, ...]

    def share_bytes(self, protocol: str) -> int:
        """The length of one party's share."""
        width = PAIR if self.kind == "bit" and protocol == "ABY3" else WIDTH[protocol]
        return int(np.prod(self.shape, dtype=np.int64)) * width


@dataclass(frozen=True, slots=True)
class Compiled:
    """A program in the engine. digest: what parties compare before they run it."""

    digest: bytes
    takes: tuple[Value, ...]
    gives: tuple[Value, ...]
    generation: int = field(repr=False)


class Spu:
    """One party's engine. All methods raise Abort(ENGINE) where the engine fails; its words say why."""

    def __init__(self, worker: "Worker") -> None:
        self._worker = worker
        self._linked: tuple[Job, int] | None = None
        self._clear: weakref.finalize[..., Spu] | None = None

    def link(self, job: Job, rank: int, own: EngineCredentials, trusted: bytes) -> Pending[None]:
        """Connect to the other parties over mutual TLS. own: of this party; trusted: of all (`credentials.trusted`)."""
        about = {"protocol": job.protocol, "rank": rank, "addresses": list(job.addresses), "job": job.name}
        body = json.dumps(about | {"folder": self._fresh(), "timeout": job.patience}).encode()
        self._worker.post("mpc.link", body, own.certificate, own.key.expose(), trusted, deadline=job.patience + SLACK)
        self._linked = (job, self._worker.generation)
        return Pending(self._worker, lambda _: None)

    def compile(self, protocol: str, program: str, numbers: Mapping[str, object]) -> Compiled:
        """The program of that name, for these numbers. Raises Abort(ENGINE): unknown, or numbers that it refuses."""
        about = {"protocol": protocol, "program": program, "numbers": numbers}
        digest, values = self._worker.call("mpc.compile", json.dumps(about).encode())
        takes, gives = (tuple(Value(kind, tuple(shape)) for kind, shape in some) for some in json.loads(values))
        return Compiled(digest, takes, gives, self._worker.generation)

    def execute(self, program: Compiled, shares: Sequence[bytes], seconds: int = 600) -> Pending[list[bytes]]:
        """This party's share of each argument -> its share of each result, when all parties have run the program.

        seconds: for all of it.
        Raises Abort(MALFORMED): a share has another length than its value. Where a party has compiled something else
        nothing is computed, and all parties fail.
        """
        job = self._open_job()
        if program.generation != self._worker.generation:
            raise Abort(Cause.ENGINE, step="mpc.execute", detail="the process that compiled it is gone")
        lengths = [value.share_bytes(job.protocol) for value in program.takes]
        if [len(share) for share in shares] != lengths:
            raise Abort(Cause.MALFORMED, step="mpc.execute", detail="shares of another length than the program takes")
        about = json.dumps({"timeout": seconds}).encode()
        self._worker.post("mpc.execute", about, program.digest, *shares, deadline=seconds + SLACK)
        return Pending(
            self._worker, lambda found: _lengths(found, [one.share_bytes(job.protocol) for one in program.gives])
        )

    def intersect(self, keys: bytes, receiver: int, seconds: int = 600) -> Pending[NDArray[np.uint32]]:
        """keys, 16 bytes each, none twice -> the numbers of those that the other side has, too, in order of the keys.

        So both sides' results are aligned. receiver: the rank that learns the result, or BOTH; to another it is empty.
        """
        self._open_job()
        about = json.dumps({"receiver": receiver, "timeout": seconds}).encode()
        self._worker.post("mpc.psi", about, keys, deadline=seconds + SLACK)
        return Pending(self._worker, lambda found: _numbers(found, len(keys) // DIGEST))

    def close(self) -> None:
        """End the process. Other parties that still wait for it fail."""
        self._linked = None
        self._worker.close()
        self._cleared()

    def _fresh(self) -> str:
        """A folder for the process's sockets and files, 0700. It is made and removed here: a process that is killed
        removes nothing."""
        self._cleared()
        folder = tempfile.mkdtemp(prefix="potluck-")
        self._clear = weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)
        return folder

    def _cleared(self) -> None:
        if self._clear is not None:
            self._clear()
        self._clear = None

    def _open_job(self) -> Job:
        self._worker.start()
        if self._linked is None or self._linked[1] != self._worker.generation:
            raise Abort(Cause.ENGINE, detail="no link is open, or its process is gone")
        return self._linked[0]


def checked_sum(sites: int, limits: Sequence[Limit]) -> dict[str, object]:
    """The numbers of the program `sum_checked`: see `engines.spu.programs`."""
    return {"sites": sites, "parts": [[one.length, one.bound, one.norm] for one in limits]}


def _lengths(found: Sequence[bytes], wanted: Sequence[int]) -> list[bytes]:
    if [len(one) for one in found] != list(wanted):
        raise Abort(Cause.ENGINE, detail="the engine answers with something else")
    return list(found)


def _numbers(found: Sequence[bytes], count: int) -> NDArray[np.uint32]:
    if len(found) != 1 or len(found[0]) % 4:
        raise Abort(Cause.ENGINE, detail="the engine answers with something else")
    numbers = np.frombuffer(found[0], "<u4")
    if len(numbers) and int(numbers.max()) >= count:
        raise Abort(Cause.ENGINE, detail="the engine answers with something else")
    return numbers
