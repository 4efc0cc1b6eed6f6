"""Sums over rows that are not laid out: the words of rows that are, on every machine, in any order."""

import os
import subprocess
import sys
import tracemalloc
from decimal import Decimal, localcontext
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from potluck.core.fixed import encode, signed
from potluck.core.rounds import Abort, Cause
from potluck.core.stages import Clip, Grid, GridBlock, Range, Update
from potluck.dp.mechanism import mechanism
from potluck.learning.data import units
from potluck.learning.data.table import Table
from potluck.learning.loops import build
from potluck.learning.models import layers
from potluck.learning.models.kinds.logistic import mean
from potluck.learning.training import row_sums
from potluck.learning.training.row_sums import weighted
from potluck.secret.random import system
from support.examples import examples
from support.learning import rows_by_hand
from support.learning.laid_out import rows_of
from support.learning.rows_by_hand import KINDS, METHODS, asked, plan, table, weights_of, words
from support.places import SRC, TESTS


def laid(spec, rows, weights):
    ask = asked(spec, weights)
    made = mechanism(spec, ask)
    return encode(made.clip(Update(rows_of(build(spec), ask, rows)))).words


SIZES = st.sampled_from([0.0, 1e-9, 0.3, 5.0, 1e4, 9e8])


@given(
    st.sampled_from(KINDS), st.sampled_from(METHODS), st.integers(0, 2**32), st.integers(0, 300), SIZES,
    st.sampled_from([1000, 10**6, 10**8]),
)  # fmt: skip
def test_words_are_those_of_rows_laid_out_but_for_the_gram_matrix(kind, method, seed, n, size, most):
    spec, rows = plan(kind, method, most=most), table(kind, n=n, seed=seed)
    weights = size * np.random.default_rng(seed).uniform(-1, 1, weights_of(kind))
    (grid, found), before = words(spec, rows, weights), laid(spec, rows, weights)
    for name, where in grid.slices().items():
        apart = np.abs(signed(found[where] - before[where]))
        assert apart.max() <= (int((~rows.test).sum()) if name == "gram" else 0), name


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("method", METHODS)
def test_neither_order_nor_batches_nor_how_rows_are_shared_out_matter(kind, method, monkeypatch):
    spec, rows, weights = (
        plan(kind, method),
        table(kind, n=500),
        np.resize([0.3, -2.0, 1.5, 0.1, 0.7], weights_of(kind)),
    )
    _, whole = words(spec, rows, weights)
    order = np.random.default_rng(1).permutation(500)
    parts = [rows, *(part_of(rows, index) for index in (order, order[:170], order[170:]))]
    monkeypatch.setattr(units, "NUMBERS", 64)
    _, again, *shared = (words(spec, one, weights)[1] for one in parts)
    assert np.array_equal(again, whole)
    rounded = np.abs(signed(shared[0] + shared[1] - whole))
    assert rounded.max() <= 1  # of the Gram matrix each site rounds its own sum
    assert not rounded[: weights_of(kind)].any()


def part_of(rows, index):
    return Table(rows.features[index], rows.target[index], None, rows.test[index], {}, ())


MACHINES = [
    {"OPENBLAS_NUM_THREADS": "1"},
    {"OPENBLAS_NUM_THREADS": "2"},
    {
        "OPENBLAS_CORETYPE": "Nehalem",
        "NPY_DISABLE_CPU_FEATURES": "AVX512F AVX2 FMA3 AVX512_SKX X86_V3 X86_V4",
        "GLIBC_TUNABLES": "glibc.cpu.hwcaps=-AVX2,-FMA",
    },
]


@pytest.mark.slow
@pytest.mark.parametrize("machines", [MACHINES[1:], pytest.param(MACHINES, marks=pytest.mark.slow)])
def test_the_same_words_with_any_blas_any_threads_and_any_processor(machines):
    """Other kernels of OpenBLAS and of NumPy, another exponential of the C library: what other machines would take."""
    here = {"PYTHONPATH": os.pathsep.join((str(SRC.parent), str(TESTS)))}
    command = [sys.executable, "-W", "ignore", "-m", rows_by_hand.__name__]
    runs = [
        subprocess.run(command, env=os.environ | here | machine, capture_output=True, text=True, check=True)
        for machine in machines
    ]
    assert len(runs[0].stdout.split()) == 9
    assert len({run.stdout for run in runs}) == 1


