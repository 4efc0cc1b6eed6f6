"""The integer noise is the discrete Gaussian itself, not something near it."""

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from potluck.dp import noise
from potluck.testing.draws import seeded

SURE = 1e-6
"""A test that is right fails for one seed in a million; the seeds are fixed."""


def pmf(sigma: float) -> tuple[np.ndarray, np.ndarray]:
    """(x, P[x]) from the definition."""
    reach = math.ceil(14 * sigma) + 2
    x = np.arange(-reach, reach + 1)
    weight = np.exp(-(x**2) / (2 * sigma**2))
    return x, weight / weight.sum()


def fit(samples: np.ndarray, sigma: float) -> float:
    """The p-value of a chi-square test against the exact probabilities; rare values are pooled."""
    x, p = pmf(sigma)
    often = p * len(samples) >= 10
    seen = np.array([(samples == value).sum() for value in x[often]])
    expected = p[often] * len(samples)
    seen, expected = np.append(seen, len(samples) - seen.sum()), np.append(expected, len(samples) - expected.sum())
    if expected[-1] < 10:
        seen, expected = np.append(seen[:-2], seen[-2:].sum()), np.append(expected[:-2], expected[-2:].sum())
    return float(stats.chisquare(seen, expected * seen.sum() / expected.sum()).pvalue)


@pytest.mark.parametrize("sigma", [0.3, 0.5, 0.61, 1.0, 1.7, 4.0, 19.5])
def test_fast_samples_fit_the_exact_probabilities(sigma):
    assert fit(noise.gaussian(sigma, 300_000, seeded("fast", str(sigma))), sigma) > SURE


@pytest.mark.parametrize(
    "sigma", [pytest.param(0.5, marks=pytest.mark.slow), 1.0, pytest.param(4.0, marks=pytest.mark.slow)]
)
def test_reference_samples_fit_the_exact_probabilities(sigma):
    draw = seeded("reference", str(sigma))
    assert fit(np.array([noise.reference(sigma, draw) for _ in range(6000)]), sigma) > SURE


def test_the_fit_rejects_what_is_only_near():
    rng = np.random.default_rng(1)
    assert fit(np.rint(rng.normal(0, 0.5, 300_000)).astype(np.int64), 0.5) < SURE
    assert fit(noise.gaussian(4.06, 300_000, seeded("near")), 4.0) < SURE


@pytest.mark.parametrize("sigma", [1000.3, 2.0**20 * 1.37, 2.0**36, 2.0**48])
def test_wide_samples_have_the_shape_and_no_pattern_in_their_low_bits(sigma):
    samples = noise.gaussian(sigma, 200_000, seeded("wide", str(sigma)))
    edges = stats.norm.ppf(np.linspace(0, 1, 65)[1:-1]) * sigma
    cells = np.bincount(np.searchsorted(edges, samples), minlength=64)
    assert stats.chisquare(cells).pvalue > SURE
    for modulus in (2, 3, 5, 7, 256):
        assert stats.chisquare(np.bincount(samples % modulus, minlength=modulus)).pvalue > SURE
    assert abs(samples.mean()) < 5 * sigma / math.sqrt(len(samples))
    assert abs(samples.std() / sigma - 1) < 5 / math.sqrt(2 * len(samples))
    kurtosis = np.mean((samples / sigma) ** 4)
    assert abs(kurtosis - 3) < 5 * math.sqrt(96 / len(samples))


@pytest.mark.parametrize("sigma", [0.4, 3.3, 2.0**30])
def test_no_float_decides_anything_an_exact_comparison_would_decide_otherwise(sigma, monkeypatch):
    fast = noise.gaussian(sigma, 1500, seeded("same"))
    decided = []
    exact = noise._below

    def counting(*args):
        decided.append(exact(*args))
        return decided[-1]

    monkeypatch.setattr(noise, "_below", counting)
    # window 0: every comparison is closer than 2^0, so each one is decided exactly, on the same random bits.
    assert np.array_equal(noise.gaussian(sigma, 1500, seeded("same"), window=0), fast)
    assert len(decided) > 1500
    assert {True, False} == set(decided)


def test_close_comparisons_are_decided_exactly_and_rarely(monkeypatch):
    asked = []
    monkeypatch.setattr(noise, "_below", lambda *args: bool(asked.append(args)))
    noise.gaussian(100.0, 20_000, seeded("rare"), window=10)
    assert 10 < len(asked) < 400  # about 2 x 2^-10 of 37,000 proposals


def inverse_e(bits: int) -> int:
    """floor(2^bits / e), from its series."""
    total, term = Fraction(0), Fraction(1)
    for k in range(1, 80):
        total += term
        term *= Fraction(-1, k)
    return int(total * 2**bits)


def test_a_comparison_that_64_bits_cannot_decide_goes_on_with_the_same_uniform():
    # U < exp(-1), with the leading 64 bits of U equal to those of 1/e: the next 64 decide.
    leading, following = divmod(inverse_e(128), 1 << 64)

    def next_word(value):
        return lambda size: value.to_bytes(size, "little")

    assert noise._below(leading, 1.0, 0, 0, 1.0, next_word(following - 1))
    assert not noise._below(leading, 1.0, 0, 0, 1.0, next_word(following + 1))
    words = iter([following, 0])
    assert noise._below(leading, 1.0, 0, 0, 1.0, lambda size: next(words).to_bytes(size, "little"))
    assert noise._below(leading - 1, 1.0, 0, 0, 1.0, None)
    assert not noise._below(leading + 1, 1.0, 0, 0, 1.0, None)


def test_a_block_beyond_one_word_of_zeros_is_drawn_on():
    words = iter([0, 0, 4])
    drawn = noise._geometric(1, lambda size: next(words).to_bytes(size, "little"))
    assert drawn.tolist() == [64 + 64 + 2]


def test_a_proposal_far_in_the_tail_is_decided_like_any_other():
    # 130 sigma out: accepted only if U has thousands of leading zeros.
    assert not noise._below(0, 100.0, 13_000, 200, 0.5, seeded("tail"))


@given(st.fractions(0, 900))
def test_bounds_of_the_exponential_hold_it_between_them(exponent):
    low, high = noise._exp_bounds(exponent, 128)
    wider_low, wider_high = noise._exp_bounds(exponent, 512)
    assert low <= wider_low < wider_high <= high
    assert (high - low) <= high * Fraction(1, 2**128)


@pytest.mark.parametrize("sigma", [0.0, -1.0, float("nan"), float("inf"), 2.0**49])
def test_a_sigma_that_cannot_be_is_refused(sigma):
    with pytest.raises(ValueError, match="sigma"):
        noise.gaussian(sigma, 1, seeded("x"))


@pytest.mark.parametrize("size", [0, 1, 7])
def test_as_many_samples_as_asked_for(size):
    samples = noise.gaussian(5.0, size, seeded("size"))
    assert samples.shape == (size,)
    assert samples.dtype == np.int64
