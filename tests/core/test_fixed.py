"""Fixed point: nothing grows by rounding, nothing wraps that was allowed, sums are exact."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from potluck.core import fixed
from potluck.core.rounds import Abort, Cause
from potluck.core.stages import Bounded, Clip, Grid, GridBlock, Range

GRIDS = st.sampled_from([(32, 2.0**-10), (64, 2.0**-30), (64, 1.0)])


def bounded(values: list[list[float]], bits: int, step: float, limit: Clip | Range) -> Bounded:
    table = np.array(values, dtype=np.float64)
    return Bounded(table, Grid((GridBlock("x", table.shape[1], step, 2.0**20),), bits), limit)


@given(GRIDS, st.lists(st.lists(st.floats(-100, 100), min_size=3, max_size=3), min_size=1, max_size=8))
def test_decoded_sum_is_the_sum_of_truncated_units(grid, rows):
    bits, step = grid
    b = bounded(rows, bits, step, Range((100.0,)))
    words = fixed.encode(b).words
    expected = [sum(int(v / step) for v in column) for column in zip(*rows, strict=True)]
    assert fixed.signed(words).tolist() == expected
    assert np.array_equal(fixed.decode(words, b.grid), np.array(expected) * step)


@given(st.lists(st.floats(-1, 1), min_size=2, max_size=40), st.integers(-20, 0))
def test_truncation_never_raises_a_norm(row, exponent):
    norm = float(np.linalg.norm(row))
    b = bounded([row], 64, 2.0**exponent, Clip((norm * (1 + 1e-12) + 1e-300,)))
    exact = sum(int(v) ** 2 for v in fixed.signed(fixed.encode(b).words))
    assert exact <= (norm / 2.0**exponent) ** 2 * (1 + 1e-12)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 2.0])
@pytest.mark.parametrize("limit", [Clip((1.0,)), Range((1.0,))])
def test_a_contribution_beyond_its_bound_is_refused_in_integers(value, limit):
    with pytest.raises(Abort) as stop:
        fixed.encode(bounded([[value, 0.0]], 64, 2.0**-10, limit))
    assert stop.value.cause is Cause.RANGE


def test_a_norm_just_over_the_clip_is_refused_although_each_value_is_inside():
    with pytest.raises(Abort):
        fixed.encode(bounded([[0.75, 0.75]], 64, 2.0**-10, Clip((1.0,))))


@given(st.integers(-(2**31), 2**31 - 1), st.sampled_from([32, 64]))
def test_words_are_twos_complement(number, bits):
    words = np.array([number], dtype=np.int64).astype(fixed.word(bits))
    assert fixed.signed(words)[0] == number


@given(st.floats(1e-6, 1e12), st.sampled_from([32, 64]))
def test_the_finest_step_fits_and_half_of_it_does_not(high, bits):
    exponent = fixed.finest(high, bits)
    assert fixed.fits(GridBlock("x", 1, 2.0**exponent, high), bits)
    if exponent > fixed.FINEST:
        assert high / 2.0 ** (exponent - 2) >= 2.0 ** (bits - 1) - 1


def test_no_batch_at_all_is_a_sum_of_zero():
    grid = Grid((GridBlock("x", 4, 1.0, 10.0),), 32)
    assert fixed.add([], grid, Range((1.0,))).words.tolist() == [0, 0, 0, 0]


def test_batches_that_are_added_up_stay_as_they_were():
    """Whoever made them may hand them over again: a retry would else add to what was added."""
    grid = Grid((GridBlock("g", 2, 1.0, 100.0),), 32)
    given = [fixed.Encoded(np.array([n, n], "<u4"), grid, Range((9.0,))) for n in (3, 4, 5)]
    for _ in range(2):
        assert fixed.add(given, grid, Range((9.0,))).words.tolist() == [12, 12]
    assert [one.words.tolist() for one in given] == [[3, 3], [4, 4], [5, 5]]
