"""Votes across machines: the same end as in one process, told to every owner, and taken from the journal again."""

import pytest

from potluck.core.party import site
from potluck.core.rounds import Cause
from potluck.drivers.sums import Sums, drive
from potluck.learning.loops import build
from potluck.learning.voting import Vote
from potluck.owner.access import read as read_log
from support.learning.lying import lying
from support.parties import across, scene
from support.parties.across import Across, quick

RUN, SINCE, TIMES = "ab" * 16, 2, -300.0


def plan():
    made = scene.plan(server="curious", dropouts=0).set("data.split", {"test": 0.3, "validation": 0.3})
    training = {"method": "average", "rounds": 4, "rate": 0.5, "batch": 8, "range": 1000.0, "vote": {}}
    return made.set("training", training)


@pytest.fixture
def fed(tmp_path):
    return Across(across.found(tmp_path / "f"))


@pytest.fixture(scope="module")
def together():
    """What comes of it in one process, where b lies."""
    with lying("b", TIMES, SINCE):
        return scene.Scene(plan()).run()


def test_a_liar_is_voted_down_and_every_owner_is_told(fed, together):
    with lying("b", TIMES, SINCE), fed.attending(*"abcd"):
        outcome, log = fed.run(quick(plan()), RUN)
    assert outcome.model.digest() == together.model.digest()
    assert outcome.votes == together.votes
    assert outcome.back == together.back
    assert outcome.back.kept == SINCE
    assert [one.dropped for one in log.rounds] == [{}] * len(log.rounds)
    for name in "abcd":
        ended = [(one.round, one.why) for one in read_log(fed.home(name).access).entries if one.outcome == "aborted"]
        assert ended == [(SINCE + 2, (Cause.VOTED.value,))]
        assert any("of 4 sites found the model worse (" in line for line in fed.heard[name])
        (end,) = [one.why for one in read_log(fed.home(name).access).entries if one.event == "end"]
        assert any(f"voted down that of round {SINCE + 1}" in line for line in end)


@pytest.mark.slow
def test_a_server_that_died_after_a_vote_comes_to_the_same_from_its_journal(fed, together):
    """Once between two votes, once after the one that ended the training: no vote is cast again."""
    spec = quick(plan())

    class Died(Exception):
        pass

    def until(count):
        def progress(ask):
            nonlocal count
            count -= 1
            if count < 0:
                raise Died

        return progress

    with lying("b", TIMES, SINCE), fed.attending(*"abcd"):
        for count in (2, SINCE + 2):
            with fed.coordinator(spec, RUN) as (coordinator, journal):
                coordinator.gather()
                sums = Sums(spec, coordinator, store=journal, repeats=3, progress=until(count))
                with pytest.raises(Died):
                    drive(build(spec), sums)
        outcome, log = fed.run(spec, RUN)
    assert (outcome.model.digest(), outcome.votes, outcome.back) == (
        together.model.digest(),
        together.votes,
        together.back,
    )
    assert [one.number for one in log.rounds] == list(range(1, len(log.rounds) + 1))
    assert isinstance(outcome.votes[0], Vote)
    assert site("b").name not in outcome.votes[0].against
