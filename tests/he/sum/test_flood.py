"""What partial decryptions hide: the flood, the noise that it covers, and the margin of decoding, as measured."""

import numpy as np
import pytest

from potluck.core.rounds import Abort, Cause
from potluck.engines.worker import Worker
from potluck.he.sum.packing import arrange, pack, unpack
from potluck.he.sum.parameters import DECODING, WIRE
from potluck.he.sum.residues import add, common, dump, read
from support.he.coefficients import integers, times
from support.he.rig import BOTH, SEED, added, cohorts, handle, partials, program


@pytest.fixture(scope="module")
def worker(he_engine):
    made = Worker("he", program=program(he_engine))
    yield made
    made.close()


@pytest.fixture(scope="module")
def cohort(worker):
    return cohorts(worker)


@BOTH
@pytest.mark.parametrize(
    "missing", [0, pytest.param(1, marks=pytest.mark.slow), pytest.param(2, marks=pytest.mark.slow)]
)
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
