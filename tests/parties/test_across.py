"""Runs across machines, with the network in memory: the same sums as in one process, whatever happens on the way."""

import across
import pytest
import scene
from across import Across, quick


@pytest.fixture(scope="module")
def founded(tmp_path_factory):
    return across.found(tmp_path_factory.mktemp("federation"))


@pytest.fixture
def fed(founded, tmp_path):
    return Across(across.copy(founded, tmp_path / "f"))


def in_one_process(plan):
    return scene.Scene(plan).run().model.digest()


@pytest.mark.parametrize("word", ["clear", "mask"])
def test_the_model_is_the_one_of_a_run_in_one_process(fed, word):
    plan = scene.plan(word=word)
    with fed.attending(*"abcd"):
        outcome, log = fed.run(quick(plan))
    assert outcome.model.digest() == in_one_process(scene.plan(word=word))
    assert [one.number for one in log.rounds] == [1, 2, 3, 4]
    assert all(not one.dropped for one in log.rounds)
