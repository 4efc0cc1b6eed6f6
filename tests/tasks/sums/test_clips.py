"""Clips that are short beside a network's first gradients: norms against torch's own, and when one is named."""

from importlib.util import find_spec

import numpy as np
import pytest

if find_spec("torch") is None:
    pytest.skip("the networks extra is missing", allow_module_level=True)


import potluck
from potluck.learning import made_up
from potluck.learning.data.encode import encoding
from potluck.learning.data.table import Table
from potluck.learning.data.target import goal_of
from potluck.tasks.sums.clips import DRAWS, norms
from support.graph import hidden

pytestmark = pytest.mark.torch


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return hidden.made(tmp_path_factory.mktemp("graphs"), "perceptron")


def named(plan):
    return [line for line in potluck.check(plan).warnings if line.startswith("privacy.clip")]


def test_norms_are_those_that_torch_finds_of_the_same_rows(made):
    spec = hidden.plan(made[1], batch=20, data={"max_rows": 4000}).spec
    goal, how, count = goal_of(spec), encoding(spec), DRAWS * made_up.BATCH
    features = np.concatenate([made_up.features(how, batch) for batch in range(DRAWS)])
    target = np.concatenate([made_up.targets(goal, batch) for batch in range(DRAWS)])
    assert 0.3 < target.mean() < 0.7
    assert np.abs(features).max() > 0.9
    table = Table(features, target, None, np.zeros(count, bool), {}, ())
    wanted = np.linalg.norm(hidden.gradients(made[0], table), axis=1)
    assert np.sort(norms(spec, goal)) == pytest.approx(np.sort(wanted), rel=1e-4)  # slots mix them


def test_a_short_clip_is_named_where_noise_is_far_below_gradients(made):
    def of(clip, epsilon=8.0, **more):
        keys = {"rounds": 40, "expected_rows": 30_000, "data": {"max_rows": 20_000}} | more
        privacy = {"clip": clip, "epsilon": epsilon} | keys.pop("privacy", {})
        return hidden.plan(made[1], privacy=privacy, **keys)

    usual = float(np.median(norms(of(1.0).spec, goal_of(of(1.0).spec))))
    (line,) = named(of(0.3))
    assert f"longer than {usual:.2g} at the first model" in line
    best = float(line.rpartition("hint: ")[2])
    assert 4 * usual <= best <= 8 * usual
    assert named(of(best)) == named(of(2.1 * usual)) == []
    assert named(of(0.3, 0.02, expected_rows=2000)) == []  # a longer clip would have more noise than it is worth
    assert named(of(0.3, privacy={"clip_follows": "median"})) == []
    person = {"unit": "person", "rows_per_person": 3, "evaluation": 1.0}
    assert named(of(0.3, privacy=person, data={"person": "who", "max_rows": 20_000})) == []
