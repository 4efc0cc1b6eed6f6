"""The threshold sum's engine: exact sums, partial decryptions that hide, keys that stay where they are."""

import os
import signal
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from he_coefficients import integers, times
from hypothesis import given, settings
from hypothesis import strategies as st

import potluck
from potluck.core.rounds import Abort, Cause
from potluck.engines import environment
from potluck.engines.worker import Worker
from potluck.he.bfv import Bfv, Key
from potluck.he.packing import arrange, pack, unpack
from potluck.he.parameters import DECODING, LARGE, SMALL, TABLE, WIRE
from potluck.he.residues import add, common, dump, read
from potluck.secret.container import Secret

SEED = bytes(range(32))
SERVE = f"""
import sys
sys.path.append({str(Path(potluck.__file__).parents[1])!r})
import numpy, openfhe
from potluck.engines.openfhe import bfv, blobs, serve

def flood(state, wanted, handle):
    "What a partial decryption of zero is before it is divided down: the flood itself [lifted, N]."
    now = bfv._opened(state, wanted)
    zero = numpy.zeros((2 * now.lifted, now.ring), numpy.uint64)
    box = now.shapes["lifted"].fill(zero, openfhe.DeserializeCiphertextString)
    (part,) = now.context.MultipartyDecryptMain([box], bfv._key(state, now, handle))
    return [blobs.take(part, now.ring, now.moduli[: now.lifted]).tobytes()]

def held(state):
    return [b"%d" % len(state.get("keys", {{}}))]

PATCH
serve.main([{{**bfv.OPS, "flood": flood, "held": held}}])
"""
BOTH = pytest.mark.parametrize("row", TABLE, ids=lambda row: row.name)


def program(he_engine, patch=""):
    """The real worker with two operations more, and one line of mischief."""
    return [str(environment.python(he_engine.folder)), "-I", "-B", "-c", SERVE.replace("PATCH", patch)]


@pytest.fixture(scope="module")
def worker(he_engine):
    made = Worker("he", program=program(he_engine))
    yield made
    made.close()


@pytest.fixture(scope="module")
def cohort(worker):
    """Keys of n parties and their joint key, made once for a set and n."""
    made = {}

    def of(row, n):
        if (row.name, n) not in made:
            engine = Bfv(replace(row, parties=n), worker)
            keys = [engine.keygen(SEED) for _ in range(n)]
            made[row.name, n] = engine, keys, joint(row, keys)
        return made[row.name, n]

    return of


def joint(row, keys):
    total = np.zeros((WIRE, row.ring), np.uint64)
    for key in keys:
        add(total, read(key.public, total.shape, row, None), row)
    return dump(total)


def added(engine, key, slots):
    """The sum of the encryptions of each party's slots [c, N]."""
    shape = (len(slots[0]), 2, WIRE, engine.parameters.ring)
    total = np.zeros(shape, np.uint64)
    for part in slots:
        add(total, read(engine.encrypt(SEED, key, part), shape, engine.parameters, None), engine.parameters)
    return dump(total)


def partials(engine, keys, total):
    return [engine.partial(key, total, lead=not index) for index, key in enumerate(keys)]


def handle(key):
    return key.handle.to_bytes(8, "little")


def top(bits):
    return 2**bits - 1