def test_no_copy_of_every_rows_contribution_is_made():
    """Laid out, the Gram matrices of these rows take 79 MB."""
    spec, rows = plan(p=30), table(p=30, n=20_000)
    tracemalloc.start()
    words(spec, rows, np.zeros(31))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 12e6


@given(st.integers(0, 2**32), st.integers(1, 200), st.integers(-48, 4), st.sampled_from([1.0, 8.0, 2.0**32]))
def test_each_entry_is_truncated_toward_zero_as_rational_arithmetic_has_it(seed, n, power, high):
    rng = np.random.default_rng(seed)
    rows, factors = table(seed=seed, n=n).features, high * rng.choice([1.0, -1.0, rng.random(), 1e-12], n)
    part = GridBlock("x", 3, max(2.0**power, high * 2.0**-54), high * n)  # whose sum fits a word
    products = (factors[:, None] * np.column_stack([np.ones(n), rows])).tolist()
    expected = [sum(int(Fraction(row[j]) / Fraction(part.step)) for row in products) for j in range(4)]
    assert weighted(rows, factors, part, high).tolist() == expected


@given(
    st.integers(0, 2**32), st.sampled_from([1, 2, 80, 81, 82, 163, 700]), st.sampled_from([0, 1, 100, 128, 129, 300]),
    st.sampled_from([-48, -40, -20]), st.booleans(),
)  # fmt: skip
def test_sums_in_pieces_are_those_of_integers(seed, n, p, power, given_space):
    """Rows and columns that fill a piece, or do not, or by one; with space that holds other numbers."""
    rng = np.random.default_rng(seed)
    rows, factors = rng.uniform(-1, 1, (n, p)), rng.uniform(-1, 1, n)
    part = GridBlock("x", p + 1, 2.0**power, 1000.0)
    steps = np.trunc(factors[:, None] * np.column_stack([np.ones(n), rows]) / part.step).astype(np.int64)
    space = np.full(n * (p + 1) + 7, np.nan) if given_space else None
    assert np.array_equal(weighted(rows, factors, part, 1.0, space), steps.sum(axis=0))


def test_control_rows_beyond_what_a_float_holds_are_found(monkeypatch):
    rows, factors = np.full((4000, 1), 1 - 2.0**-48), np.full(4000, 1.0)
    part = GridBlock("x", 1, 2.0**-48, 4000.0)
    expected = [4000 * 2**48, 4000 * (2**48 - 1)]
    assert weighted(rows, factors, part, 1.0).tolist() == expected
    monkeypatch.setattr(row_sums, "EXACT", 2.0**70)
    assert weighted(rows, factors, part, 1.0).tolist() != expected


@pytest.mark.parametrize("factor", [1.0000001, -1.0000001, -np.inf, np.nan])
def test_a_factor_beyond_its_range_stops_the_site(factor):
    rows, factors = np.full((3, 2), 0.5), np.full(3, 0.5)
    factors[2] = factor
    with pytest.raises(Abort) as stop:
        weighted(rows, factors, GridBlock("x", 3, 2.0**-40, 3.0), 1.0)
    assert stop.value.cause is Cause.RANGE
    assert str(factor) not in str(stop.value)


@pytest.mark.parametrize("value", [1.0000001, -1.0000001, np.nan, np.inf])
@pytest.mark.parametrize("method", METHODS)
def test_a_feature_beyond_its_range_stops_the_site_unless_its_row_is_held_out(method, value):
    spec, rows, weights = plan(method=method), table(), np.array([0.3, -2.0, 1.5, 0.1])
    whole = words(spec, rows, weights)[1]
    for row in np.flatnonzero(~rows.test)[-1], np.flatnonzero(rows.test)[0]:
        features = rows.features.copy()
        features[row, 1] = value
        beyond = Table(features, rows.target, None, rows.test, {}, ())
        assert not beyond.within
        if rows.test[row]:
            assert np.array_equal(words(spec, beyond, weights)[1], whole)
            continue
        with pytest.raises(Abort) as stop:
            words(spec, beyond, weights)
        assert stop.value.cause is Cause.RANGE
        assert str(value) not in str(stop.value)


def test_a_table_knows_whether_its_features_are_within_their_range():
    for values, within in (([[1.0, -1.0], [0.0, 5e-324]], True), ([[1.0, -1.1]], False), ([[0.0, np.nan]], False)):
        rows = len(values)
        one = Table(np.array(values), np.zeros(rows), None, np.zeros(rows, dtype=np.bool_), {}, ())
        assert one.within is within
    for shape in ((0, 3), (3, 0)):
        assert Table(np.zeros(shape), np.zeros(shape[0]), None, np.zeros(shape[0], dtype=np.bool_), {}, ()).within


