"""Work in slices: whatever their size, the same numbers."""

import hashlib
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from potluck.core import fixed, slices
from potluck.core.rounds import Abort
from potluck.core.stages import Bounded, Clip, Grid, GridBlock, Range

SIZES = st.sampled_from([1, 7, 16, 64, 1 << 20])


@pytest.fixture(scope="module")
def size():
    """A function that sets the size of a slice until the module is done."""
    before = slices.SLICE
    yield lambda new: setattr(slices, "SLICE", new)
    slices.SLICE = before


@pytest.mark.parametrize("length", [0, 1, slices.PIECE, 2 * slices.PIECE + 1])
def test_the_hash_of_what_lies_in_slices_is_that_of_all_of_it(length):
    data = bytes(range(251)) * (length // 251 + 1)
    assert slices.sha256_of(memoryview(data)[:length]) == hashlib.sha256(data[:length]).digest()


@given(st.integers(0, 60), st.integers(0, 60), SIZES)
def test_slices_follow_each_other_and_cover_all(start, stop, step):
    found = list(slices.slices(stop, step, start))
    assert [at for one in found for at in range(one.start, one.stop)] == list(range(start, stop))
    assert all(0 < one.stop - one.start <= step for one in found)


@given(st.integers(0, 9), st.integers(0, 30), st.integers(0, 30), SIZES)
def test_blocks_cover_each_cell_once_and_are_no_larger_than_a_slice(size, units, start, more, step):
    size(step)
    seen = np.zeros((units, start + more), dtype=np.int64)
    for rows, columns in slices.blocks(units, slice(start, start + more)):
        assert 0 < seen[rows, columns].size <= step
        seen[rows, columns] += 1
    assert (seen[:, :start] == 0).all()
    assert (seen[:, start:] == 1).all()


@given(
    st.integers(1, 4), st.integers(1, 40), st.integers(0, 9), SIZES, st.integers(0, 2**32), st.sampled_from([32, 64])
)
def test_words_and_values_are_those_of_plain_fractions_whatever_the_slices(size, units, wide, more, step, seed, bits):
    size(step)
    values = np.random.default_rng(seed).uniform(-100, 100, (units, wide + more))
    parts = tuple(GridBlock(*one, 2.0**15) for one in (("a", wide, 2.0**-8), ("b", more, 2.0**-3)) if one[1])
    grid = Grid(parts, bits)
    words = fixed.encode(Bounded(values, grid, Range((100.0,) * len(parts)))).words
    steps = [part.step for part in parts for _ in range(part.size)]
    found = [sum(int(Fraction(v) / Fraction(s)) for v in column) for column, s in zip(values.T, steps, strict=True)]
    assert words.tolist() == [one % 2**bits for one in found]
    assert fixed.decode(words, grid).tolist() == [one * s for one, s in zip(found, steps, strict=True)]


@given(st.integers(0, 39), SIZES, st.sampled_from([np.nan, np.inf, -np.inf, 100.5]))
def test_one_value_that_may_not_be_is_found_in_whatever_slice_it_lies(size, place, step, wrong):
    size(step)
    values = np.zeros((1, 40))
    values[0, place] = wrong
    grid = Grid((GridBlock("a", 40, 2.0**-8, 2.0**15),), 64)
    for limit in (Range((100.0,)), Clip((100.0,))):
        with pytest.raises(Abort):
            fixed.encode(Bounded(values, grid, limit))


@given(SIZES, st.integers(1, 12))
def test_a_norm_is_taken_over_all_slices(size, step, wide):
    size(step)
    grid = Grid((GridBlock("a", wide, 1.0, 2.0**15),), 64)
    rows = np.full((2, wide), 3.0)
    fixed.encode(Bounded(rows, grid, Clip((3.0 * wide**0.5 * 1.0001,))))
    with pytest.raises(Abort):
        fixed.encode(Bounded(rows, grid, Clip((3.0 * wide**0.5 * 0.9999,))))


def test_batches_are_added_and_no_batch_is_zero():
    grid = Grid((GridBlock("a", 2, 1.0, 2.0**15),), 64)
    batch = [fixed.encode(Bounded(np.array([[1.0, -2.0]]), grid, Range((9.0,)))) for _ in range(3)]
    assert fixed.signed(fixed.add(iter(batch), grid, Range((9.0,))).words).tolist() == [3, -6]
    assert fixed.add([], grid, Range((9.0,))).words.tolist() == [0, 0]
