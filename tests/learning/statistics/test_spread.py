"""Counts spread over places: the sensitivity that is claimed is that of every row, and running totals come back."""

import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from potluck.core.asks import Kind
from potluck.core.fixed import decode
from potluck.core.plan import PrivacyPlan, Statistic
from potluck.core.rounds import Abort
from potluck.dp.mechanism import mechanism
from potluck.learning.data.table import read
from potluck.learning.loops import build
from potluck.learning.statistics.kinds import KINDS
from potluck.learning.statistics.kinds.histogram import HISTOGRAM
from potluck.learning.statistics.spread import Spread, root
from potluck.secret.random import system
from support.learning.sums import category, frames, number, replaced, stats, summed

BINS = 20
NORM = root(BINS).norm


@pytest.mark.parametrize(
    ("size", "squares", "norm"),
    [(26, 136833, 1.444959), (32, 141052, 1.467066), (52, 150827, 1.517049), (64, 154937, 1.537580),
     (256, 181755, 1.665341), (1024, 206112, 1.773420)],
)  # fmt: skip
def test_the_first_column_is_the_floored_square_root_of_adding_up(size, squares, norm):
    """Squares and norms as a separate program found them: c_k = c_{k-1} (2k-1) / 2k, cut off to 1/256."""
    spread = root(size)
    assert (spread.squares, spread.norm) == (squares, pytest.approx(norm, abs=1e-6))
    exact = np.cumprod([1.0, *((2 * k - 1) / (2 * k) for k in range(1, size))])
    assert np.array_equal(spread.column, np.floor(exact * 256 + 1e-9))


@pytest.mark.parametrize(("column", "parts"), [((3, 1), 3), ((1, 1), 2), ((0, 1), 0)])
def test_parts_that_no_grid_holds_are_refused(column, parts):
    with pytest.raises(ValueError, match="power of two"):
        Spread(column, parts)


@given(st.lists(st.lists(st.integers(0, 10**6), min_size=40, max_size=40), min_size=1, max_size=3))
def test_running_totals_come_back_and_a_row_adds_its_column(counts):
    spread = root(40)
    steps = np.reshape(spread.steps([one for block in counts for one in block]), (-1, 40))
    by_hand = [[sum(block[b] * spread.column[i - b] for b in range(i + 1)) for i in range(40)] for block in counts]
    assert steps.tolist() == by_hand
    assert np.allclose(spread.cumulated(steps / 256), np.cumsum(counts, axis=1), rtol=1e-9, atol=1e-6)


@pytest.mark.parametrize("size", [17, 256])
def test_noise_in_running_totals_is_what_reach_says(size):
    spread = root(size)
    noise = np.random.default_rng(3).normal(size=(4000, size))
    found = spread.cumulated(noise).std(axis=0)
    assert np.allclose(found, np.sqrt(np.cumsum(spread.reach**2)), rtol=0.06)
    assert found.max() < math.sqrt(size) / 1.5  # what counts alone would leave at the end is sqrt(size)


def spread_plan(unit="row", **more):
    columns = {"x": number(0, BINS), "g": category("a", "b")}
    asked = (Statistic(name="h", kind="histogram", column="x", bins=BINS, by="g"), Statistic(name="n", kind="count"))
    privacy = PrivacyPlan(noise="shared", unit=unit, epsilon=1.0, delta=1e-5, **more)
    spec = stats(columns, *asked, privacy=privacy)
    return replaced(spec, data=replaced(spec.data, person="who"))


def spreading(monkeypatch, norm=NORM):
    kind = replace(HISTOGRAM, spread=lambda plan, one: root(one.bins), norm=lambda plan, one: norm)
    monkeypatch.setitem(KINDS.entries, "histogram", kind)


ROWS = pd.DataFrame({"x": [0.0, 0.5, 19.99, 20.0, 7.0, 99.0], "g": list("ababcz"), "who": [1, 1, 2, 2, 2, 3]})


@pytest.mark.parametrize(("unit", "most"), [("row", 1), ("person", 2)])
def test_no_unit_adds_more_than_the_sensitivity_and_all_lies_on_the_grid(unit, most, monkeypatch):
    spreading(monkeypatch)
    spec = spread_plan(unit, **({"rows_per_person": most} if unit == "person" else {}))
    task = build(spec)
    ask = task.ask(Kind.STATISTICS, 0, b"")
    block, grid = ask.blocks[0], mechanism(spec, ask).grid
    assert (block.parts, block.single, block.l2) == (256, False, pytest.approx(most * root(BINS).norm))
    assert float.is_integer(1 / (256 * grid.parts[0].step))
    units = [ROWS.iloc[[i]] for i in range(6)] if unit == "row" else [one for _, one in ROWS.groupby("who")]
    total = np.zeros(block.size)
    for unit_rows in units:
        (given,) = task.contribute(ask, read(unit_rows, spec, "a"), system)
        added = summed(given, ask)[: block.size]
        assert np.linalg.norm(added) <= block.l2 * (1 + 1e-12)
        assert np.abs(added).max() <= block.high
        total += added
    (given,) = task.contribute(ask, read(ROWS, spec, "a"), system)
    bound = mechanism(spec, ask)
    assert np.array_equal(decode(given.encode(grid, bound.limit).words, grid)[: block.size], total)


def test_a_norm_that_is_too_small_stops_the_site(monkeypatch):
    for norm, stops in ((NORM, False), (NORM * 0.999, True)):
        spreading(monkeypatch, norm)
        spec = spread_plan()
        task = build(spec)
        ask = task.ask(Kind.STATISTICS, 0, b"")
        bound = mechanism(spec, ask)
        (given,) = task.contribute(ask, frames(spec, ROWS)["a"], system)
        if stops:
            with pytest.raises(Abort, match="beyond its bound"):
                given.encode(bound.grid, bound.limit)
        else:
            given.encode(bound.grid, bound.limit)
