"""The common polynomial replays from its seed, and no residue that is not reduced passes."""

import hashlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from potluck.core.party import site
from potluck.core.rounds import Abort, Cause
from potluck.he.sum.parameters import LARGE, SMALL, TABLE
from potluck.he.sum.residues import add, common, dump, read

SEED = bytes(range(32))


@pytest.mark.parametrize("row", TABLE, ids=lambda row: row.name)
def test_the_common_polynomial_is_reduced_and_looks_uniform(row):
    a = common(SEED, row)
    assert a.shape == (len(row.moduli), row.ring)
    assert a.dtype == np.uint64
    for tower, q in zip(a, row.moduli, strict=True):
        assert tower.max() < q
        deviation = q / np.sqrt(12 * row.ring)
        assert abs(tower.mean() - q / 2) < 5 * deviation
    assert len(np.unique(a)) == a.size


def test_seeds_and_sets_give_unrelated_polynomials():
    assert (common(SEED, SMALL) == common(SEED, SMALL)).all()
    assert not (common(SEED, SMALL) == common(bytes(32), SMALL)).any()
    assert not (common(SEED, LARGE)[0, : SMALL.ring] == common(SEED, SMALL)[1]).any(), "the same prime, another ring"
    with pytest.raises(ValueError, match="32 bytes"):
        common(bytes(31), SMALL)


@pytest.mark.parametrize("size", [0, 16, 31, 33])
def test_a_seed_has_32_bytes(size):
    with pytest.raises(ValueError, match="32 bytes"):
        common(bytes(size), SMALL)


def test_the_common_polynomial_is_the_same_in_every_version():
    digests = {row.name: hashlib.sha256(dump(common(SEED, row))).hexdigest()[:32] for row in TABLE}
    assert digests == {"small": "1effb4402db96b3c8c958d8cf59a4a97", "large": "05c896c01a8a20da6c13e5eaee53201d"}


@pytest.mark.parametrize("spoil", ["short", "long", "first tower", "second tower", "other tower's prime", "empty"])
def test_nonsense_names_its_sender(spoil):
    sender, shape = site("rome"), (3, 2, 2, SMALL.ring)
    array = np.zeros(shape, np.uint64)
    array[..., 0, :], array[..., 1, :] = SMALL.moduli[0] - 1, SMALL.moduli[1] - 1
    body = dump(array)
    assert (read(body, shape, SMALL, sender) == array).all()
    if spoil == "first tower":
        array[2, 1, 0, -1] = SMALL.moduli[0]
    elif spoil == "second tower":
        array[0, 0, 1, 0] = 2**64 - 1
    elif spoil == "other tower's prime":
        array[1, 1, 1, 7] = SMALL.moduli[1]
        assert array[1, 1, 1, 7] < SMALL.moduli[0]
    bad = {"short": body[:-1], "long": body + b"\0", "empty": b""}.get(spoil, dump(array))
    with pytest.raises(Abort) as caught:
        read(bad, shape, SMALL, sender)
    assert (caught.value.cause, caught.value.party) == (Cause.MALFORMED, sender)


def residues(draw, towers):
    edges = [st.sampled_from([0, 1, q // 2, q - 2, q - 1]) | st.integers(0, q - 1) for q in towers]
    return [[draw(edge) for _ in range(6)] for edge in edges]


@given(st.data())
def test_addition_is_that_of_the_integers_modulo_each_prime(data):
    row = data.draw(st.sampled_from(TABLE))
    towers = row.moduli[: data.draw(st.integers(1, len(row.moduli)))]
    first, second = residues(data.draw, towers), residues(data.draw, towers)
    total, more = np.array([first], np.uint64), np.array([second], np.uint64)
    add(total, more, row)
    for k, q in enumerate(towers):
        assert total[0, k].tolist() == [(a + b) % q for a, b in zip(first[k], second[k], strict=True)]
    assert (more == np.array([second], np.uint64)).all()
