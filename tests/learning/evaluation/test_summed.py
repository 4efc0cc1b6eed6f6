"""Sums of rows that lose less than a step in all, whatever the rows are and in whatever order they come."""

import math

import numpy as np
import pytest

from potluck.core.fixed import decode
from potluck.core.rounds import Abort, Cause
from potluck.core.stages import Clip, Grid, GridBlock, Range
from potluck.learning.evaluation.summed import Summed

STEP = 2.0**-20
GRID = Grid((GridBlock("a", 2, STEP, 1e6), GridBlock("b", 1, 1.0, 1e6)), 64)
LIMIT = Range((4.0, 1.0))


def encoded(values, index=None):
    return Summed(np.arange(len(values)) if index is None else index, 3, lambda some: values[some]).encode(GRID, LIMIT)


@pytest.mark.parametrize("scale", [4.0, 1e-3, 1e-9])
def test_a_site_loses_less_than_a_step_in_all(scale):
    draw = np.random.default_rng(1)
    values = np.column_stack([draw.uniform(0, scale, 50_000), draw.uniform(-scale, scale, 50_000), np.ones(50_000)])
    found = decode(encoded(values).words, GRID)
    exact = np.array([math.fsum(column) for column in values.T])
    assert np.abs(found - exact)[:2].max() < STEP * (1 + 50_000 * 2.0**-30)
    assert found[2] == 50_000
    one_by_one = (np.trunc(values / [STEP, STEP, 1]) * [STEP, STEP, 1]).sum(axis=0)
    assert abs(one_by_one - exact)[0] > 1000 * STEP or scale < STEP  # what this is for


def test_rows_in_any_order_give_the_same_words():
    values = np.random.default_rng(2).normal(0, 0.5, (300_000, 3)).clip(-1, 1)
    order = np.random.default_rng(3).permutation(len(values))
    assert np.array_equal(encoded(values).words, encoded(values, order).words)


@pytest.mark.parametrize("wrong", [4.1, -4.1, np.nan, np.inf])
def test_a_row_beyond_its_range_stops_the_site(wrong):
    values = np.zeros((5, 3))
    values[3, 1] = wrong
    with pytest.raises(Abort) as stop:
        encoded(values)
    assert stop.value.cause is Cause.RANGE


def test_it_is_not_for_noise():
    with pytest.raises(ValueError, match="nothing is clipped"):
        Summed(np.arange(1), 3, lambda some: np.zeros((1, 3))).encode(GRID, Clip((1.0, 1.0)))
