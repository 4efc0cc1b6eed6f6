"""What tests of joint computation share: linked engines, and one run of a program, from values to opened results."""

from __future__ import annotations

import time
from contextlib import contextmanager

import numpy as np

from potluck.core.party import Party, Role
from potluck.engines.worker import Worker
from potluck.mpc.credentials import issue, trusted
from potluck.mpc.local import addresses, linked
from potluck.mpc.spu import PARTIES, Job, Spu, Stretch, checked_sum


def ring(protocol, **more):
    """Engines of all parties, linked, as a context."""
    return linked(protocol, "a job", time.time(), **more)


def compiled(engines, protocol, program, numbers):
    """The program at every party; all must have the same hash."""
    found = [engine.compile(protocol, program, numbers) for engine in engines]
    assert len({one.digest for one in found}) == 1
    return found


def ran(engines, programs, shares, seconds=300):
    """shares: of each input, by party. Gives the shares of each result, by party."""
    pending = [
        engine.execute(program, [one[rank] for one in shares], seconds)
        for rank, (engine, program) in enumerate(zip(engines, programs, strict=True))
    ]
    return list(zip(*[one.result() for one in pending], strict=True))


def summed(engines, protocol, vectors, parts):
    """vectors: rows of Python integers. Gives the opened sum and the opened bits, as lists of integers mod 2^64."""
    programs = compiled(engines, protocol, "sum_checked", checked_sum(len(vectors), parts))
    owner = engines[0]
    shares = [owner.share_words(protocol, ring_words(vector)) for vector in vectors]
    total, kept = ran(engines, programs, shares)
    gives = programs[0].gives
    opened = owner.open_words(protocol, gives[0], total), owner.open_words(protocol, gives[1], kept)
    return [one.tolist() for one in opened]


def ring_words(vector):
    """Python integers -> words mod 2^64."""
    return np.array([int(value) % 2**64 for value in vector], np.uint64)


def expected(vectors, parts):
    """The same in plain integers of Python, without any wrap but the sum's."""
    kept = [int(all(_fits(vector, parts))) for vector in vectors]
    chosen = [vector for vector, bit in zip(vectors, kept, strict=True) if bit]
    return [[sum(int(row[i]) for row in chosen) % 2**64 for i in range(len(vectors[0]))], kept]


def _fits(vector, parts):
    start = 0
    for part in parts:
        piece = [int(value) for value in vector[start : start + part.length]]
        yield all(abs(value) <= part.bound for value in piece)
        yield not part.norm or sum(value * value for value in piece) <= part.norm**2
        start += part.length


@contextmanager
def unlinked(protocol, patience=5):
    """Engines that are not linked yet, and what each needs to be: `(engine, job, rank, credentials, file)` by rank."""
    now = time.time()
    parties = [Party(Role.COMPUTE, f"c{rank}") for rank in range(PARTIES[protocol])]
    own = [issue(party, "a job", now) for party in parties]
    file = trusted({party: one.certificate for party, one in zip(parties, own, strict=True)}, "a job", now)
    job = Job(protocol, "a job", addresses(len(parties)), patience)
    engines = [Spu(Worker("mpc")) for _ in parties]
    try:
        yield [(engine, job, rank, own[rank], file) for rank, engine in enumerate(engines)]
    finally:
        for engine in engines:
            engine.close()


__all__ = ["Stretch", "compiled", "expected", "ran", "ring", "ring_words", "summed", "unlinked"]