@given(st.integers(0, 2**32), st.integers(0, 40), st.sampled_from([0, 1, 6, 7, 8, 100, 127, 128, 300]))
def test_margins_are_the_sums_of_rows_with_a_one_in_front_whatever_the_space_held(seed, n, p):
    rng = np.random.default_rng(seed)
    features, weights = rng.uniform(-1, 1, (n, p)), rng.normal(size=p + 1)
    expected = (np.column_stack([np.ones(n), features]) * weights).sum(axis=1)
    for space in (None, np.full(n * (p + 1), np.nan), np.full(n * (p + 1) + 5, 1e300)):
        assert layers.margins(weights, features, space).tobytes() == expected.tobytes()
    assert layers.margins(weights, np.asfortranarray(features)).tobytes() == expected.tobytes()


def test_rows_that_are_added_up_exactly_refuse_a_clip():
    grid = Grid((GridBlock("gradient", 4, 2.0**-40, 1.0), GridBlock("rows", 2, 1.0, 9.0)), 64)
    for method in METHODS:
        spec, rows = plan(method=method), table()
        (given_,) = build(spec).contribute(asked(spec, np.zeros(4)), rows, system)
        with pytest.raises(ValueError, match="nothing is clipped"):
            given_.encode(grid, Clip((1.0, 1.0)))


def test_a_mean_beyond_its_range_stops_the_site():
    for method in METHODS:
        spec, rows = plan(method=method), table()
        rows.target[~rows.test] = 3.0  # of a side that cannot be
        with pytest.raises(Abort) as stop:
            words(spec, rows, np.zeros(4))
        assert stop.value.cause is Cause.RANGE


def test_probabilities_are_right_to_two_units_in_the_last_place():
    margins = np.concatenate([np.linspace(-700, 700, 1401), np.random.default_rng(0).normal(size=1000) * 8])
    with localcontext() as context:
        context.prec = 40
        for value, found in zip(margins.tolist(), mean(margins).tolist(), strict=True):
            exact = 1 / (1 + (-Decimal(value)).exp())
            assert abs(Decimal(found) / exact - 1) < Decimal(2) ** -52
    ends = mean(np.array([0.0, -0.0, 1e4, -1e4, np.inf, -np.inf, np.nan]))
    assert ends[:6].tolist() == [0.5, 0.5, 1.0, 0.0, 1.0, 0.0]
    assert np.isnan(ends[6])


def test_the_limit_of_each_block_is_a_range_without_noise_and_a_clip_with_it():
    assert row_sums.exact(Range((1.0,))) == Range((1.0,))
    assert row_sums.noised(Clip((1.0,))) == Clip((1.0,))
    with pytest.raises(ValueError, match="each is clipped"):
        row_sums.noised(Range((1.0,)))


def test_one_coefficient_does_not_stand_for_all_features():
    for features, weights in (((4, 3), 2), ((4, 1), 4), ((4, 3), 3), ((4, 0), 2)):
        with pytest.raises(ValueError, match="reshape"):
            layers.margins(np.ones(weights), np.ones(features))


CLIPS = st.sampled_from([2.0**-10, 0.3, 1.0, 5.0, 32.0, 1e3])


@given(st.sampled_from(KINDS), st.integers(0, 2**32), st.integers(0, 300), SIZES, CLIPS)
def test_clipped_rows_add_what_they_would_laid_out_but_for_a_step(kind, seed, n, size, clip):
    """Those that are not clipped to the bit. Clipped ones are scaled by other operations."""
    spec, rows = plan(kind, "gradient", clip=clip), table(kind, n=n, seed=seed)
    weights = size * np.random.default_rng(seed).uniform(-1, 1, weights_of(kind))
    (_, found), before = words(spec, rows, weights), laid(spec, rows, weights)
    values = rows_of(build(spec), asked(spec, weights), rows)
    cut = int((np.linalg.norm(values, axis=1) > clip * (1 - 1e-9)).sum())
    assert np.abs(signed(found - before)).max() <= cut


HARD = st.sampled_from([1.0, -1.0, 0.0, 1 - 2.0**-53, 0.5, 2.0**-30, 5e-324, 1e-170, 0.1, 1e3, 1e150, 1e300])
FACTORS = st.sampled_from([0.0, 5e-324, 1e-300, 0.25, 1 / 3, 1.0, -1.0, 7.3, 1e9, -1e300])


