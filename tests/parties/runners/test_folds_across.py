"""Cross-validation across machines: whoever is killed in a fold, the run goes on there and comes to the same."""

import pytest

from potluck.drivers.sums import Sums, drive
from potluck.learning.loops import build
from support.parties import across, scene
from support.parties.across import Across, quick

RUN, FOLDS, ROUNDS = "ab" * 16, 2, 3


class Died(Exception):
    pass


def plan():
    """Scaffold: what sites keep of a training is of that one."""
    how = {"method": "average", "rounds": ROUNDS, "rate": 0.3, "steps": 5, "batch": 8, "local": "scaffold"}
    return scene.plan(word="mask").set("training", how).set("evaluate", {"folds": FOLDS})


@pytest.mark.slow
def test_all_are_other_processes_in_the_middle_of_the_second_fold(tmp_path):
    fed, spec = Across(across.found(tmp_path / "f")), quick(plan())

    def until(ask):
        if (ask.fold, ask.step) == (2, 2 * ROUNDS + 1):
            raise Died

    with fed.attending(*"abcd"), fed.coordinator(spec, RUN) as (coordinator, journal):
        coordinator.gather()
        sums = Sums(spec, coordinator, store=journal, repeats=3, progress=until)
        with pytest.raises(Died):
            drive(build(spec), sums)
        done = [one.number for one in sums.log.rounds]
    with fed.attending(*"abcd"):
        outcome, log = fed.run(spec, RUN)
    together = scene.Scene(plan()).run()
    assert outcome.model.digest() == together.model.digest()
    assert (outcome.metrics, outcome.folds) == (together.metrics, together.folds)
    assert [one.number for one in log.rounds[: len(done)]] == done  # none of them was done again
    assert [one.ask.fold for one in log.rounds] == [0] * 4 + [1] * 4 + [2] * 4
    steps = {(one.ask.kind, one.ask.step) for one in log.rounds}
    assert len(steps) == len(log.rounds)
