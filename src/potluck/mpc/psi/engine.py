"""An owner's engine for an intersection by RR22: linked to the other owner's once, and ended with the round."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from potluck.core.party import Party
from potluck.core.rounds import RoundId
from potluck.engines.worker import Worker
from potluck.mpc.credentials import EngineCredentials, issue, trusted
from potluck.mpc.engine import name
from potluck.mpc.local import addresses
from potluck.mpc.peers import LOOPBACK, Peers
from potluck.mpc.spu import Job, Pending, Spu

PROTOCOL = "RR22"
LONGEST = 600
"""Seconds that an intersection may take."""


class Matcher:
    """One owner's engine.

    patience: seconds that it waits for the other's engine; make: starts a worker; here: an address, host:port, at
    which the other's engine can reach it, a free one each time; now: seconds since 1970; peers:
    whom it may dial.
    """

    def __init__(
        self,
        patience: float = 30.0,
        make: Callable[[], Worker] = lambda: Worker("mpc"),
        here: Callable[[], str] = lambda: addresses(1)[0],
        now: Callable[[], float] = time.time,
        peers: Peers = LOOPBACK,
    ) -> None:
        self._patience = max(1, math.ceil(patience))
        self._here, self._peers = here, peers
        self._now = now
        self._worker = make()
        self._spu = Spu(self._worker)

    @property
    def pid(self) -> int | None:
        """The worker's process."""
        return self._worker.pid

    def warm(self) -> None:
        """As `Worker.warm`."""
        self._worker.warm()

    def offer(self, party: Party, round_: RoundId) -> tuple[EngineCredentials, str]:
        """What the other needs: this owner's certificate for the round, and where its engine is reached."""
        return issue(party, name(round_), self._now()), self._here()

    def link(
        self, round_: RoundId, rank: int, own: EngineCredentials, certificates: Mapping[Party, bytes], at: Sequence[str]
    ) -> Pending[None]:
        """Connect to the other's. Raises Abort, naming it: a wrong certificate (KEYS), an address not listed (PEER)."""
        self._peers.check(list(certificates), rank, at)
        job = name(round_)
        file = trusted(certificates, job, self._now())
        return self._spu.link(Job(PROTOCOL, job, tuple(at), self._patience), rank, own, file)

    def intersect(self, keys: bytes, receiver: int) -> Pending[NDArray[np.uint32]]:
        """As `Spu.intersect`."""
        return self._spu.intersect(keys, receiver, LONGEST)

    def close(self) -> None:
        """End the process."""
        self._spu.close()
