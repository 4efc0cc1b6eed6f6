"""The Gram matrix by exact products, against whole numbers of Python, rational arithmetic, and rows laid out."""

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from potluck.core.rounds import Abort, Cause
from potluck.learning.training import gram as module
from potluck.learning.training.gram import Gram, Scale

GRIDS = [(0.25, -48), (0.25, -45), (0.25, -30), (1.0, -48), (1.0, -46), (1.0, -45), (0.3, -47), (8.0, -48), (3.0, 0)]
"""high, exponent of the step: both kinds of model at many sizes of plan, and kinds that nobody has written yet."""
UPPER = np.triu_indices(4)


def whole_rows(x, curved, scale):
    """[n][p] Y, by its definition."""
    factors = [min(math.sqrt(one) * scale.unit, scale.most) for one in curved]
    return [[round(value * factor) for value in row] for row, factor in zip(x.tolist(), factors, strict=True)]


def by_definition(x, curved, high, step):
    """The upper triangle, in whole steps: products of whole numbers added up, and rounded once."""
    scale = Scale(high, step)
    rows, half = whole_rows(x, curved, scale), 1 << (scale.extra - 1)
    return [(sum(row[j] * row[k] for row in rows) + half) >> scale.extra for j, k in zip(*UPPER, strict=True)]


def ours(x, curved, high, step, batch=10**9):
    made = Gram(x.shape[1], high, step)
    for start in range(0, len(x), batch):
        made.add(x[start : start + batch], curved[start : start + batch])
    return made.steps()[np.triu_indices(x.shape[1])].tolist()


def real(x, curved, step):
    """The upper triangle in steps, of these floats, exactly."""
    rows = [[Fraction(value) for value in row] for row in x.tolist()]
    weights = [Fraction(one) for one in curved.tolist()]
    pairs = zip(*UPPER, strict=True)
    return [sum(c * r[j] * r[k] for c, r in zip(weights, rows, strict=True)) / Fraction(step) for j, k in pairs]


def cut_off(x, curved, step):
    """The upper triangle as rows that are laid out give it: each truncated toward zero."""
    return np.trunc(curved[:, None] * x[:, UPPER[0]] * x[:, UPPER[1]] / step).astype(np.int64).sum(axis=0).tolist()


def hard(seed, n, high, tiny=0):
    """Rows with the largest entries there are, entries of one bit, and columns that nearly determine one another;
    weights down to 2^-tiny of the largest."""
    rng = np.random.default_rng(seed)
    x = rng.choice([1.0, -1.0, 2.0**-30, 1 - 2.0**-53, 0.3, 0.0], (n, 4)) * rng.choice([1.0, rng.random()], (n, 4))
    x[:, 0] = 1.0
    x[:, 3] = np.clip(x[:, 2] + 1e-9 * rng.normal(size=n), -1, 1)
    return x, high * 2.0 ** -rng.uniform(0, tiny, n)


@given(st.sampled_from(GRIDS), st.integers(0, 2**32), st.integers(0, 300), st.integers(1, 300), st.integers(0, 60))
def test_the_sum_is_that_of_whole_products_whatever_the_rows_and_batches(grid, seed, n, batch, tiny):
    high, step = grid[0], 2.0 ** grid[1]
    x, curved = hard(seed, n, high, tiny)
    assert ours(x, curved, high, step, batch) == by_definition(x, curved, high, step)


@given(st.sampled_from(GRIDS), st.integers(0, 2**32), st.integers(1, 40), st.integers(0, 60))
def test_no_row_is_off_by_more_than_half_a_step_and_the_sum_by_half_a_step_more(grid, seed, n, tiny):
    high, step = grid[0], 2.0 ** grid[1]
    x, curved = hard(seed, n, high, tiny)
    spare = Fraction(high) / Fraction(step) * Fraction(2) ** -50  # what float64 loses in a root and in a product
    square = math.log2(high) % 2 == 0  # else a row at its very bound stays below it
    allowed = n * (Fraction(1, 2) + spare + (0 if square else 2)) + Fraction(1, 2)
    found = zip(ours(x, curved, high, step), real(x, curved, step), strict=True)
    assert max(abs(one - other) for one, other in found) <= allowed


@pytest.mark.parametrize("tiny", [0, 40])
@pytest.mark.parametrize(("high", "power"), [(0.25, -48), (0.25, -45), (1.0, -46)])
def test_it_is_nearer_to_the_real_sum_than_rows_that_are_cut_off(high, power, tiny):
    rng = np.random.default_rng(7)
    x, curved = rng.uniform(-1, 1, (600, 4)), high * 2.0 ** -rng.uniform(0, tiny, 600)
    x[:, 0] = 1.0
    x[:, 3] = x[:, 2] + 1e-9 * rng.normal(size=600)
    x = np.clip(x, -1, 1)
    exact = real(x, curved, 2.0**power)
    here = max(abs(one - other) for one, other in zip(ours(x, curved, high, 2.0**power), exact, strict=True))
    before = max(abs(one - other) for one, other in zip(cut_off(x, curved, 2.0**power), exact, strict=True))
    assert here < before / 4


