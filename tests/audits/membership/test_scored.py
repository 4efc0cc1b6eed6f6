"""Scores are counted as scikit-learn does, and chance is what comes of sharing out the two kinds in every way."""

from itertools import combinations

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score, roc_curve

from potluck.audits.membership.scored import ALARM, Scores, forbidden, judged
from support.audits.wide import plan


def drawn(seed, shift=0.5, members=70, others=230, digits=6):
    draw = np.random.default_rng(seed)
    return Scores(draw.normal(shift, 1, members).round(digits), draw.normal(0, 1, others).round(digits))


@pytest.mark.parametrize("digits", [6, 0])
@pytest.mark.parametrize("alarm", [0.01, 0.05, 0.2])
def test_what_is_caught_and_the_area_are_as_of_a_curve(digits, alarm):
    for seed in range(5):
        it = drawn(seed, digits=digits)
        true = np.repeat([1, 0], [len(it.members), len(it.others)])
        found = np.concatenate([it.members, it.others])
        false, caught, _ = roc_curve(true, found, drop_intermediate=False)
        assert it.caught(alarm) == pytest.approx(caught[false <= alarm].max())
        assert it.auc == pytest.approx(roc_auc_score(true, found))


def test_chance_is_the_share_of_all_ways_to_share_out_the_scores():
    values = np.arange(12.0)
    above = []
    for place in combinations(range(12), 5):
        inside = np.isin(np.arange(12), place)
        above.append(Scores(values[inside], values[~inside])._above(0.01))
    above = np.array(above)
    for many in range(1, 6):  # the area says nothing where the rest of the members score lowest
        inside = np.r_[np.arange(5 - many), np.arange(12 - many, 12)]
        it = Scores(values[inside], np.delete(values, inside))
        assert it._above(0.01) == many
        assert it.chance <= 2 * np.mean(above >= many) + 1e-12
    best = Scores(values[7:], values[:7])
    assert best.chance == pytest.approx(2 / len(above))


def test_shared_out_by_coins_scores_say_no_more_than_chance():
    draw, least = np.random.default_rng(0), []
    found = np.concatenate([draw.normal(0, 1, 150), draw.normal(0, 5, 50)])
    for _ in range(400):
        inside = draw.permutation(200) < 100
        least.append(Scores(found[inside], found[~inside]).chance)
    # Of 400 at most 20 on average: more than 46 come less than once in a million times, and so do more than 7 of 0.4.
    assert np.sum(np.array(least) <= 0.05) <= 46
    assert np.sum(np.array(least) <= 0.001) <= 7


def test_of_a_hundred_named_as_many_are_right_as_bayes_says():
    it = Scores(np.r_[np.full(20, 5.0), np.zeros(80)], np.r_[6.0, np.zeros(99)])
    assert it.caught() == 0.2
    assert it.right == pytest.approx(0.2 / 0.21)
    assert Scores(np.zeros(50), np.zeros(50)).right == 0.5


NOISE = {"noise": "site", "unit": "row", "epsilon": 0.5, "delta": 1e-5, "clip": 1.0}


def noised(**more):
    return plan(privacy=NOISE | more, method="gradient", expected_rows=30).spec


def told(found, spec, times=1, level=1e-4):
    return judged(found, frozenset({"a"}), spec, level, "was trained on", "by a test", times)


def test_of_many_rows_told_apart_whole_the_chance_is_less_than_is_said():
    """As a float it is 0."""
    it = Scores(np.ones(2000), np.zeros(1000))
    assert it.chance == 0.0
    words = judged(it, frozenset({"a"}), plan().spec, 1e-4, "was trained on", "by a test").words
    assert "less than once in 1,000,000 runs" in words


def test_what_epsilon_forbids_is_named_where_it_was_done():
    """Kairouz, Oh, Viswanath 2015: true positives are at most e^epsilon false ones and delta."""
    assert forbidden(plan().spec, 1) is None
    assert forbidden(noised(), 1) == pytest.approx(np.exp(0.5) * ALARM + 1e-5)
    twice = np.exp(0.5) * (np.exp(0.5) * ALARM + 1e-5) + 1e-5  # out of two rows one after the other
    assert forbidden(noised(), 2) == pytest.approx(twice)
    assert forbidden(noised(), 10**6) == 1.0
    found = Scores(np.r_[np.full(20, 5.0), np.zeros(180)], np.zeros(200))
    assert "epsilon 0.5 for each row" in told(found, noised()).words
    assert "no more than 1.65 % on average" in told(found, noised()).words
    assert "epsilon" not in told(found, noised(epsilon=3.0)).words
    assert "epsilon" not in told(found, noised(), times=5).words
    assert "epsilon" not in told(found, plan().spec).words


@pytest.mark.parametrize(("high", "said"), [(0, False), (3, False), (12, None), (22, True)])
def test_a_chance_that_says_a_little_decides_nothing(high, said):
    """Of 100 and 100, of which so many members stand above all others: the more, the rarer."""
    values = np.linspace(0, 1, 100)
    it = Scores(np.r_[values[high:], np.full(high, 2.0)], values)
    assert (it.chance < 1e-4, it.chance < 0.01) == (said is True, said is not False)
    verdict = told(it, plan().spec)
    assert verdict.succeeded is said
    assert ("less than once in 10,000" in verdict.words) is (said is None)
