"""How rows come to clients: each row to one, as many as said, and mixtures of classes as the papers have them."""

from math import comb

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from potluck.core.errors import UsageError
from potluck.core.seeded import generator
from potluck.learning.data.target import Goal
from potluck.simulation.splits import SPLITS, Rows, clients_of


def goal(classes):
    return Goal(column="y", side="classes", classes=tuple(map(str, range(classes))))


def rows(n, classes=10, seed=0, whose=None):
    return Rows(goal(classes), np.random.default_rng(seed).integers(0, classes, n).astype(float), whose)


def split(some, sites, word, seed=0):
    return clients_of(some, sites, word, generator(seed, "test"))


@given(st.integers(20, 300), st.integers(2, 10), st.sampled_from(["even", "shards:2", "dirichlet:0.05"]), st.integers())
def test_every_row_comes_to_one_client_and_sizes_are_even(n, sites, word, seed):
    found = split(rows(n), sites, word, seed % 1000)
    assert len(found) == sites
    assert sorted(np.concatenate(found).tolist()) == list(range(n))
    sizes = [len(one) for one in found]
    assert max(sizes) - min(sizes) <= (2 if word.startswith("shards") else 1)


def test_a_seed_gives_the_same_clients_and_another_others():
    some = rows(200)
    for word in ("even", "shards:2", "dirichlet:0.3"):
        one, same, other = (split(some, 10, word, seed) for seed in (1, 1, 2))
        assert all(np.array_equal(a, b) for a, b in zip(one, same, strict=True))
        assert not all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))


def test_two_shards_of_sorted_rows_have_few_classes():
    """McMahan et al.: most clients have rows of two classes alone; by even splits nobody has."""
    kinds = np.repeat(np.arange(10.0), 100)
    some = Rows(goal(10), np.random.default_rng(0).permutation(kinds))
    held = [len(np.unique(some.target[one])) for one in split(some, 50, "shards:2")]
    assert max(held) <= 2
    assert np.mean(held) > 1.5
    assert min(len(np.unique(some.target[one])) for one in split(some, 50, "even")) > 4


@pytest.mark.parametrize("alpha", [0.2, pytest.param(1.0, marks=pytest.mark.slow)])
def test_mixtures_are_drawn_from_the_dirichlet_distribution(alpha):
    """A client's rows of a class, of s in all, are beta-binomial (alpha, (C - 1) alpha): chi-square over 2,000 clients,
    of whom the first half draws before any class runs out. A correct program is refused once in a million seeds."""
    classes, size, sites = 4, 5, 2_000
    some = Rows(goal(classes), np.repeat(np.arange(float(classes)), 3 * size * sites // classes))
    found = split(some, 3 * sites, f"dirichlet:{alpha}")[:sites]
    counts = np.bincount([int((some.target[one] == 0).sum()) for one in found], minlength=size + 1)
    chance = stats.betabinom(size, alpha, (classes - 1) * alpha).pmf(np.arange(size + 1))
    assert stats.chisquare(counts, chance * sites).pvalue > 1e-6
    other = stats.betabinom(size, 2 * alpha, 2 * (classes - 1) * alpha).pmf(np.arange(size + 1))
    assert stats.chisquare(counts, other * sites).pvalue < 1e-6  # it would be told from twice the number


def test_a_client_that_asks_for_what_is_gone_gets_what_is_left():
    kinds = np.concatenate([np.zeros(3), np.ones(97)])
    found = split(Rows(goal(2), kinds), 10, "dirichlet:0.001")
    assert [len(one) for one in found] == [10] * 10


def test_natural_clients_are_values_and_sites_are_sites():
    whose = np.array([2, 0, 2, 1, 0, 2])
    some = Rows(goal(2), np.zeros(6), whose)
    assert [one.tolist() for one in split(some, None, "natural:writer")] == [[1, 4], [3], [0, 2, 5]]
    assert [one.tolist() for one in split(some, 3, "sites")] == [[1, 4], [3], [0, 2, 5]]
    chosen = {tuple(map(tuple, split(some, 2, "natural:writer", seed))) for seed in range(50)}
    assert len(chosen) == comb(3, 2)


@pytest.mark.parametrize(
    ("sites", "word", "said"),
    [
        (101, "even", "101 clients and 100 training rows"),
        (51, "shards:2", "each needs 2 at least"),
        (10, "dirichlet:0", "takes a number above 0"),
        (10, "dirichlet:-1", "takes a number above 0"),
        (10, "dirichlet:inf", "takes a number above 0"),
        (10, "dirichlet", "takes a number above 0"),
        (10, "shards:1.5", "takes a whole number"),
        (10, "even:3", "takes nothing behind a colon"),
        (10, "fair", "known: even, shards, dirichlet, natural, sites"),
        (None, "even", "how many clients"),
        (5, "natural:writer", "the split finds 4"),
        (10, "natural", "takes a column"),
    ],
)
def test_what_cannot_be_split_is_refused(sites, word, said):
    with pytest.raises(UsageError, match=said):
        split(rows(100, whose=np.repeat(np.arange(4), 25)), sites, word)


@pytest.mark.parametrize("word", ["shards:2", "dirichlet:1"])
def test_a_number_has_no_classes(word):
    number = Rows(Goal(column="y", side="number", low=0.0, high=1.0), np.zeros(50))
    with pytest.raises(UsageError, match="goes by classes"):
        split(number, 5, word)


def test_the_table_has_the_splits_of_the_reference():
    assert SPLITS.words() == ("even", "shards", "dirichlet", "natural", "sites")
