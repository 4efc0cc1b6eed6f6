"""The threshold sum's engine: exact sums, refusals, and keys that stay where they are."""

import os
import signal
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from potluck.core.rounds import Abort, Cause
from potluck.engines.worker import Worker
from potluck.he.sum.bfv import Bfv, Key
from potluck.he.sum.packing import arrange, pack, unpack
from potluck.he.sum.parameters import LARGE, SMALL, TABLE, WIRE
from potluck.he.sum.residues import dump
from potluck.secret.container import Secret
from support.he.rig import BOTH, SEED, added, cohorts, partials, program, top


@pytest.fixture(scope="module")
def worker(he_engine):
    made = Worker("he", program=program(he_engine))
    yield made
    made.close()


@pytest.fixture(scope="module")
def cohort(worker):
    return cohorts(worker)


@BOTH
@pytest.mark.parametrize("n", [3, *(pytest.param(one, marks=pytest.mark.slow) for one in (2, 5, 10))])
@given(st.data())
@settings(max_examples=4, deadline=None)
def test_the_opened_sum_is_exact(cohort, row, n, data):
    engine, keys, key = cohort(row, n)
    bits = data.draw(st.integers(1, 64))
    one = arrange(bits, 1, n, row.ring, row.plain)
    whole = int(row.ring / sum(cut.limbs / cut.fields for cut in one.cuts))
    length = data.draw(st.sampled_from([1, whole - 1, whole, whole + 1]))
    layout = replace(one, length=length)
    edge = st.sampled_from([0, 1, top(bits) // 2, top(bits) // 2 + 1, top(bits)]) | st.integers(0, top(bits))
    some = data.draw(st.lists(edge, min_size=1, max_size=9))
    rows = np.resize(np.array(some, np.uint64), (n, length)).astype(layout.dtype)
    total = added(engine, key, [pack(words, layout) for words in rows])
    opened = unpack(engine.fuse(partials(engine, keys, total)), layout)
    wanted = sum(words.astype(np.uint64) for words in rows) & np.uint64(top(bits))
    assert (opened == wanted).all()


@pytest.mark.slow
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


@pytest.mark.slow
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
        pytest.param({"moduli": SMALL.moduli[:2]}, "moduli are others", marks=pytest.mark.slow),
        pytest.param({"ring": 4096}, "another than the table's", marks=pytest.mark.slow),
        pytest.param({"plain": LARGE.plain}, "another than the table's", marks=pytest.mark.slow),
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


@pytest.mark.parametrize(
    "patch",
    [pytest.param(patch, marks=[pytest.mark.slow] * (name != "sum"), id=name) for name, patch in MISCHIEF.items()],
)
def test_an_engine_with_wrong_sums_fails_its_self_test(he_engine, patch):
    worker = Worker("he", program=program(he_engine, patch))
    with pytest.raises(Abort, match="self-test gives a wrong sum") as caught:
        Bfv(SMALL, worker).keygen(SEED)
    assert caught.value.cause == Cause.ENGINE
    worker.close()


@pytest.mark.parametrize("how", [pytest.param("closed", marks=pytest.mark.slow), "killed"])
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
