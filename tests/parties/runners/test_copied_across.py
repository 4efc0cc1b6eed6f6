"""A coordinator whose journal was put back from a copy: what it does not know, the sites do."""

import contextlib
import sqlite3

import pytest

from potluck.core.errors import Refused
from potluck.core.party import site
from potluck.core.rounds import Abort
from potluck.drivers.sums import Sums
from potluck.learning.loops import build
from potluck.owner.budget import Budget
from potluck.parties.admission import tries
from potluck.parties.admission.proposal import first_sum
from potluck.parties.runners.journal import LOST, Journal
from support.parties import scene
from support.parties.across import quick

RUN = "ab" * 16
SUMS = 4
"""Of the scene's plan."""


def put_back(fed, plan, first, more):
    """A run makes `first` sums, is copied, makes `more` of them and begins another; then there is only the copy."""
    path, kept = fed.folder / f"{RUN}.sqlite", fed.folder / "kept"
    with fed.coordinator(plan, RUN) as (coordinator, journal):
        coordinator.gather()
        sums = Sums(plan, coordinator, store=journal)
        steps = build(plan).lead()
        ask = next(steps)
        for _ in range(first):
            ask = steps.send(sums(ask))
        with contextlib.closing(sqlite3.connect(path)) as db, contextlib.closing(sqlite3.connect(kept)) as copy:
            db.backup(copy)
        for _ in range(more):
            ask = steps.send(sums(ask))
        journal.begin(ask)
    for rest in fed.folder.glob(f"{RUN}.sqlite*"):
        rest.unlink()
    kept.rename(path)


def behind(fed):
    return [text for event, text in fed.said if event == "behind"]


def test_no_number_is_taken_again_and_the_model_is_the_same_bit_for_bit(fed):
    plan = quick(scene.plan())
    with fed.attending(*"abcd"):
        put_back(fed, plan, first=1, more=2)
        outcome, log = fed.run(plan)
    assert [one.number for one in log.rounds] == [1, 4, 5, 6]
    assert outcome.model.digest() == scene.Scene(scene.plan()).run().model.digest()
    assert len(behind(fed)) == 1
    with contextlib.closing(Journal(fed.folder / f"{RUN}.sqlite", plan)) as journal:
        assert [one["number"] for one in journal.rounds() if one["cause"] == LOST] == [2, 3]
    for name in "abcd":
        with Budget(fed.home(name).ledger) as ledger:
            keys = [key for _, key, _ in ledger.facts(f"round/{RUN}/")]
        assert sorted(int(key.rpartition("/")[2]) for key in keys) == [1, 2, 3, 4, 5, 6]


def test_a_journal_that_is_no_copy_is_behind_nobody(fed):
    """The control. The fourth round was begun, and nothing of it had left."""
    plan = quick(scene.plan())
    with fed.attending(*"abcd"):
        put_back(fed, plan, first=3, more=0)
        _, log = fed.run(plan)
    assert not behind(fed)
    assert [one.number for one in log.rounds] == [1, 2, 3, 4]


@pytest.mark.slow
def test_with_noise_a_lost_round_is_one_that_the_plan_must_have_paid_for(fed):
    plan = quick(scene.plan(privacy=scene.SHARED | {"redo": 1}))
    with fed.attending(*"abcd"):
        put_back(fed, plan, first=2, more=1)
        fed.run(plan)
    assert set(releases(fed)) == {SUMS + 1}


@pytest.mark.slow
def test_with_noise_no_round_begins_after_a_release_that_is_gone(fed):
    """Sites have begun a step with it: it can be had no second time, and nothing more is charged in vain."""
    plan = quick(scene.plan(privacy=scene.SHARED | {"redo": 2}))
    with fed.attending(*"abcd"):
        put_back(fed, plan, first=1, more=2)
        with pytest.raises(Refused, match=r"a noised release is gone.*sites have begun train/2 with it") as caught:
            fed.run(plan)
    assert "--fresh" in caught.value.hint
    assert set(releases(fed)) == {3}


def releases(fed):
    for name in "abcd":
        with Budget(fed.home(name).ledger) as ledger:
            (run,) = ledger.history()
        assert run.epsilon <= scene.SHARED["epsilon"] * (1 + 1e-9)
        yield run.releases


def test_a_site_that_claims_what_no_run_has_is_not_believed(tmp_path):
    """Nor one that says it again and again, or of a step that no plan has: it does not fill the server's disk."""
    with contextlib.closing(Journal(tmp_path / "j.sqlite", scene.plan().spec)) as journal:
        most = tries.TRIES * SUMS
        for begun, step in ((2**40, "train/1"), (most + 1, "train/1"), (1, "train/3"), (1, "no/step"), (1, "")):
            with pytest.raises(Abort, match="malformed"):
                journal.caught_up(site("a"), begun, step)
        assert journal.rounds() == []
        assert journal.caught_up(site("a"), 0, "") == 0
        assert journal.caught_up(site("a"), most, "train/2") == most  # the control
        with pytest.raises(Abort, match="malformed"):
            journal.caught_up(site("a"), 2 * most, "train/2")
        assert len(journal.rounds()) == most


def test_the_word_of_those_who_may_lie_ends_no_run_with_noise(tmp_path):
    spec = scene.plan(privacy=scene.SHARED).spec
    assert spec.federation.corrupt == 1
    with contextlib.closing(Journal(tmp_path / "j.sqlite", spec)) as journal:
        assert journal.caught_up(site("a"), 3, "train/2") == 3
        assert journal.unopened() == 0
        assert journal.begin(first_sum(spec)) == 4  # its number is skipped, and nothing else follows
        assert journal.caught_up(site("b"), 2, "train/1") == 0
        assert journal.unopened() == 0  # b's is an older word than the server's own round
    with contextlib.closing(Journal(tmp_path / "k.sqlite", spec)) as journal:
        assert (journal.caught_up(site("a"), 3, "train/2"), journal.caught_up(site("b"), 2, "train/1")) == (3, 0)
        assert journal.unopened() == 2  # the control: what two say, one of whom is honest
        with pytest.raises(Refused, match="sites have begun train/1 with it"):
            journal.begin(first_sum(spec))
