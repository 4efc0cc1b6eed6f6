"""Quantiles: known answers, plain sorting, and intervals that cover as often as they say."""

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from potluck.core.plan import PrivacyPlan, Statistic
from potluck.learning.loops import build
from potluck.learning.statistics.kinds import quantile
from potluck.learning.statistics.spread import root
from support.examples import examples
from support.learning.rossi import rossi
from support.learning.sums import category, frames, number, replaced, run, stats

NOISE = PrivacyPlan(noise="shared", unit="row", epsilon=1.0, delta=1e-5)
TENTHS = (0.1, 0.25, 0.5, 0.75, 0.9)


def asked(low, high, bins, q=TENTHS, privacy=None, **more):
    one = Statistic(name="q", kind="quantile", column="x", bins=bins, q=q, **more)
    columns = {"x": number(low, high, "drop"), "g": category("a", "b")}
    return stats(columns, one, **({"privacy": privacy} if privacy else {})), one


def test_ages_of_the_prisoners_lie_in_the_bins_that_another_program_found():
    """By hand from lifelines' file: ages from 16 to 48 in 32 bins; with the spread, its last number and their sum."""
    plan, one = asked(16, 48, 32)
    ages = rossi()["age"]
    found = run(build(plan), frames(plan, pd.DataFrame({"x": ages, "g": "a"}))).results["q"]
    assert [each.value for each in found.quantiles] == [19, 20, 23, 27, 34]
    assert all(each.low == each.value == each.high for each in found.quantiles)
    assert found.n == 432
    assert "shares" not in found.document()
    noised, _ = asked(16, 48, 32, privacy=NOISE)
    counts = np.histogram(ages, bins=32, range=(16, 48))[0]
    steps = quantile.totals(noised, one).steps(counts.tolist())
    assert (steps[-1], sum(steps)) == (13616, 589291)


@settings(max_examples=examples(60))
@given(
    st.lists(st.floats(-3, 13), min_size=1, max_size=60),
    st.integers(1, 400),
    st.lists(st.sampled_from([0.01, 0.1, 0.3, 0.5, 0.55, 0.7, 0.9, 0.99]), min_size=1, max_size=3, unique=True),
)
def test_without_noise_a_quantile_is_the_bin_of_the_row_that_sorting_finds(values, bins, shares):
    plan, _ = asked(0, 10, bins, tuple(shares))
    found = run(build(plan), frames(plan, pd.DataFrame({"x": values, "g": "a"}))).results["q"]
    edges = np.linspace(0, 10, bins + 1)
    ordered = np.sort(np.clip(values, 0, 10))
    for each in found.quantiles:
        row = ordered[math.ceil(each.q * len(ordered) - 1e-9) - 1]
        place = min(int((edges[1:-1] <= row).sum()), bins - 1)
        assert each.value == each.low == each.high == edges[place]
        assert each.population[0] <= each.value <= each.population[1]


def test_groups_are_read_alone_and_undeclared_ones_count_in_the_whole():
    plan, _ = asked(0, 10, 10, (0.5,), by="g")
    rows = pd.DataFrame({"x": [1.5, 2.5, 8.5, 9.5, 9.5, np.nan], "g": ["a", "a", "b", "z", "z", "a"]})
    found = run(build(plan), frames(plan, rows)).document()["q"]
    assert (found["n"], found["quantiles"][0]["value"]) == (5, 8)
    assert {name: (one["n"], one["quantiles"][0]["value"]) for name, one in found["by"].items()} == {
        "a": (2, 1),
        "b": (1, 8),
    }
    empty = run(build(plan), frames(plan, rows[rows["g"] != "b"])).document()["q"]["by"]["b"]
    assert empty["n"] == 0
    assert empty["quantiles"] == ({"q": 0.5, "value": None, "low": None, "high": None},)


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({"q": (0.5, 0.5)}, "statistics.q.q: one of them is there twice"),
        ({"column": "g"}, "statistics.q.column: g is a category"),
        ({"column": None}, "statistics.q.column: is missing"),
        ({"columns": ("x",)}, "statistics.q.columns: a quantile does not read it"),
    ],
)
def test_what_cannot_be_is_refused_by_its_key(keys, said):
    from potluck.learning.statistics.check import check

    plan, one = asked(0, 10, 10)
    assert any(said in line for line in check(replaced(plan, statistics=(replaced(one, **keys),))))
    assert not list(check(plan))