@BOTH
@pytest.mark.parametrize("n", [2, 3, 5, 10])
@given(st.data())
@settings(max_examples=4, deadline=None)
def test_the_opened_sum_is_exact(cohort, row, n, data):
    engine, keys, key = cohort(row, n)
    bits = data.draw(st.integers(1, 64))
    one = arrange(bits, 1, n, row.ring, row.plain)
    whole = row.ring * one.fields // one.limbs
    length = data.draw(st.sampled_from([1, whole - 1, whole, whole + 1]))
    layout = replace(one, length=length)
    edge = st.sampled_from([0, 1, top(bits) // 2, top(bits) // 2 + 1, top(bits)]) | st.integers(0, top(bits))
    some = data.draw(st.lists(edge, min_size=1, max_size=9))
    rows = np.resize(np.array(some, np.uint64), (n, length)).astype(layout.dtype)
    total = added(engine, key, [pack(words, layout) for words in rows])
    opened = unpack(engine.fuse(partials(engine, keys, total)), layout)
    wanted = sum(words.astype(np.uint64) for words in rows) & np.uint64(top(bits))
    assert (opened == wanted).all()


@BOTH
def test_the_largest_words_of_every_width_add_up_exactly(cohort, row):
    engine, keys, key = cohort(row, 3)
    layouts = [arrange(bits, row.ring // 8, 3, row.ring, row.plain) for bits in range(8, 65)]
    slots = np.concatenate([pack(np.full(one.length, top(one.bits), one.dtype), one) for one in layouts])
    assert len(slots) > 32, "more than one call"
    opened = engine.fuse(partials(engine, keys, added(engine, key, [slots] * 3)))
    begin = 0
    for one in layouts:
        words = unpack(opened[begin : begin + one.ciphertexts], one)
        assert (words == 3 * top(one.bits) % 2**one.bits).all()
        begin += one.ciphertexts


@pytest.mark.slow
@pytest.mark.parametrize(("row", "n"), [(SMALL, 524), (LARGE, 370)], ids=["small", "large"])
def test_the_largest_cohort_of_a_set_is_exact(cohort, row, n):
    engine, keys, key = cohort(row, n)
    assert engine.parameters.exact
    assert engine.parameters.flooded
    layout = arrange(16, row.ring // 2, n, row.ring, row.plain)
    rows = np.random.default_rng(0).integers(0, 2**16, (n, layout.length), dtype=np.uint32)
    rows[:, :9] = top(16)
    total = added(engine, key, [pack(words, layout) for words in rows])
    opened = unpack(engine.fuse(partials(engine, keys, total)), layout)
    assert (opened == rows.sum(0, dtype=np.uint32) & np.uint32(top(16))).all()


@BOTH
@pytest.mark.parametrize("missing", [0, 1, 2])
def test_all_partial_decryptions_but_one_open_nothing(cohort, row, missing):
    engine, keys, key = cohort(row, 3)
    layout = arrange(20, 100, 3, row.ring, row.plain)
    words = np.full(100, 777, np.uint32)
    parts = partials(engine, keys, added(engine, key, [pack(words, layout)] * 3))
    assert (unpack(engine.fuse(parts), layout) == 3 * 777).all()
    del parts[missing]
    opened = engine.fuse(parts)
    with pytest.raises(Abort) as caught:
        unpack(opened, layout)
    assert caught.value.cause == Cause.RANGE
    assert abs(opened.mean() / row.plain - 0.5) < 6 / np.sqrt(12 * row.ring), "slots are uniform"
    assert np.unique(opened).size > 0.99 * opened.size


@BOTH
def test_keys_and_noise_are_those_of_the_docstring(cohort, row):
    engine, keys, key = cohort(row, 3)
    wire = row.moduli[:WIRE]
    shape = (WIRE, row.ring)
    secrets = [read(engine.export(one).expose(), shape, row, None) for one in keys]
    for one, secret in zip(keys, secrets, strict=True):
        small = integers(secret[:1], wire[:1])
        counts = [np.count_nonzero(small == value) for value in (-1, 0, 1)]
        assert sum(counts) == row.ring, "ternary"
        assert all(abs(count - row.ring / 3) < 6 * np.sqrt(row.ring * 2 / 9) for count in counts)
        product = times(common(SEED, row)[:1], secret[:1], wire[:1])
        error = integers([product[0] + read(one.public, shape, row, None)[0]], wire[:1]).astype(float)
        assert abs(error.std() / 3.19 - 1) < 6 / np.sqrt(2 * row.ring), "b = e - a s"
    together = np.zeros(shape, np.uint64)
    for secret in secrets:
        add(together, secret, row)
    c0, c1 = read(engine.encrypt(SEED, key, np.zeros((1, row.ring), np.uint64)), (2, *shape), row, None)
    phase = [one + c0[k] for k, one in enumerate(times(c1, together, wire))]
    noise = integers(phase, wire).astype(float)
    assert abs(noise.std() / (3.19 * np.sqrt(4 * row.ring * 3 / 3 + 1)) - 1) < 0.08


@BOTH
def test_the_flood_is_uniform_over_two_moduli(cohort, worker, row):
    engine, keys, _ = cohort(row, 2)
    (body,) = worker.call("flood", engine._wanted, handle(keys[0]))
    values = integers(read(body, (3, row.ring), row, None), row.moduli[:3])
    share = np.array([int(value) / (row.moduli[1] * row.moduli[2]) for value in values])
    assert abs(share).max() <= 0.5
    assert abs(share.mean()) < 6 / np.sqrt(12 * row.ring)
    assert abs(share.std() * np.sqrt(12) - 1) < 6 * np.sqrt(0.2 / row.ring)
    bins = np.histogram(share, 16, (-0.5, 0.5))[0]
    assert ((bins - row.ring / 16) ** 2).sum() / (row.ring / 16) < 70, "chi squared, 15 degrees: 1e-8"


@BOTH
def test_a_partial_decryption_is_rounded_at_random(cohort, row):
    """At one tower the flood decides whether c1 s / q1 is rounded up or down, with the odds of its fraction."""
    engine, keys, key = cohort(row, 2)
    wire, shape = row.moduli[:WIRE], (WIRE, row.ring)
    total = engine.encrypt(SEED, key, np.ones((1, row.ring), np.uint64))
    first, second = (read(engine.partial(keys[1], total, lead=False), (1, row.ring), row, None) for _ in range(2))
    mine, again = integers(first, wire[:1]), integers(second, wire[:1])
    secret = read(engine.export(keys[1]).expose(), shape, row, None)
    product = integers(times(read(total, (2, *shape), row, None)[1], secret, wire), wire)
    for part in (mine, again):
        off = np.array([int(p * wire[1] - x) / wire[1] for p, x in zip(part, product, strict=True)])
        off -= np.rint(off / wire[0]) * wire[0]
        assert abs(off).max() < 1
        assert abs(off.mean()) < 6 / np.sqrt(6 * row.ring)
        assert abs(off.std() * np.sqrt(6) - 1) < 0.05
    assert set(np.unique(mine - again)) == {-1, 0, 1}
    assert abs(np.count_nonzero(mine - again) / row.ring - 1 / 3) < 6 * np.sqrt(2 / 9 / row.ring)


@BOTH
def test_decoding_is_right_up_to_its_margin(cohort, row):
    """Constant polynomials at the edges of what rounds to a value: the same at every point, hence no transform."""
    engine, _, _ = cohort(row, 2)
    q, t = row.moduli[0], row.plain
    values = [0, 1, t - 1, t // 2, t // 2 + 1, *np.random.default_rng(1).integers(0, t, 40).tolist()]
    room = q // (2 * t) - DECODING
    for side in (-room, room):
        totals = np.array([(value * q // t + side) % q for value in values], np.uint64)
        opened = engine.fuse([dump(np.repeat(totals, row.ring).reshape(len(values), 1, row.ring))])
        assert (opened == np.array(values, np.uint64)[:, None]).all()


def test_the_server_may_add_partial_decryptions_up_in_any_order(cohort):
    engine, keys, key = cohort(SMALL, 3)
    slots = np.random.default_rng(0).integers(0, SMALL.plain // 3, (2, SMALL.ring), dtype=np.uint64)
    parts = partials(engine, keys, added(engine, key, [slots] * 3))
    assert (engine.fuse(parts) == engine.fuse(parts[::-1])).all()
    assert (engine.fuse(parts) == 3 * slots).all()


@BOTH
def test_nonsense_is_refused_before_any_engine_starts(row):
    idle = Worker("he", program=["/bin/false"])
    engine, good = Bfv(row, idle), np.zeros((WIRE, row.ring), np.uint64)
    bad = good.copy()
    bad[1, 5] = row.moduli[1]
    slots, box, part = np.zeros((1, row.ring), np.uint64), bytes(row.ciphertext_bytes), bytes(row.partial_bytes)
    key = Key(1, b"", idle.generation)
    worst = b"\xff" * 8
    attempts = [
        lambda: engine.encrypt(SEED, dump(bad), slots),
        lambda: engine.encrypt(SEED, dump(good)[:-8], slots),
        lambda: engine.partial(key, box[:-1], lead=True),
        lambda: engine.partial(key, box + part, lead=True),
        lambda: engine.partial(key, box[:-8] + worst, lead=True),
        lambda: engine.fuse([part, part[:-8]]),
        lambda: engine.fuse([part, part + part]),
        lambda: engine.fuse([part, worst + part[8:]]),
        lambda: engine.fuse([part[:-1], part]),
        lambda: engine.rebuild(Secret(dump(good)), SEED, dump(bad)),
    ]
    for attempt in attempts:
        with pytest.raises(Abort) as caught:
            attempt()
        assert caught.value.cause == Cause.MALFORMED
    assert idle.generation == 0


def test_the_worker_refuses_what_is_not_reduced_by_itself(he_engine):
    with_worker = Worker("he", program=program(he_engine))
    engine = Bfv(SMALL, with_worker)
    part = b"\xff" * SMALL.partial_bytes
    for body, words in ((part, "not below its prime"), (part[:-8], "another length")):
        with pytest.raises(Abort, match=words):
            with_worker.call("bfv.fuse", engine._wanted, body)
    with_worker.close()


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"moduli": SMALL.moduli[::-1]}, "moduli are others"),
        ({"moduli": SMALL.moduli[:2]}, "moduli are others"),
        ({"ring": 4096}, "another than the table's"),
        ({"plain": LARGE.plain}, "another than the table's"),
    ],
    ids=["order", "too few", "ring", "plaintext"],
)
def test_other_parameters_than_the_engine_makes_are_refused(he_engine, changed, words):
    worker = Worker("he", program=program(he_engine))
    with pytest.raises(Abort, match=words) as caught:
        Bfv(replace(SMALL, **changed), worker).keygen(SEED)
    assert caught.value.cause == Cause.ENGINE
    worker.close()


MISCHIEF = {
    "sum": "bfv._add = lambda total, more, moduli: total",
    "lift": "bfv._times = lambda values, factor, modulus: values",
    "fields": "bfv._decode = lambda now, total, real=bfv._decode: real(now, total) ^ numpy.uint64(1)",
}


@pytest.mark.parametrize("patch", MISCHIEF.values(), ids=MISCHIEF.keys())
def test_an_engine_with_wrong_sums_fails_its_self_test(he_engine, patch):
    worker = Worker("he", program=program(he_engine, patch))
    with pytest.raises(Abort, match="self-test gives a wrong sum") as caught:
        Bfv(SMALL, worker).keygen(SEED)
    assert caught.value.cause == Cause.ENGINE
    worker.close()


@pytest.mark.parametrize("how", ["closed", "killed"])
def test_keys_of_an_engine_that_was_started_again_are_gone(he_engine, how):
    worker = Worker("he", program=program(he_engine))
    engine = Bfv(SMALL, worker)
    key = engine.keygen(SEED)
    if how == "closed":
        worker.close()
    else:
        os.kill(worker.pid, signal.SIGKILL)
    engine.forget(key)
    other = None
    for attempt in (lambda: engine.partial(key, bytes(SMALL.ciphertext_bytes), True), lambda: engine.export(key)):
        with pytest.raises(Abort) as caught:
            attempt()
        assert caught.value.cause == Cause.ENGINE
        other = other or engine.keygen(SEED)
    assert other.generation > key.generation
    assert other.handle == key.handle, "so the number alone would have named another's key"
    worker.close()


def test_a_rebuilt_key_stands_in_for_its_party(cohort):
    engine, keys, key = cohort(SMALL, 3)
    slots = np.full((1, SMALL.ring), 5, np.uint64)
    total = added(engine, key, [slots] * 3)
    rebuilt = engine.rebuild(engine.export(keys[0]), SEED, keys[0].public)
    assert rebuilt.handle != keys[0].handle
    assert (engine.fuse(partials(engine, [rebuilt, *keys[1:]], total)) == 15).all()
    engine.forget(rebuilt)


@BOTH
@pytest.mark.parametrize(
    "spoil", ["another's", "one residue", "first tower", "second tower", "zero", "short", "long", "not reduced", "seed"]
)
def test_a_wrong_secret_rebuilds_no_key(cohort, worker, row, spoil):
    engine, keys, _ = cohort(row, 3)
    right, other = (bytearray(engine.export(key).expose()) for key in keys[:2])
    half, seed = len(right) // 2, SEED
    changed = bytearray(right)
    if spoil == "one residue":
        changed[0:8] = (1234567).to_bytes(8, "little")
    elif spoil == "first tower":
        changed[:half] = other[:half]
    elif spoil == "second tower":
        changed[half:] = other[half:]
    elif spoil == "not reduced":
        changed[-8:] = b"\xff" * 8
    elif spoil == "seed":
        seed = bytes(32)
    else:
        changed = {"another's": other, "zero": bytes(len(right)), "short": right[:-8], "long": right + right}[spoil]
    before = worker.call("held")
    with pytest.raises(Abort) as caught:
        engine.rebuild(Secret(bytes(changed)), seed, keys[0].public)
    assert caught.value.cause == Cause.KEYS
    assert worker.call("held") == before


def test_a_forgotten_key_is_no_longer_in_the_worker(he_engine):
    worker = Worker("he", program=program(he_engine))
    engine = Bfv(SMALL, worker)
    keys = [engine.keygen(SEED) for _ in range(3)]
    assert worker.call("held") == (b"3",)
    engine.forget(keys[1])
    engine.forget(keys[1])
    assert worker.call("held") == (b"2",)
    engine.export(keys[2])
    with pytest.raises(Abort, match="no such key"):
        engine.export(keys[1])
    worker.close()


def test_a_key_is_of_one_set_alone(he_engine):
    worker = Worker("he", program=program(he_engine))
    key = Bfv(SMALL, worker).keygen(SEED)
    with pytest.raises(Abort, match="no such key"):
        Bfv(LARGE, worker).export(key)
    worker.close()


def test_two_sets_share_one_worker_in_turn(cohort):
    slots = {row.name: np.full((1, row.ring), row.plain // 2, np.uint64) for row in TABLE}
    totals = {row.name: added(*cohort(row, 2)[::2], [slots[row.name]] * 2) for row in TABLE}
    for row in TABLE:
        engine, keys, _ = cohort(row, 2)
        assert (engine.fuse(partials(engine, keys, totals[row.name])) == row.plain - 1).all()


def test_no_word_of_ours_shows_a_secret(cohort):
    engine, keys, _ = cohort(SMALL, 2)
    secret = engine.export(keys[0])
    with pytest.raises(Abort) as caught:
        engine.rebuild(secret, SEED, keys[1].public)
    shown = repr(secret) + repr(keys[0]) + str(caught.value) + repr(vars(caught.value))
    assert len(shown) < 600
    digits = [str(int(value)) for value in np.frombuffer(secret.expose(), "<u8")[:50]]
    assert not any(text in shown for text in (*digits, secret.expose()[:8].hex(), repr(secret.expose()[:8])[2:-1]))
