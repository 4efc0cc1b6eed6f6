"""Engines of joint computation on this machine, linked over loopback under certificates of their own."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from potluck.core.party import Party, Role
from potluck.engines.worker import Worker
from potluck.mpc.credentials import issue, trusted
from potluck.mpc.local import addresses
from potluck.mpc.spu import Job, Spu


@contextmanager
def linked(protocol: str, name: str, count: int) -> Iterator[list[Spu]]:
    """`count` engines by rank, linked for a job of that name; at the end they are closed."""
    parties, now = [Party(Role.COMPUTE, f"c{rank}") for rank in range(count)], time.time()
    own = [issue(party, name, now) for party in parties]
    file = trusted({party: one.certificate for party, one in zip(parties, own, strict=True)}, name, now)
    job, engines = Job(protocol, name, addresses(count)), [Spu(Worker("mpc")) for _ in parties]
    try:
        for pending in [engine.link(job, rank, own[rank], file) for rank, engine in enumerate(engines)]:
            pending.result()
        yield engines
    finally:
        for engine in engines:
            engine.close()
