"""How far two groups are apart: by hand, and with noise in intervals that hold what these rows have."""

import math

import numpy as np
import pytest

from potluck.learning.statistics.apart import apart, of_number, of_value
from potluck.learning.statistics.sums import Part


def part(values, std=0.0):
    values = np.asarray(values, dtype=float)
    return Part(values, np.full(values.shape, std), 0.0)


def powers(x):
    return np.array([len(x), x.sum(), x @ x])


def test_it_is_that_of_the_rows():
    draw = np.random.default_rng(1)
    x, y = draw.uniform(-1, 0.5, 80), draw.uniform(-0.5, 1, 50)
    known = (y.mean() - x.mean()) / math.sqrt((x.var(ddof=1) + y.var(ddof=1)) / 2)
    found = apart(of_number(part(powers(x))), of_number(part(powers(y))))
    assert (found.value, found.low, found.high) == pytest.approx((known,) * 3)
    p, q = 20 / 80, 30 / 50
    known = (q - p) / math.sqrt((p * (1 - p) + q * (1 - q)) / 2)
    found = apart(*(of_value(part(counts), 1) for counts in ([60, 20, 9], [20, 30, 0])))
    assert (found.value, found.low, found.high) == pytest.approx((known,) * 3)


def test_where_rows_or_noise_say_nothing_there_is_none():
    some = of_number(part(powers(np.array([0.1, 0.4]))))
    assert of_number(part(powers(np.array([0.5])))) is None
    assert of_value(part([0, 0, 5]), 0) is None
    assert apart(None, some) is None
    alike = of_number(part([4, 2, 1]))
    assert apart(alike, alike) is None
    assert of_number(part([30, 3, 9], 7.0)) is None
    assert of_value(part([20, 25, 3], 7.0), 0) is None
    hardly = of_number(part([900, 9, 1.5], 7.0))  # a variance of .002, and noise of .008 in it
    assert apart(hardly, hardly) is None


def rates(n, std, runs, seed, width=0.4):
    """How often intervals hold the value of the rows, of a number and of one value of four; how often there is one."""
    draw, held = np.random.default_rng(seed), []
    for _ in range(runs):
        xs = [np.clip(draw.normal(middle, width, n), -1, 1) for middle in (-0.1, 0.2)]
        tables = [[*draw.multinomial(n, share), 0] for share in ([0.1, 0.2, 0.3, 0.4], [0.2, 0.2, 0.3, 0.3])]
        for read, rows in ((of_number, [powers(x) for x in xs]), (lambda cell: of_value(cell, 0), tables)):
            known = apart(*(read(part(one)) for one in rows)).value
            found = apart(*(read(part(one + draw.normal(0, std, len(one)), std)) for one in rows))
            held.append(math.nan if found is None else found.low <= known <= found.high)
    held = np.array(held).reshape(runs, 2)
    given = (~np.isnan(held)).sum(axis=0)
    return np.nansum(held, axis=0) / np.maximum(given, 1), given / runs


def test_with_noise_intervals_hold_what_the_rows_have():
    hold, given = rates(1000, 7.0, 400, 2)
    assert given.min() > 0.95
    assert 0.89 <= hold.min() <= hold.max() <= 0.995


@pytest.mark.slow
@pytest.mark.parametrize("std", [2.6, 7.0, 13.3])
@pytest.mark.parametrize("n", [250, 500, 2000, 10_000])
@pytest.mark.parametrize("width", [0.1, 0.4])
def test_with_noise_intervals_hold_whatever_the_rows(n, std, width):
    """Of (1, x, x^2) at epsilon 3, 1 and .5."""
    hold, given = rates(n, std, 2000, 3, width)
    assert (given < 0.5).all() or hold[given >= 0.5].min() >= 0.93
