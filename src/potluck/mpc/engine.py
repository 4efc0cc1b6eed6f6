"""A party's engine through the rounds of a run: linked once, with programs that are compiled once.

Where one party has lost its engine or its link, all begin a new job: new certificates, new processes. It keeps no
share: what a round's sites gave is gone when the round is.
"""

import json
import math
import time
from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from potluck.core.party import Party
from potluck.core.rounds import Abort, Limit, RoundId
from potluck.engines.worker import Worker
from potluck.mpc.credentials import EngineCredentials, issue, trusted
from potluck.mpc.local import addresses
from potluck.mpc.peers import LOOPBACK, Peers
from potluck.mpc.replicated import PARTIES
from potluck.mpc.spu import AMONG, Compiled, Job, Pending, Spu, checked_sum

PROGRAM = "sum_checked"
BOUND = (1 << 62) - 1
"""The largest bound that the program checks."""
LONGEST = 600
"""Seconds that an intersection may take."""
OTHERS = ("another party is gone or too late", "not all parties could be linked in time")
"""What an engine says of other parties, and not of itself."""


class Engine:
    """The engine of one compute party, or of one of two owners who intersect.

    patience: seconds that it waits for the others' engines; make: starts a worker; here: an address, host:port, at
    which this party can be reached by the others, a free one each time; now: seconds since 1970; protocol: ABY3 among
    three, CHEETAH between two (`AMONG`), RR22 to intersect; peers: whom it may dial.
    """

    def __init__(
        self,
        patience: float = 30.0,
        make: Callable[[], Worker] = lambda: Worker("mpc"),
        here: Callable[[], str] = lambda: addresses(1)[0],
        now: Callable[[], float] = time.time,
        protocol: str = AMONG[PARTIES],
        peers: Peers = LOOPBACK,
    ) -> None:
        self._protocol = protocol
        self._job = ""
        self._linked = 0
        self._patience = max(1, math.ceil(patience))
        self._here, self._peers = here, peers
        self._now = now
        self._worker = make()
        self._spu = Spu(self._worker)
        self._programs: dict[tuple[str, str, int], Compiled] = {}

    @property
    def pid(self) -> int | None:
        """The worker's process."""
        return self._worker.pid

    def warm(self) -> None:
        """As `Worker.warm`."""
        self._worker.warm()

    def standing(self) -> str:
        """The job whose link is open; empty where none is. Starts the process where it is gone."""
        self._worker.start()
        return self._job if self._worker.generation == self._linked else ""

    def offer(self, party: Party, round_: RoundId) -> tuple[EngineCredentials, str]:
        """What the others need for a new job: this party's certificate in it, and where it is reached."""
        return issue(party, name(round_), self._now()), self._here()

    def link(
        self, round_: RoundId, rank: int, own: EngineCredentials, certificates: Mapping[Party, bytes], at: Sequence[str]
    ) -> Pending[None]:
        """Begin the job of this round, in a process that has no link. certificates: by rank.

        Raises Abort naming whose certificate is wrong (KEYS), or whose address the owner did not list (PEER).
        """
        self._peers.check(list(certificates), rank, at)
        job = name(round_)
        file = trusted(certificates, job, self._now())
        pending = self._spu.link(Job(self._protocol, job, tuple(at), self._patience), rank, own, file)
        self._job, self._linked = job, self._worker.generation
        return pending

    def compile(self, sites: int, limits: Sequence[Limit]) -> Compiled:
        """The program for a sum over so many sites. Raises Abort(ENGINE): numbers that it refuses."""
        return self.program(PROGRAM, checked_sum(sites, limits))

    def program(self, program: str, numbers: Mapping[str, object]) -> Compiled:
        """The program of that name for these numbers, compiled once a process. Raises Abort(ENGINE): as `compile`."""
        self._worker.start()
        key = program, json.dumps(numbers, sort_keys=True), self._worker.generation
        if key not in self._programs:
            self._programs[key] = self._spu.compile(self._protocol, program, numbers)
        return self._programs[key]

    def execute(self, program: Compiled, shares: Sequence[bytes]) -> Pending[list[bytes]]:
        """This party's shares of all sites' words -> its shares of the sum and of a bit a site."""
        return self._spu.execute(program, shares)

    def intersect(self, keys: bytes, receiver: int) -> Pending[NDArray[np.uint32]]:
        """As `Spu.intersect`."""
        return self._spu.intersect(keys, receiver, LONGEST)

    def close(self) -> None:
        """End the process. Others that wait for it fail; the next job starts a fresh one."""
        self._job = ""
        self._programs.clear()
        self._spu.close()


def name(round_: RoundId) -> str:
    """A job is named after the round that began it."""
    return f"{round_.run}/{round_.number}"


def own_fault(abort: Abort) -> bool:
    """Whether an engine failed by itself, and not for want of another's."""
    return abort.detail not in OTHERS
