"""Plans that judge finished models are audited as others are: right ones hold, bugs of theirs are caught by name."""

import numpy as np
import pytest

from potluck.learning.evaluation.finished import cells
from support.learning.judged import NOISE, finished, plan
from support.promises.bugs import a_share_of_noise
from support.promises.plans import broken, found

PERSON = NOISE | {"unit": "person", "rows_per_person": 2}


def made(folder, privacy=NOISE, kind="logistic"):
    data = {"data": {"person": "who"}} if privacy is PERSON else {}
    return plan(folder, [finished(kind)], word="mask", privacy=privacy, by="sex", names="abcd", **data).spec


def counted_twice(patch):
    """A row adds 1 to its bin and 1 to the next."""
    once = cells.places

    def twice(of, part, *given):
        found, width = once(of, part, *given), cells.shape(of, part)[-1]
        return np.hstack([found, found - found % width + (found + 1) % width])

    patch.setattr(cells, "places", twice)


def every_row_of_a_person(patch):
    patch.setattr(cells, "counted", lambda plan, person, index: index)


def half_noise(patch):
    a_share_of_noise(patch, 1 / 2)


@pytest.mark.parametrize(
    ("bug", "privacy", "what"),
    [
        (counted_twice, NOISE, "sensitivity: metrics"),
        pytest.param(every_row_of_a_person, PERSON, "sensitivity: metrics", marks=pytest.mark.slow),
        pytest.param(half_noise, NOISE, "noise: metrics", marks=pytest.mark.slow),
    ],
)
def test_a_bug_is_caught_by_name(bug, privacy, what, tmp_path, monkeypatch):
    spec = made(tmp_path, privacy)
    right = found(spec, what.split(":")[0], trials=20)
    assert right[what].held
    bug(monkeypatch)
    assert what in broken(spec, what.split(":")[0], trials=200)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["logistic", "linear", "trees"])
def test_a_right_evaluation_is_not_accused(kind, tmp_path):
    every = found(made(tmp_path, kind=kind), trials=500)
    assert not [name for name, one in every.items() if one.held is False]
    assert {name for name, one in every.items() if one.held} >= {"noise: metrics", "sensitivity: metrics"}
