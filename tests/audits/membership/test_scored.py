"""Scores are counted as scikit-learn does, and chance is what comes of sharing out the two kinds in every way."""

from itertools import combinations

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score, roc_curve

from potluck.audits.membership.scored import Scores


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