def longest(rows, factors, part, most):
    """The largest norm that a row alone adds, over the clip: in whole numbers and fractions. A row has a 1 in front.
    factors [n], or of classes [n, K]."""
    found = 0
    for place, row in enumerate(rows):
        steps = row_sums.clipped(row[None, 1:], factors[[place]], part, most)
        found = max(found, sum(step * step for step in steps.tolist()))
    return found * Fraction(part.step) ** 2 / Fraction(most) ** 2


@settings(max_examples=examples(200))
@given(
    st.lists(st.lists(HARD, min_size=6, max_size=6), min_size=1, max_size=12), st.data(), st.integers(0, 40), CLIPS,
)  # fmt: skip
def test_no_row_adds_more_than_its_clip_in_whole_numbers(given_, data, fine, most):
    rows = np.column_stack([np.ones(len(given_)), np.array(given_)])
    classes = data.draw(st.sampled_from([1, 2, 3, 7]))
    factors = np.array(data.draw(st.lists(FACTORS, min_size=len(rows) * classes, max_size=len(rows) * classes)))
    factors = factors if classes == 1 else factors.reshape(len(rows), classes)
    part = GridBlock("x", 7 * classes, 2.0 ** (np.frexp(most)[1] - 10 - fine), most * len(rows))
    assert longest(rows, factors, part, most) <= 1
    # and all together are the sum of each alone
    alone = sum(row_sums.clipped(rows[[i], 1:], factors[[i]], part, most) for i in range(len(rows)))
    assert np.array_equal(row_sums.clipped(rows[:, 1:], factors, part, most), alone)


def test_a_row_is_scaled_to_just_below_its_clip_and_a_short_one_stays():
    """Known answer: a row (1, 2, 2) has the norm 3."""
    part = GridBlock("x", 3, 2.0**-40, 2.0)
    rows = np.array([[2.0, 2.0]])
    assert row_sums.clipped(rows, np.array([0.25]), part, 1.5).tolist() == [2**38, 2**39, 2**39]
    scaled = row_sums.clipped(rows, np.array([-8.0]), part, 1.5) * part.step
    assert scaled.tolist() == pytest.approx([-0.5, -1.0, -1.0], rel=1e-11)
    # of two classes, whose residuals (3, -4) have the norm 5, the sum's norm is the product
    wide = GridBlock("x", 6, 2.0**-40, 2.0)
    both = row_sums.clipped(rows, np.array([[3.0, -4.0]]), wide, 1.5) * wide.step
    assert both.tolist() == pytest.approx([0.3, 0.6, 0.6, -0.4, -0.8, -0.8], rel=1e-11)


def test_control_a_clip_that_is_too_long_by_rounding_is_found(monkeypatch):
    part, most = GridBlock("x", 4, 2.0**-48, 32.0), 32.0
    rng = np.random.default_rng(0)
    rows = np.column_stack([np.ones(300), rng.choice([1.0, -1.0, 0.75, 0.3], (300, 3))])
    factors, wide = np.full(300, 100.0), GridBlock("x", 12, 2.0**-48, 32.0)
    classes = rng.uniform(-100, 100, (300, 3))
    assert longest(rows, factors, part, most) <= 1
    assert longest(rows, classes, wide, most) <= 1
    monkeypatch.setattr(row_sums, "margin", lambda size: -(2.0**-44))
    assert longest(rows, factors, part, most) > 1
    assert longest(rows, classes, wide, most) > 1


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e200])
def test_a_row_that_is_not_finite_counts_as_zero_and_says_nothing(value):
    """Also one whose norm is beyond a float."""
    part = GridBlock("x", 2, 2.0**-40, 9.0)
    rows, factors = np.array([[0.5], [value], [0.25]]), np.array([0.5, 0.5, 0.5])
    assert row_sums.clipped(rows, factors, part, 1.0).tolist() == [2**40, 3 * 2**37]
    rows[1, 0], factors[1] = 0.5, value
    found = row_sums.clipped(rows, factors, part, 1.0).tolist()
    assert (found == [2**40, 3 * 2**37]) == (value != 1e200)  # so large a residual is clipped as any other


def test_rows_that_are_clipped_are_not_copied():
    """Laid out in one piece they take 25 MB."""
    spec, rows = plan(p=30, method="gradient", clip=1.0), table(p=30, n=100_000)
    words(spec, table(p=30, n=10), np.zeros(31))  # what is imported at the first sum is not counted
    tracemalloc.start()
    words(spec, rows, np.zeros(31))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 6e6
