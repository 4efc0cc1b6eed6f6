"""Bounds of epsilon against other programs' numbers, and games whose epsilon is known."""

import math

import numpy as np
import pytest
from scipy import stats

from potluck.audits.promises import bounds
from potluck.audits.promises.composed import drawn_epsilon
from potluck.dp.events import Gauss, SampledGauss
from potluck.dp.loss import epsilon


@pytest.mark.parametrize(("hits", "tries"), [(0, 50), (3, 50), (49, 50), (50, 50)])
def test_shares_have_the_exact_interval_of_scipy(hits, tries):
    found = stats.binomtest(hits, tries).proportion_ci(0.9, method="exact")
    assert bounds.least(hits, tries, 0.05) == pytest.approx(found.low, abs=1e-12)
    assert bounds.most(hits, tries, 0.05) == pytest.approx(found.high, abs=1e-12)


@pytest.mark.parametrize(
    ("mu", "delta"), [(0.5, 1e-5), *(pytest.param(*one, marks=pytest.mark.slow) for one in ((0.1, 0.01), (1.0, 1e-9)))]
)
def test_epsilon_of_gaussian_noise_is_that_of_the_accountant(mu, delta):
    known = epsilon([Gauss(1 / mu)], delta)  # dp-accounting's loss distributions, rounded up
    assert known - 5e-4 <= bounds.gaussian_epsilon(mu, delta) <= known
    assert bounds.mu_of(bounds.gaussian_epsilon(mu, delta), delta) == pytest.approx(mu, rel=1e-6)


@pytest.mark.parametrize(
    ("sigma", "rate", "count", "delta"),
    [
        (0.6, 0.01, 200, 1e-6),
        (5.0, 0.5, 50, 1e-8),
        pytest.param(1.0, 0.01, 1000, 1e-5, marks=pytest.mark.slow),
        pytest.param(20.0, 0.3, 10_000, 1e-5, marks=pytest.mark.slow),
    ],
)
def test_what_drawn_units_cost_is_what_dp_accounting_says(sigma, rate, count, delta):
    known = epsilon([SampledGauss(sigma, rate, count)], delta)  # dp-accounting's loss distributions
    assert drawn_epsilon(sigma, rate, count, delta) == pytest.approx(known, rel=1e-3)
    assert drawn_epsilon(sigma, rate / 2, count, delta) < 0.75 * known


def test_what_drawn_units_cost_has_known_answers():
    """All are drawn: the curve of Gaussian noise. One sum: delta in closed form, of (1 - q) N(0, s^2) + q N(1, s^2)
    against N(0, s^2), by integrals of two normal densities."""
    assert drawn_epsilon(2.0, 1.0, 4, 1e-5) == pytest.approx(bounds.gaussian_epsilon(1.0, 1e-5), rel=1e-3)
    sigma, rate, epsilon_ = 1.0, 0.05, 1.0
    place = 0.5 + sigma**2 * math.log((math.exp(epsilon_) - 1 + rate) / rate)
    there = (1 - rate) * stats.norm.sf(place / sigma) + rate * stats.norm.sf((place - 1) / sigma)
    delta = there - math.exp(epsilon_) * stats.norm.sf(place / sigma)
    assert drawn_epsilon(sigma, rate, 1, float(delta)) == pytest.approx(epsilon_, rel=1e-3)


def test_errors_of_a_gaussian_test_are_read_as_its_mu():
    assert bounds.mu(stats.norm.sf(-0.7), stats.norm.sf(0.9)) == pytest.approx(1.6)
    assert bounds.mu(0.3, 0.5) == 0.0


def test_guesses_without_a_delta_refute_what_their_share_refutes():
    low = bounds.least(700, 1000, 1e-4)
    found = bounds.by_guesses(0.0, 1000, 1000, 700, 1e-4)
    assert found == pytest.approx(math.log(low / (1 - low)), abs=1e-5)
    assert bounds.by_guesses(1e-5, 1000, 1000, 700, 1e-4) < found


def test_guesses_of_answers_at_random_refute_their_epsilon_no_more_often_than_said():
    draw, known, level = np.random.default_rng(0), 1.0, 0.05
    right = draw.binomial(500, 1 / (1 + math.exp(-known)), size=2_000)
    refuted = np.mean([bounds.refuted(known, 0.0, 500, 500, int(one)) <= level for one in right])
    assert 0.02 < refuted <= 0.05 + 5 * math.sqrt(0.05 * 0.95 / 2_000)
