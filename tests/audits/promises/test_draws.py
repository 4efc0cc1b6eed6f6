"""Tests of noise: as often wrong as they say of right noise, and each fault is found by the test that is named."""

import numpy as np
import pytest
from scipy import stats

from potluck.audits.promises.draws import EDGES, Draws, thinned
from support.promises.noises import FAULTS

SIGMA = 1e9


def draws(scaled, sigma=SIGMA, parts=1):
    found = np.rint(scaled * sigma)
    names = np.arange(found.shape[1]) * parts // found.shape[1]
    return Draws(found, np.full(found.shape[1], sigma), names, np.random.default_rng(0))


def said(some, level=1e-6):
    """Which tests find something."""
    sizes, least = some.sizes()
    found = {"size": min(chance for chance, _ in sizes), "place": least, "shape": some.shape()}
    found |= {"common": some.common()[0], "again": some.again()}
    return {name for name, chance in found.items() if chance < level}


@pytest.mark.parametrize("name", FAULTS)
def test_each_fault_of_noise_is_found_by_name(name):
    right = np.random.default_rng(7).standard_normal((400, 50))
    fault, test = FAULTS[name]
    assert said(draws(right)) == set()
    assert test in said(draws(fault(right)))


def test_noise_of_few_steps_is_spread_as_gaussian_noise_is():
    right = np.random.default_rng(3).standard_normal((400, 50))
    assert said(draws(right, sigma=16.0)) == set()
    assert draws(right, sigma=16.0).coarse == 1
    assert draws(4 * right, sigma=16.0).coarse == 1
    assert Draws(4 * draws(right).found, np.full(50, SIGMA), np.zeros(50, int), np.random.default_rng(0)).coarse == 4


def test_chances_of_right_noise_are_uniform_or_larger():
    draw, sizes, others = np.random.default_rng(11), [], []
    for _ in range(150):
        one = draws(draw.standard_normal((40, 25)), sigma=16.0, parts=2)
        every, least = one.sizes()
        sizes += [chance for chance, _ in every[1:]]
        others.append((least, one.shape(), one.common()[0], one.again()))
    assert stats.kstest(sizes, "uniform").pvalue > 1e-6
    # at most one in five is below 1/5, but for six standard deviations
    assert (np.mean(np.array(others) < 0.2, axis=0) <= 0.2 + 6 * np.sqrt(0.16 / 150)).all()


def test_of_long_sums_numbers_are_left_out_evenly():
    assert len(EDGES) == 13
    assert thinned(5).tolist() == [0, 1, 2, 3, 4]
    assert len(thinned(10 << 20)) == 1 << 20
