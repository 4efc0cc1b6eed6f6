"""What noise leaves of tables: least squares against numpy's own, shrunk singular values against the paper's formulas,
and distances that are never told better than they are."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from potluck.learning.synthesis.apart import LOUD, apart, blur
from potluck.learning.synthesis.axes import Axis
from potluck.learning.synthesis.known import known, refined
from potluck.learning.synthesis.related import related
from potluck.learning.synthesis.tables import Counts


def least_squares(rows):
    """(estimate, standard deviations) of measurements (what of the levels, result, std), by numpy."""
    design = np.array([one / std for one, _, std in rows])
    found = np.linalg.lstsq(design, np.array([value / std for _, value, std in rows]), rcond=None)[0]
    return found, np.sqrt(np.diag(np.linalg.inv(design.T @ design)))


@settings(max_examples=25)
@given(st.integers(2, 9), st.integers(1, 3), st.integers(0, 2**32))
def test_levels_are_those_of_least_squares_over_all_tables(size, by, seed):
    draw, axis = np.random.default_rng(seed), Axis("a", values=tuple(map(str, range(size))))
    own = Counts(draw.normal(100, 30, (size, by)), draw.uniform(1, 9))
    margins = [
        Counts(draw.normal(100, 30, many), draw.uniform(1, 9)) for many in (size, axis.grouped, axis.grouped, size)
    ]
    units = np.eye(size)
    rows = [(units[level], own.values[level].sum(), own.std * by**0.5) for level in range(size)]
    for one in margins:
        if len(one.values) == size:
            rows += [(units[level], one.values[level], one.std) for level in range(size)]
        else:
            rows += [((axis.groups == group) * 1.0, value, one.std) for group, value in enumerate(one.values)]
    values, std = least_squares(rows)
    found = known(axis, own, margins)
    assert found.rows == pytest.approx(values)
    assert found.std == pytest.approx(std)


@settings(max_examples=25)
@given(st.integers(2, 7), st.integers(2, 7), st.integers(0, 2**32))
def test_both_tables_of_a_pair_are_one_by_least_squares(a, b, seed):
    draw = np.random.default_rng(seed)
    one, other = (Axis(name, values=tuple(map(str, range(size)))) for name, size in (("a", a), ("b", b)))
    fine = Counts(draw.normal(50, 20, (a, b)), draw.uniform(1, 9))
    coarse = Counts(draw.normal(90, 20, (one.grouped, other.grouped)), draw.uniform(1, 9))
    cells = np.eye(a * b)
    rows = [(cells[at], value, fine.std) for at, value in enumerate(fine.values.ravel())]
    for (i, j), value in np.ndenumerate(coarse.values):
        rows.append((np.outer(one.groups == i, other.groups == j).ravel() * 1.0, value, coarse.std))
    assert refined(one, coarse, other, fine).values.ravel() == pytest.approx(least_squares(rows)[0])


@pytest.mark.parametrize(("a", "b", "strong"), [(41, 41, 1.5), (31, 61, 2.0), (61, 31, 1.2), (11, 41, 5.0)])
def test_a_singular_value_is_what_the_paper_says(a, b, strong):
    """Gavish and Donoho 2017: one of l, in units of the noise, is seen as y, y^2 = (l^2 + 1)(l^2 + b) / l^2, and best
    kept as l c d, with c^2 = (l^4 - b) / (l^4 + b l^2) and d^2 = (l^4 - b) / (l^4 + l^2)."""
    few, many = sorted((a - 1, b - 1))
    ratio, std, l2 = few / many, 0.01, strong**2
    seen = np.sqrt((l2 + 1) * (l2 + ratio) / l2)
    kept = strong * np.sqrt((l2**2 - ratio) / (l2**2 + ratio * l2) * (l2**2 - ratio) / (l2**2 + l2))
    left, right = np.linspace(-1, 1, a), np.linspace(-1, 1, b)
    pattern = np.outer(left / np.linalg.norm(left), right / np.linalg.norm(right))
    apart_from = np.outer(np.full(a, 1 / a), np.full(b, 1 / b))
    unit = std * np.sqrt(many)
    found = related(apart_from + seen * unit * pattern, std, apart_from) - apart_from
    assert found == pytest.approx(kept * unit * pattern)
    faint = related(apart_from + 0.99 * (1 + np.sqrt(ratio)) * unit * pattern, std, apart_from)
    assert faint == pytest.approx(apart_from)


def test_what_two_columns_have_to_do_with_each_other_is_nearer_than_the_noised_table():
    """Two columns of 12 levels that are mostly alike: the squared error is at most half of the noise's."""
    draw, levels = np.random.default_rng(0), np.arange(12)
    true = np.exp(-((levels[:, None] - levels) ** 2) / 8)
    true /= true.sum()
    alone = np.outer(true.sum(axis=1), true.sum(axis=0))
    noised = [true + draw.normal(0, 0.008, true.shape) for _ in range(30)]
    ours = np.mean([((related(one, 0.008, alone) - true) ** 2).sum() for one in noised])
    assert ours < 0.5 * 0.008**2 * true.size
    assert related(true, 0.0, alone) == pytest.approx(true)


