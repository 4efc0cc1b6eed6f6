"""Whoever makes a finished model chooses the question: a tree can put one person alone into a bin of scores."""

import numpy as np
import pytest
from scipy import stats

from potluck.drivers.memory import Memory
from potluck.learning.evaluation.finished.task import EvaluateTask
from potluck.learning.models.boosted.forest import Forest, Tree
from potluck.learning.models.model import Model
from potluck.tasks.sums.local import here
from potluck.tasks.sums.together import by_hand
from support.learning.judged import NOISE, finished, plan, sites

VICTIM = 17
"""A row of site a, of whom the attacker knows the columns and wants to know the side."""


def aimed(row):
    """A tree whose one leaf holds this row alone: all others score below one half."""
    other = finished()
    at, wide = {"n": float(row["n"]) / 5 - 1, "m": float(row["m"]) / 5}, 1e-4
    first = Tree(
        features=("n", "n", "m", "n", "n", "m", "m"),
        cuts=(at["n"] - wide, 2.0, at["m"] - wide, 2.0, 2.0, 2.0, at["m"] + wide),
        leaves=(-1.0, -1.0, -1.0, -1.0, -1.0, -1.0, 1.0, -1.0),
    )
    above = Tree(features=("n",), cuts=(at["n"] + wide,), leaves=(0.0, -4.0))
    return Model("trees", other.encoding, other.target, np.zeros(0), forest=Forest(first=0.0, trees=(first, above)))


def guesses(folder, privacy, times=1):
    """Whether the victim is positive, guessed from the sum, so many times; and the truth."""
    frames = sites()
    row = frames["a"].iloc[VICTIM]
    played = here(plan(folder, [aimed(row)], word="mask", privacy=privacy, bins=2), frames)
    task, memory = EvaluateTask(played.spec), Memory(played.spec.sites, bytes(32))
    found = [by_hand(played.spec, task, played.rows, memory).models[0] for _ in range(times)]
    said = [one.confusion.counts[1][1] > one.confusion.counts[0][1] for one in found]
    return found, said, bool(row["y"])


def test_exact_counts_say_the_side_of_one_person(tmp_path):
    """The control: so it is without noise, under whatever protection. `allow.min_cell` refuses it at the site
    (`tests/parties/runners/test_evaluate_across.py`)."""
    found, (said,), true = guesses(tmp_path, {"noise": "none"})
    assert found[0].confusion.counts[0][1] + found[0].confusion.counts[1][1] == 1
    assert said == true


@pytest.mark.slow
def test_with_noise_a_guess_is_hardly_better_than_a_coin(tmp_path):
    """Two counts of which one is 1, each with noise of some four: right in about 57 of 100 guesses, and in no more than
    e / (1 + e) and delta allow at epsilon 1."""
    times = 400
    _, said, true = guesses(tmp_path, NOISE, times)
    right = sum(one == true for one in said)
    assert right <= stats.binom.isf(1e-6, times, np.e / (1 + np.e) + 1e-5)
    assert right <= stats.binom.isf(1e-6, times, 0.6)