def covered(bins, n, q, tries, seed, low=0.0, high=100.0):
    """How often the interval of the rows and that of a population hold their quantile's bin, of made-up rows."""
    draw = np.random.default_rng(seed)
    plan, one = asked(low, high, bins, (q,), NOISE)
    how, edges = quantile.totals(plan, one), np.linspace(low, high, bins + 1)
    sigma = 4.045 * how.norm  # of epsilon 1 and delta 1e-5, as the accountant has it for one block
    everybody = np.clip(np.random.default_rng(7).lognormal(3.2, 0.6, 400_000), low, high)
    truth = np.floor(np.quantile(everybody, q) / (high / bins)) * high / bins
    hits = np.zeros(2)
    for _ in range(tries):
        rows = draw.choice(everybody, n)
        counts = np.histogram(rows, bins=edges)[0]
        opened = np.array(how.steps(counts.tolist())) / how.parts + draw.normal(0, sigma, bins)
        (found,) = quantile.read(plan, one, opened, np.full(bins, sigma)).quantiles
        mine = edges[np.argmax(np.cumsum(counts) >= q * n)]
        assert found.low <= found.value <= found.high
        hits += (found.low <= mine <= found.high, found.population[0] <= truth <= found.population[1])
    return hits / tries


def test_intervals_cover_the_rows_and_the_population():
    assert (covered(256, 2000, 0.5, 300, 1) >= 0.95).all()
    assert (covered(16, 2000, 0.9, 300, 2) >= 0.95).all()


@pytest.mark.slow
@pytest.mark.parametrize("bins", [16, 64, 256, 1024])
@pytest.mark.parametrize("n", [500, 20_000])
@pytest.mark.parametrize("q", [0.1, 0.5, 0.9])
def test_intervals_cover_whatever_the_bins_rows_and_share(bins, n, q):
    assert (covered(bins, n, q, 1000, 11) >= 0.95).all()


def test_an_interval_that_forgets_the_noise_would_not_cover(monkeypatch):
    monkeypatch.setattr(quantile, "contrast", lambda how, q: np.zeros(len(how.column)))
    assert covered(256, 2000, 0.5, 100, 3)[0] < 0.8


@pytest.mark.parametrize("bins", [17, 64])
def test_the_noise_of_a_contrast_is_that_of_the_matrix_written_out(bins):
    """B = A C^-1 of full matrices, by numpy alone."""
    how = root(bins)
    c = np.array([[how.column[i - j] / 256 if i >= j else 0.0 for j in range(bins)] for i in range(bins)])
    b = np.tril(np.ones((bins, bins))) @ np.linalg.inv(c)
    for q in (0.1, 0.5):
        assert np.allclose(quantile.contrast(how, q), ((b - q * b[-1]) ** 2).sum(axis=1))


def test_noise_may_leave_fewer_than_no_rows_and_then_all_is_open():
    plan, one = asked(0, 10, 20, (0.5,), NOISE)
    found = quantile.read(plan, one, np.full(20, -3.0), np.full(20, 1.0)).quantiles[0]
    assert (found.value, found.low, found.high) == (None, 0.0, 9.5)


def test_a_forecast_is_half_the_interval_of_even_rows():
    plan, one = asked(0, 100, 256, (0.5,), NOISE)
    sigma, n = 6.7, 50_000.0
    foreseen = quantile.half(plan, one, sigma, n)
    how = quantile.totals(plan, one)
    opened = np.convolve(np.full(256, n / 256), np.array(how.column) / 256)[:256]
    (found,) = quantile.read(plan, one, opened, np.full(256, sigma)).quantiles
    assert foreseen == pytest.approx((found.high - found.low) / 2, abs=100 / 256)
    assert quantile.half(plan, one, sigma, None) is None
