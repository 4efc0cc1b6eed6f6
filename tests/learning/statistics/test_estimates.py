"""Shares of noised counts: their intervals hold the share of these rows, also where it is none of them."""

import numpy as np
import pytest

from potluck.learning.statistics.estimates import share

STD, ROWS = 4.0, 2000.0


@pytest.mark.parametrize(
    "hits",
    [
        0.0,
        pytest.param(1000.0, marks=pytest.mark.slow),
        *(pytest.param(one, marks=pytest.mark.slow) for one in (5.0, 2000.0)),
    ],
)
def test_an_interval_covers_the_share_and_is_never_that_of_nothing_known(hits):
    """Of 2,000 draws at least 92.5 % cover it, which a right interval misses less than once in a million."""
    draw = np.random.default_rng(9)
    truth, covered, widest = hits / ROWS, 0, 0.0
    for noise in draw.normal(0, STD, (2000, 2)):
        found = share(np.array([hits, ROWS - hits]) + noise, np.full(2, STD), 0)
        covered += found.low <= truth <= found.high
        widest = max(widest, found.high - found.low)
    assert covered >= 0.925 * 2000
    assert widest < 5 * STD / ROWS


def test_a_value_is_not_clamped_and_without_noise_an_interval_is_it():
    assert share(np.array([-3.0, 103.0]), np.full(2, 4.0), 0).value == -0.03
    exact = share(np.array([3.0, 97.0]), np.zeros(2), 0)
    assert exact.low == exact.value == exact.high == 0.03
