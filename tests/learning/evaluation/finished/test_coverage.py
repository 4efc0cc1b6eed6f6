"""Intervals of what is read off noised cells hold what they claim, by drawing rows and noise many times.

A setting that a right program misses less than once in a million runs: of `TIMES` draws, more than 1e-7 of the binomial
tail below 95 % (of the population's, whose normal approximations are those of textbooks: below 93 %).
"""

import numpy as np
import pytest
from scipy import stats

from potluck.learning.evaluation.finished.judgement import apart, mean, proportion
from potluck.learning.evaluation.finished.two_sides import brier, middles_of, recalibrated

BINS, AT = 20, 4
STD = 3.731
"""Of epsilon 1 and delta 1e-5, in one count."""
TIMES = 1000


def drawn(rng, rows, shift=0.0):
    """[2, bins] rows by side and bin of score, of a model that is right where shift is 0."""
    scores = rng.beta(1.2, 2.8, rows)
    odds = np.log(scores / (1 - scores)) + shift
    sides = (rng.random(rows) < 1 / (1 + np.exp(-odds))).astype(int)
    cells = np.zeros((2, BINS))
    np.add.at(cells, (sides, np.minimum((scores * BINS).astype(int), BINS - 1)), 1)
    return cells


def benefit(cells, std):
    called, odds = np.arange(BINS) >= AT, AT / (BINS - AT)
    return mean(cells, np.stack([-odds * called, 1.0 * called]), std, (-odds, 1.0))


MEASURES = {
    "brier": brier,
    "net benefit": benefit,
    "tpr": lambda cells, std: proportion(cells[1, AT:], cells[1, :AT], std),
    "rate of a bin": lambda cells, std: proportion(cells[1:, AT], cells[:1, AT], std),
    "slope": lambda cells, std: recalibrated(cells, std)[1],
    "intercept": lambda cells, std: recalibrated(cells, std)[0],
}


def covered(measure, rows, std, times=TIMES, seed=1):
    """(share of draws whose noise interval holds the value on these rows, the same of the population's and the value
    of the population, of those whose value is told)."""
    rng = np.random.default_rng(seed)
    whole = measure(drawn(rng, 2_000_000), 0.0).value
    here = there = told = 0
    for _ in range(times):
        exact = drawn(rng, rows)
        found = measure(exact + rng.normal(0, std, exact.shape), std) if std else measure(exact, 0.0)
        told += found.value is not None
        if found.population is None or (std and found.value is None and found.noise is None):
            continue
        true = measure(exact, 0.0).value
        here += not std or true is None or found.noise[0] - 1e-9 <= true <= found.noise[1] + 1e-9
        there += found.population[0] <= whole <= found.population[1]
    return here, there, told


def fewest(share, times):
    return stats.binom.ppf(1e-7, times, share)


def test_a_few_draws_are_covered():
    here, there, told = covered(brier, 2000, STD, 60)
    assert told == 60
    assert here >= fewest(0.95, 60)
    assert there >= fewest(0.93, 60)


@pytest.mark.slow
@pytest.mark.parametrize("rows", [500, 2000, 20_000])
@pytest.mark.parametrize("name", MEASURES)
def test_intervals_hold_what_they_claim_with_noise(name, rows):
    here, there, told = covered(MEASURES[name], rows, STD)
    known = TIMES if name not in ("slope", "intercept") else told  # which are refused where noise is too loud
    assert here >= fewest(0.95, known)
    assert there >= fewest(0.93, known)
    assert known > 0 or rows == 500


@pytest.mark.slow
@pytest.mark.parametrize("rows", [200, 2000])
@pytest.mark.parametrize("name", MEASURES)
def test_intervals_hold_what_they_claim_without_noise(name, rows):
    _, there, told = covered(MEASURES[name], rows, 0.0)
    assert there >= fewest(0.93, told)


@pytest.mark.slow
@pytest.mark.parametrize("groups", [2, 5])
@pytest.mark.parametrize("std", [0.0, STD])
def test_the_distance_of_groups_is_within_its_interval(groups, std):
    rng, rates = np.random.default_rng(3), np.linspace(0.3, 0.5, groups)
    here = there = 0
    for _ in range(TIMES):
        hits = rng.binomial(800, rates).astype(float)
        exact = max(hits) / 800 - min(hits) / 800
        noise = rng.normal(0, std * np.sqrt(10), (groups, 2)) if std else np.zeros((groups, 2))
        parts = [
            proportion(np.full(10, (a + x) / 10), np.full(10, (800 - a + y) / 10), std)
            for a, (x, y) in zip(hits, noise, strict=True)
        ]
        found = apart(parts)
        here += not std or found.noise[0] <= exact <= found.noise[1]
        there += found.population[0] <= 0.2 <= found.population[1]
    assert here >= fewest(0.95, TIMES)
    assert there >= fewest(0.95, TIMES)


def test_the_middles_of_bins_are_theirs():
    assert middles_of(4).tolist() == [0.125, 0.375, 0.625, 0.875]
