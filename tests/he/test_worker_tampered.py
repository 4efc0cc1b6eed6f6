"""760 tampered inputs to the engine's worker: refused before they are parsed, or contained, and the next call works.

Of the thousand, `tests/engines/test_tampered.py` has the other 240: frames. Bytes of peers reach operations
through `Bfv` and `Ckks`; here they are altered in front of `Bfv`, and behind it, where the worker alone can refuse.
"""

import random
from collections import Counter

import numpy as np
import pytest

from potluck.core.rounds import Abort, Cause
from potluck.engines.worker import Worker
from potluck.he.predict.circuit import compile
from potluck.he.predict.ckks import Ckks
from potluck.he.sum.bfv import Bfv
from potluck.he.sum.parameters import PARTIAL, SMALL, WIRE
from potluck.secret.container import Secret
from support.he.prediction import net, plain, rows
from support.he.rig import SEED, added, cohorts, handle, partials

N = 2
SLOTS = np.arange(SMALL.ring, dtype=np.uint64)[None] % 1000


@pytest.fixture
def worker(he_engine):
    """The installed engine, as it is."""
    made = Worker("he")
    yield made
    made.close()


# --- Ways to tamper with residues ---


def some_bits(rng, body):
    found = bytearray(body)
    for _ in range(rng.choice([1, 1, 2, 30])):
        found[rng.randrange(len(found))] ^= 1 << rng.randrange(8)
    return bytes(found)


def low_bits(rng, body):
    """Bits below the primes' top: it stays a polynomial."""
    found = np.frombuffer(body, "<u8").copy()
    for _ in range(rng.choice([1, 1, 2, 300])):
        found[rng.randrange(len(found))] ^= np.uint64(1 << rng.randrange(50))
    return found.tobytes()