@given(st.floats(2.0**-20, 2.0**12), st.integers(-48, 0), st.integers(0, 40))
def test_the_bound_holds_for_every_grid(high, power, more):
    """The most rows of a plan, each at its bound in every limb: no product and no sum is beyond what holds it."""
    if high / 2.0**power < 1:
        return
    scale = Scale(high, 2.0**power)
    assert scale.most**2 <= math.floor(high / scale.step) << scale.extra
    assert scale.most <= 1 << (scale.extra - 1)
    assert scale.limbs * scale.width >= scale.extra
    below = scale.width * (scale.limbs - 1)
    assert (scale.most + (1 << below >> 1)) >> below <= 1 << (scale.width - 1)
    assert scale.tall >= 32
    assert scale.tall * (1 << (scale.width - 1)) ** 2 <= 2**53
    assert 2 * math.log2(scale.unit) == scale.extra - power
    assert module.HELD * scale.limbs * (1 << (scale.width - 1)) ** 2 < 2**62


def at_the_bound(high=0.25, power=-46, n=4000):
    """Rows whose limbs are all as large as they get, and odd, so that a lost bit shows."""
    scale = Scale(high, 2.0**power)
    rng = np.random.default_rng(2)
    top = (1 << scale.width - 1) - 1
    limbs = top - 2 * rng.integers(0, 50, (2, n, 4))
    whole = (limbs[0] << scale.width) + limbs[1]
    assert whole.max() <= scale.most
    return whole / scale.unit / math.sqrt(high), np.full(n, high), high, scale.step


@pytest.mark.parametrize("case", [(0.25, -46, 4000), (1.0, -48, 20_000)])
def test_many_rows_at_the_bound_add_up_exactly(case):
    assert ours(*at_the_bound(*case)) == by_definition(*at_the_bound(*case))


@pytest.mark.parametrize("bug", ["block", "low limb", "cross", "carry"])
def test_control_the_checks_find_each_bug(bug, monkeypatch):
    case = (1.0, -48, 20_000) if bug == "carry" else (0.25, -46, 4000)
    if bug == "block":  # too many rows for 2^53
        monkeypatch.setattr(module, "EXACT", 66)
        monkeypatch.setattr(module, "TALL", 4096)
    elif bug == "carry":  # sums of limbs wrap
        monkeypatch.setattr(module, "HELD", 1 << 30)
    else:
        cut = Gram._cut

        def cut_short(self, rows, curved):
            limbs = cut(self, rows, curved)
            return [limbs[0], 0 * limbs[1] if bug == "low limb" else -limbs[1]]

        monkeypatch.setattr(Gram, "_cut", cut_short)
    assert ours(*at_the_bound(*case)) != by_definition(*at_the_bound(*case))


def test_the_order_of_rows_never_matters():
    x, curved = hard(3, 500, 0.25, 30)
    order = np.random.default_rng(0).permutation(500)
    for step in (2.0**-48, 2.0**-45):
        assert ours(x[order], curved[order], 0.25, step, 37) == ours(x, curved, 0.25, step)


def test_columns_that_determine_one_another_leave_a_singular_matrix():
    """A category's features add up to the intercept, and so do their whole numbers."""
    rng = np.random.default_rng(1)
    level = rng.integers(0, 3, 700)
    x = np.column_stack([np.ones(700), level == 0, level == 1, level == 2]).astype(np.float64)
    curved = rng.uniform(0, 0.25, 700)
    scale = Scale(0.25, 2.0**-46)
    for row in whole_rows(x, curved, scale):
        assert row[0] == sum(row[1:])
    full = np.zeros((4, 4))
    full[UPPER] = ours(x, curved, 0.25, 2.0**-46)
    full += np.triu(full, 1).T
    assert np.abs(full @ [1, -1, -1, -1]).max() <= 2  # four sums, each rounded once


@pytest.mark.parametrize(
    ("value", "weight"),
    [(1.0000001, 0.1), (np.nan, 0.1), (-np.inf, 0.1), (0.5, 0.2500001), (0.5, -1e-9), (0.5, np.nan)],
)
def test_what_is_beyond_its_range_stops_the_site(value, weight):
    x, curved = np.full((3, 2), 0.5), np.full(3, 0.1)
    x[1, 1], curved[2] = value, weight
    with pytest.raises(Abort) as stop:
        Gram(2, 0.25, 2.0**-46).add(x, curved)
    assert stop.value.cause is Cause.RANGE
    assert str(value) not in str(stop.value)


def test_no_row_at_all_is_a_sum_of_zero():
    assert ours(np.zeros((0, 3)), np.zeros(0), 1.0, 2.0**-40) == [0] * 6
