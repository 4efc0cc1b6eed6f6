"""What tests of joint computation share: linked engines, and one run of a program, from values to opened results."""

import json
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from potluck.core.party import Party, Role
from potluck.core.rounds import Limit
from potluck.engines.environment import python, require
from potluck.engines.worker import Worker
from potluck.mpc.credentials import issue, trusted
from potluck.mpc.local import addresses
from potluck.mpc.psi.keys import digests
from potluck.mpc.spu import BOTH, Job, Spu, checked_sum

PARTIES = {"ABY3": 3, "CHEETAH": 2, "RR22": 2, "ECDH": 2}
ROOTS = [str(Path(__file__).parents[number] / name) for number, name in ((3, "src"), (2, ""))]
PROGRAM = f"import sys; sys.path += {ROOTS!r}; from support.mpc.engine_shares import serve; serve()"


class Engine(Spu):
    """An engine whose worker also makes and opens the library's own shares."""

    def __init__(self):
        super().__init__(Worker("mpc", program=[str(python(require("mpc").folder)), "-I", "-B", "-c", PROGRAM]))

    def shares(self, protocol, value):
        """A value of uint64, float64 or bool, of any shape -> one share a party."""
        kind = {"u": "integer", "f": "fixed", "b": "bit"}[value.dtype.kind]
        about = {"protocol": protocol, "kind": kind, "shape": list(value.shape)}
        return list(self._worker.call("test.share", json.dumps(about).encode(), value.tobytes()))

    def opened(self, protocol, value, shares):
        """A value from the shares of all parties, by rank: uint64 or float64."""
        about = {"protocol": protocol, "kind": value.kind, "shape": list(value.shape)}
        (body,) = self._worker.call("test.open", json.dumps(about).encode(), *shares)
        return np.frombuffer(body, "<f8" if value.kind == "fixed" else "<u8").reshape(value.shape)


@contextmanager
def ring(protocol, patience=120):
    """Engines of all parties, linked, as a context."""
    with unlinked(protocol, patience) as parties:
        with ThreadPoolExecutor(len(parties)) as pool:  # a start takes seconds
            list(pool.map(lambda one: one[0]._worker.start(), parties))
        for pending in [engine.link(*rest) for engine, *rest in parties]:
            pending.result()
        yield [engine for engine, *_ in parties]


def intersected(engines, first, second, receiver=BOTH):
    """Row numbers of common keys at two owners, in one order; empty at a side that learns nothing."""
    sides = [digests(first, "the first owner's keys"), digests(second, "the second owner's keys")]
    pending = [engine.intersect(side, receiver) for engine, side in zip(engines, sides, strict=True)]
    return [one.result() for one in pending]


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
    shares = [owner.shares(protocol, ring_words(vector)) for vector in vectors]
    total, kept = ran(engines, programs, shares)
    gives = programs[0].gives
    opened = owner.opened(protocol, gives[0], total), owner.opened(protocol, gives[1], kept)
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
    engines = [Engine() for _ in parties]
    try:
        yield [(engine, job, rank, own[rank], file) for rank, engine in enumerate(engines)]
    finally:
        for engine in engines:
            engine.close()


__all__ = ["Limit", "compiled", "expected", "intersected", "ran", "ring", "ring_words", "summed", "unlinked"]
