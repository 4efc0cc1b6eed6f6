"""A guess counts where slopes match and it is nearer than what knows nothing of a row: not where rows are corners."""

from types import SimpleNamespace

import numpy as np
import pytest

from potluck.audits.rows import GOOD, LEVEL, WIDTH, Likeness, blind, decibels


def site(rows, target=None):
    return SimpleNamespace(rows=rows, target=np.zeros(len(rows)) if target is None else target, train=slice(None))


def judged(guesses, distance, **rows):
    guess = Likeness(frozenset("a"), guesses, lambda table: table.rows, distance)
    return guess.judged({name: site(some) for name, some in rows.items()})


def corners(draw, rows, wide):
    return draw.integers(2, size=(rows, wide)) * 2.0 - 1


def test_rows_that_are_found_count_where_their_slopes_match():
    draw = np.random.default_rng(0)
    rows = draw.uniform(-1, 1, (8, 3))
    found = judged(rows[::-1] + 1e-6, 1e-10, a=rows, b=draw.uniform(-1, 1, (8, 3)))
    assert found.succeeded
    assert found.words.startswith("8 of 8 rows of site a")
    lost = judged(rows[::-1] + 1e-6, 1.0, a=rows)
    assert lost.succeeded is False
    assert "slopes differ by 1, so that what is near is luck" in lost.words


def test_clamped_corners_that_rows_lie_on_are_no_find():
    """As of a record with noise: six of eight rows were equal to a corner."""
    draw = np.random.default_rng(1)
    rows, guesses = corners(draw, 8, 2), corners(draw, 8, 2)
    assert (decibels(rows, guesses) > 200).sum() >= 6
    for others in ({}, {"b": corners(draw, 8, 2)}):
        it = judged(guesses, 0.0, a=rows, **others)
        assert it.succeeded is False
        assert "a guess says one of theirs 8 of 8 times, and a blind one 100% of times" in it.words
    wide = corners(draw, 8, 40)  # which no lost search hits
    assert judged(wide, 0.0, a=wide, b=corners(draw, 8, 40)).succeeded


def test_what_the_mean_of_a_class_or_a_row_elsewhere_tells_is_no_find():
    draw = np.random.default_rng(2)
    rows = 0.3 + draw.uniform(-0.01, 0.01, (8, 20))
    assert (decibels(rows, rows.mean(axis=0)[None]) > GOOD).all()
    assert judged(rows.mean(axis=0)[None], 0.0, a=rows).succeeded is False
    apart = draw.uniform(-1, 1, (3, 20))
    assert judged(apart, 0.0, a=apart, b=apart[::-1]).succeeded is False
    assert judged(apart, 0.0, a=apart, b=draw.uniform(-1, 1, (3, 20))).succeeded


@pytest.mark.slow
@pytest.mark.parametrize("wide", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_guesses_of_nothing_succeed_as_rarely_as_is_said(wide):
    """At matching slopes: 1,000 sets of guesses, of which .01 may succeed, and four or more once in 1e9."""
    draw, came, near = np.random.default_rng(3), 0, 0
    for number in range(1000):
        rows = draw.uniform(-1, 1, (4, wide)) if number % 2 else corners(draw, 4, wide)
        guesses = np.where(draw.random((4, wide)) < 0.5, corners(draw, 4, wide), draw.uniform(-1, 1, (4, wide)))
        near += (decibels(rows, guesses) >= GOOD).any()
        came += judged(guesses, 0.0, a=rows).succeeded
    assert came < 4
    assert near > 20  # rows to the eye


def test_the_bound_on_guesses_of_nothing_holds_and_is_not_loose():
    """Beside 400,000 of them."""
    draw = np.random.default_rng(4)
    for row, near in ((np.array([0.2, -1.0]), 20.0), (np.array([-1.0, 1.0, 1.0]), 60.0), (np.full(5, 0.5), 8.0)):
        some = draw.uniform(-1, 1, (400_000, len(row)))
        kind = draw.integers(3, size=some.shape)
        some = np.where(kind == 0, -1.0, np.where(kind == 1, 1.0, some))
        came = (10 * np.log10(WIDTH**2 / np.maximum(np.square(some - row).mean(axis=1), 1e-20)) >= near).mean()
        assert came <= blind(row, near) <= 12 * came
    assert blind(np.full(64, -1.0), 200.0) < 1e-30 < LEVEL