def its_prime(rng, body):
    """One residue is its prime, the next number, or the largest word."""
    at = 8 * rng.randrange(len(body) // 8)
    value = rng.choice([SMALL.moduli[0], SMALL.moduli[1], max(SMALL.moduli) + 1, 2**60, 2**63, 2**64 - 1])
    return body[:at] + value.to_bytes(8, "little") + body[at + 8 :]


def another_length(rng, body):
    size = rng.choice([0, 1, 7, 8, len(body) // 2, len(body) - 8, len(body) - 1, len(body) + 1, len(body) + 8])
    return (body * 2)[:size]


def noise(rng, body):
    return rng.randbytes(rng.choice([len(body), len(body), 8, 100]))


def reduced_noise(rng, body):
    return b"".join(rng.randrange(2**59).to_bytes(8, "little") for _ in range(8)) * (len(body) // 64)


WAYS = [some_bits, low_bits, its_prime, another_length, noise, reduced_noise]


def polynomial(body, towers, count):
    """Whether it is `count` polynomials, each residue below its prime."""
    if len(body) != 8 * SMALL.ring * towers * count:
        return False
    found = np.frombuffer(body, "<u8").reshape(-1, towers, SMALL.ring)
    return all(int(found[:, k].max(initial=0)) < SMALL.moduli[k] for k in range(towers))


# --- In front ---


def attempts(engine, keys, joint):
    """What a peer's bytes go into: name -> (right bytes, towers, polynomials, call with other bytes)."""
    total = added(engine, joint, [SLOTS] * N)
    part = engine.partial(keys[1], total, lead=False)
    secret = engine.export(keys[0])
    public = keys[0].public
    return {
        "joint key": (joint, WIRE, 1, lambda body: engine.encrypt(SEED, body, SLOTS)),
        "sum": (total, WIRE, 2, lambda body: engine.partial(keys[0], body, lead=True)),
        "partial": (part, PARTIAL, 1, lambda body: engine.fuse([part, body])),
        "vault": (secret.expose(), WIRE, 1, lambda body: engine.rebuild(Secret(body), SEED, public)),
        "advert": (public, WIRE, 1, lambda body: engine.rebuild(secret, SEED, body)),
    }


@pytest.mark.parametrize("count", [195, pytest.param(650, marks=pytest.mark.slow)])
def test_tampered_bodies_of_peers_are_refused_in_front_or_computed_with_and_the_worker_stays(worker, count):
    engine, keys, joint = cohorts(worker)(SMALL, N)
    tried = attempts(engine, keys, joint)
    pid, ends = worker.pid, Counter()
    for k in range(count):
        rng, name = random.Random(k), list(tried)[k % len(tried)]
        right, towers, count, call = tried[name]
        body = WAYS[k // len(tried) % len(WAYS)](rng, right)
        asked = worker._number
        whole = len(body) // (8 * SMALL.ring * towers * count) if name == "sum" else 1  # a sum has any number of them
        fit = polynomial(body, towers, count * whole)
        try:
            call(body)
        except Abort as abort:
            assert abort.cause is (Cause.KEYS if name == "vault" or fit else Cause.MALFORMED)
            assert fit == (worker._number > asked), "asked of the worker although it is no polynomial, or not asked"
            assert not fit or name in ("vault", "advert"), "only a key can be a polynomial and wrong"
            ends["wrong key" if fit else "no polynomial"] += 1
        else:
            assert fit, "computed with what is no polynomial"
            assert worker._number > asked or not body
            ends["computed"] += 1
        assert worker.pid == pid
        if k % 65 == 0:
            opened = engine.fuse(partials(engine, keys, added(engine, joint, [SLOTS] * N)))
            assert (opened == N * SLOTS).all()
    assert worker.generation == 1
    assert min(ends.values()) > 60 * count // 650
    assert ends.keys() == {"no polynomial", "wrong key", "computed"}


# --- Behind: 60 at the threshold sum's operations ---


def requests(engine, keys, joint):
    """Right requests as the worker gets them: operation -> buffers."""
    wanted, total = engine._wanted, added(engine, joint, [SLOTS] * N)
    every = engine._a(SEED)
    a, common = every[:WIRE].tobytes(), every.tobytes()
    part = engine.partial(keys[1], total, lead=False)
    secret = engine.export(keys[0]).expose()
    return {
        "keygen": [wanted, common],
        "encrypt": [wanted, a, joint, SLOTS.tobytes()],
        "partial": [wanted, handle(keys[0]), b"\1", total],
        "fuse": [wanted, part],
        "export": [wanted, handle(keys[0])],
        "rebuild": [wanted, secret, a, keys[0].public],
    }


def tampered(rng, buffers):
    """One buffer altered, missing, twice or another's."""
    at, way = rng.randrange(len(buffers)), rng.randrange(9)
    before, one, after = buffers[:at], buffers[at], buffers[at + 1 :]
    if way < 5:
        change = rng.choice([some_bits, its_prime, another_length, noise] if len(one) > 1000 else [noise, some_bits])
        return [*before, change(rng, one), *after]
    if way == 5:
        return [*before, *after]
    if way == 6:
        return [*before, one, one, *after]
    if way == 7:
        return [*before, b"", *after]
    return [*before, rng.choice([*buffers, rng.randbytes(8)]), *after]


@pytest.mark.slow
def test_60_tampered_requests_to_operations_are_refused_and_the_next_sum_is_exact(worker):
    ends = Counter()
    engine = Bfv(SMALL, worker)
    for k in range(60):
        rng = random.Random(k)
        if worker.pid is None:
            keys, key = cohorts(worker)(SMALL, N)[1:]
            tried = requests(engine, keys, key)
        op = rng.choice(list(tried))
        buffers = tampered(rng, tried[op])
        try:
            worker.call(f"bfv.{op}", *buffers, deadline=20)
        except Abort as abort:
            assert (abort.cause, abort.step) == (Cause.ENGINE, f"bfv.{op}")
            assert worker.pid is None, "it was ended"
            assert len(abort.detail) < 100, "words of a library that may quote their input"
            ends["refused"] += 1
        else:
            ends["computed"] += 1
        if k % 10 == 0:
            keys, key = cohorts(worker)(SMALL, N)[1:]
            assert (engine.fuse(partials(engine, keys, added(engine, key, [SLOTS] * N))) == N * SLOTS).all()
            tried = requests(engine, keys, key)
    assert worker.generation == ends["refused"] + 1 - (worker.pid is None)
    assert ends["refused"] > 40


# --- Behind: 50 at the operations of predictions, which parse the library's own format ---


class Score:
    """A client and an owner with their workers; whichever died is set up again."""

    def __init__(self):
        self.client, self.owner = Worker("he"), Worker("he", memory=4 << 30)
        self.made = net((3, 1), seed=2)
        self.compiled = compile(self.made, "batch", 5)
        self.layout, self.features = self.compiled.layout, rows(self.made, 4)
        self.mine = self.theirs = None

    def ready(self):
        """Gives the client's keys, its ciphertexts and the encrypted scores."""
        if self.client.pid is None or self.mine is None:
            self.mine = Ckks(self.layout.levels, self.client)
            self.keys = [*self.mine.keys(self.layout)]
            slots = np.zeros((3, self.layout.levels.slots))
            slots[:, :4] = self.features.T
            self.rows = self.mine.encrypt(self.layout, slots)
            self.theirs = None
        if self.owner.pid is None or self.theirs is None:
            self.theirs = Ckks(self.layout.levels, self.owner)
            self.theirs.model(self.compiled, [4])
            self.theirs.accept(self.layout, self.keys)
            self.replies = self.theirs.score(4, self.rows)

    def right(self):
        """Whether an honest client and owner get the scores that the plain model gives."""
        self.theirs = None
        self.ready()
        scores = self.mine.decrypt(self.replies)[:, :4].T * 2.0**self.compiled.exponent
        return np.abs(scores - plain(self.made, self.features)).max() <= self.compiled.bound

    def close(self):
        self.client.close()
        self.owner.close()


@pytest.fixture
def score(he_engine):
    made = Score()
    yield made
    made.close()


def blob(rng, body):
    """Of the library's own format: lengths and counts lie in front, residues behind."""
    way = rng.randrange(6)
    if way < 3:
        at = rng.randrange(900)
        return body[:at] + bytes([body[at] ^ (1 << rng.randrange(8))]) + body[at + 1 :]
    if way == 3:
        at = rng.randrange(len(body) - 8)
        return body[:at] + rng.choice([bytes(8), b"\xff" * 8, rng.randbytes(8)]) + body[at + 8 :]
    return body[: rng.randrange(len(body))] if way == 4 else rng.randbytes(rng.choice([1, 100, len(body)]))


@pytest.mark.slow
def test_50_tampered_objects_of_the_library_end_the_worker_at_most_and_the_next_prediction_is_right(score):
    ends = Counter()
    for k in range(50):
        rng = random.Random(k)
        score.ready()
        what = rng.choice(["score", "accept", "decrypt"])
        try:
            if what == "score":
                bodies = list(score.rows)
                at = rng.randrange(3)
                bodies[at] = blob(rng, bodies[at])
                score.theirs.score(4, bodies)
            elif what == "accept":
                score.theirs.accept(score.layout, [blob(rng, score.keys[0])])
            else:
                score.mine.decrypt([blob(rng, score.replies[0])])
        except Abort as abort:
            assert (abort.cause, abort.step) == (Cause.ENGINE, f"ckks.{what}")
            assert (score.client if what == "decrypt" else score.owner).pid is None
            assert len(abort.detail) < 100
            ends["ended"] += 1
        else:
            ends["computed"] += 1  # with residues that were turned: whoever sent them gets other scores
            score.theirs = None if what == "accept" else score.theirs
        if k % 10 == 0:
            assert score.right()
    assert score.right()
    assert ends["ended"] > 15