@pytest.mark.parametrize("times", [300, pytest.param(20_000, marks=pytest.mark.slow)])
@pytest.mark.parametrize("cells", [1, 4, 16], ids="of {} cells".format)
def test_a_distance_is_not_told_smaller_than_it_is(times, cells):
    """A distance of .2 in so many of 16 cells, noise that hides a good part of it: what is told is at least that on
    average, and `most` is exceeded in 25 of 1,000 at most. Bounds that a right program misses once in a million."""
    draw, rows = np.random.default_rng(cells), 5_000.0
    shares = np.full((4, 4), 1 / 16)
    moved = shares.ravel().copy()
    moved[:cells] += 0.2 / cells
    counts = rows * moved.reshape(4, 4)
    found = [apart(Counts(counts + draw.normal(0, 40, (4, 4)), 40.0), rows, shares) for _ in range(times)]
    assert blur(Counts(shares, 40.0), rows) == found[0].blur == pytest.approx(16 * 40 * 0.79788 / rows, rel=1e-4)
    told = np.array([one.error for one in found if one.error is not None])
    assert len(told) > times / 2
    assert told.mean() > 0.2 - 4.9 * told.std() / len(told) ** 0.5
    missed = sum(one.most < 0.2 for one in found)
    assert missed <= 0.025 * times + 4.9 * (0.025 * times) ** 0.5 + 2


def test_rows_that_are_what_was_counted_have_no_error_told_under_noise_and_0_without():
    draw, shares = np.random.default_rng(0), np.full((4, 4), 1 / 16)
    found = [apart(Counts(5_000 * shares + draw.normal(0, 40, (4, 4)), 40.0), 5_000, shares) for _ in range(300)]
    assert all(one.error is None or one.error > 0.1 for one in found)
    assert sum(one.error is not None for one in found) < 30  # 2.5 % of 300, and 8 standard deviations
    assert apart(Counts(5_000 * shares, 0.0), 5_000, shares) == apart(Counts(shares, 0.0), 1, shares)
    assert apart(Counts(5_000 * shares, 0.0), 5_000, shares).error == 0.0


@given(st.lists(st.floats(-1e4, 1e4), min_size=4, max_size=4), st.floats(0, 1e5), st.floats(1, 1e6))
def test_no_distance_is_beyond_its_scale_and_loud_noise_has_none(counts, std, rows):
    shares = np.full((2, 2), 0.25)
    found = apart(Counts(np.array(counts).reshape(2, 2), std), rows, shares)
    assert 0 <= found.blur <= 2
    if std and found.blur >= LOUD:
        assert found.error is None
        assert found.most is None
    elif std:
        assert found.error is None or 0 < found.error <= found.most
        assert found.most <= 2
