"""Bounds of epsilon beside those of jax-privacy and of PrivacyGuard: the same counts in, the same bounds out."""

import math

import numpy as np
import pytest

from potluck.audits.promises import bounds

pytestmark = pytest.mark.slow

COUNTS = [(0, 50), (3, 50), (49, 50), (50, 50), (700, 1_000), (9_990, 10_000)]


@pytest.mark.parametrize(("hits", "tries"), COUNTS)
@pytest.mark.parametrize("level", [0.05, 1e-6])
def test_intervals_of_a_share(jax_auditing, privacy_guard, hits, tries, level):
    theirs = float(jax_auditing._clopper_pearson_upper(np.array(hits), tries, level))
    assert bounds.most(hits, tries, level) == pytest.approx(theirs, rel=1e-9)
    from privacy_guard.analysis.mia.mia_results import MIAResults

    low, high = MIAResults._clopper_pearson(hits, tries, 2 * level)  # two-sided there
    assert bounds.least(hits, tries, level) == pytest.approx(low, rel=1e-9)
    assert bounds.most(hits, tries, level) == pytest.approx(high, rel=1e-9)


@pytest.mark.parametrize("delta", [0.0, 1e-8, 1e-5, 1e-3])
@pytest.mark.parametrize(
    ("canaries", "guesses", "right"), [(300, 300, 200), (1_000, 200, 180), (1_000, 200, 100), (5_000, 500, 500)]
)
def test_guesses_in_one_run(jax_auditing, canaries, guesses, right, delta):
    theirs = jax_auditing._epsilon_one_run(0.0, canaries, guesses, right, 0.01, delta)
    assert bounds.by_guesses(delta, canaries, guesses, right, 0.01) == pytest.approx(theirs, abs=1e-5)
    known = jax_auditing._one_run_p_value(canaries, guesses, right, 1.3, delta)
    assert bounds.refuted(1.3, delta, canaries, guesses, right) == pytest.approx(known, rel=1e-9, abs=1e-300)


@pytest.fixture
def scores():
    """Of runs with the unit, and without: mu = 1.5."""
    draw = np.random.default_rng(3)
    return draw.normal(1.5, 1.0, 4_000), draw.normal(0.0, 1.0, 4_000)


@pytest.mark.parametrize("delta", [0.0, 1e-5, 0.01])
def test_errors_of_a_threshold_that_was_chosen_before(jax_auditing, scores, delta):
    there, away = scores
    how = jax_auditing.Explicit(threshold=2.0)
    theirs = jax_auditing.CanaryScoreAuditor(there, away).epsilon_clopper_pearson(0.01, delta, threshold_strategy=how)
    hits, false = bounds.errors(there, away, 2.0, above=True)
    ours = bounds.by_errors(bounds.least(hits, 4_000, 0.005), bounds.most(false, 4_000, 0.005), delta)
    assert ours == pytest.approx(theirs, abs=1e-9)
    assert ours > 1


def test_errors_read_as_those_of_gaussian_noise(jax_auditing, scores):
    there, away = scores
    auditor = jax_auditing.CanaryScoreAuditor(there, away)
    places = auditor._thresholds
    level = 0.01 / (2 * len(places))
    every = (bounds.errors(there, away, one, above=True) for one in places)
    best = max(bounds.mu(bounds.least(hits, 4_000, level), bounds.most(false, 4_000, level)) for hits, false in every)
    theirs = auditor.epsilon_from_gdp(0.01, 1e-5)
    assert bounds.gaussian_epsilon(best, 1e-5) == pytest.approx(theirs, abs=0.01)
    assert 0.8 * bounds.gaussian_epsilon(1.5, 1e-5) < theirs < bounds.gaussian_epsilon(1.5, 1e-5)


@pytest.mark.parametrize("mu", [0.3, 1.0, 4.0])
def test_delta_of_gaussian_noise(privacy_guard, mu):
    from privacy_guard.analysis.mia.fdp_analysis_node import FDPAnalysisNode

    theirs = FDPAnalysisNode(m=10, c=9, c_cap=10)
    for epsilon in (0.1, 1.0, 5.0):
        known = theirs.calculate_delta_gaussian(1 / mu, epsilon)
        assert bounds.gaussian_delta(mu, epsilon) == pytest.approx(known, abs=1e-12)
    theirs.delta = 1e-5
    assert math.isclose(bounds.gaussian_epsilon(mu, 1e-5), theirs.calculate_epsilon_gaussian(1 / mu), abs_tol=2e-3)
