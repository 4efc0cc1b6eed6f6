"""What sites keep between rounds, across machines: every process that comes after goes on from it, or the run ends."""

import json
import time

import pytest

from potluck.api.network.holdings import forget, holdings
from potluck.core.errors import UsageError
from potluck.core.party import site
from potluck.core.rounds import Abort, Cause
from potluck.drivers.sums import Sums
from potluck.learning.loops import build
from potluck.learning.models.model import Model
from potluck.owner.access import read as read_log
from potluck.tasks.own import with_own
from support.parties import scene
from support.parties.across import quick

RUN = "ab" * 16


def plan(word="mask", **training):
    how = {"method": "average", "rounds": 3, "rate": 0.3, "steps": 5, "batch": 8, "local": "scaffold", **training}
    return scene.plan(word=word).set("training", how)


def kept(fed, name="a"):
    return sorted(one.name for one in (fed.folder / name / "rounds").glob("*/*"))


def rounds(fed, made, count, begin=False):
    """A server asks for so many sums, perhaps begins one more, and is gone."""
    spec = quick(made)
    with fed.coordinator(spec, RUN) as (coordinator, journal):
        coordinator.gather()
        sums, lead = Sums(spec, coordinator, store=journal), build(spec).lead()
        ask = next(lead)
        for _ in range(count):
            ask = lead.send(sums(ask))
        if begin:
            journal.begin(ask)


@pytest.mark.parametrize("word", [pytest.param("clear", marks=pytest.mark.slow), "mask"])
def test_the_model_is_the_one_of_a_run_in_one_process(fed, word):
    with fed.attending(*"abcd"):
        outcome, _ = fed.run(quick(plan(word)))
        assert not kept(fed)  # it went with the run
    assert outcome.model.digest() == scene.Scene(plan(word)).run().model.digest()


@pytest.mark.slow
def test_processes_that_come_after_go_on_from_what_is_kept(fed):
    """Server and sites are other processes after each round."""
    for done in range(1, 4):
        with fed.attending(*"abcd"):
            rounds(fed, plan(), done, begin=True)
        assert kept(fed) == [f"{one}.kept" for one in range(max(0, done - 2), done)]
    with fed.attending(*"abcd"):
        outcome, log = fed.run(quick(plan()))
        assert not kept(fed)
    assert outcome.model.digest() == scene.Scene(plan()).run().model.digest()
    assert [one.number for one in log.rounds] == [1, 3, 5, 7]


def test_a_site_whose_kept_numbers_are_gone_ends_the_run_and_never_begins_anew(fed):
    with fed.attending(*"abcd"):
        rounds(fed, plan(), 2)
    for one in (fed.folder / "c" / "rounds").glob("*/*"):
        one.unlink()
    with fed.attending(*"abcd"), pytest.raises(Abort) as caught:
        fed.run(quick(plan()), repeats=0)
    assert (caught.value.cause, caught.value.party) == (Cause.KEPT, site("c"))
    assert not kept(fed, "c")
    assert any("step 1 of training left at this site is not there" in line for line in fed.heard["c"])


@pytest.mark.slow
def test_what_is_kept_of_a_run_that_nobody_ends_is_shown_and_goes_when_its_owner_says_so(fed):
    """The run can then not go on at this site, which says so by name."""
    with fed.attending(*"abcd"):
        rounds(fed, plan(), 1)
    (open_,) = holdings(fed.folder / "a")
    assert (open_.run, open_.plan, open_.model) == (RUN, plan().spec.name, None)
    assert open_.bytes == sum(one.stat().st_size for one in (fed.folder / "a" / "rounds").glob("*/*")) > 0
    with pytest.raises(UsageError, match="no runs that keep something begin with cd"):
        forget(fed.folder / "a", "cd")
    forget(fed.folder / "a", RUN[:8])
    assert not kept(fed)
    assert not holdings(fed.folder / "a")
    assert kept(fed, "b")
    assert read_log(fed.home("a").access).entries[-1].event == "forget"
    with fed.attending(*"abcd"), pytest.raises(Abort) as caught:
        fed.run(quick(plan()), repeats=0)
    assert (caught.value.cause, caught.value.party) == (Cause.KEPT, site("a"))


def owned(fed, name):
    """The folder of an owner's own model, in its home."""
    (found,) = (fed.folder / name / "own").iterdir()
    return found


def in_one_process(made):
    """By site: the digest of its own model after a run in one process."""
    ran = scene.Scene(made)
    outcome = ran.run()
    return {name: one.model.digest() for name, one in with_own(ran.spec, ran.together.rows, outcome).own.items()}


@pytest.mark.parametrize("restarted", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_each_owner_finds_its_own_model_in_its_home_whichever_process_ends_the_run(fed, restarted):
    """And is told where it lies and what it is worth; the server, whose model it is not, hears none of it."""
    made = plan(local="ditto", mu=0.5)
    del made.tables["training"]["steps"]
    made = made.set("training.epochs", 2)
    spec = quick(made)
    with fed.attending(*"abcd"), fed.coordinator(spec, RUN) as (coordinator, journal):
        coordinator.gather()
        sums, lead = Sums(spec, coordinator, store=journal), build(spec).lead()
        ask = next(lead)
        try:
            while True:
                ask = lead.send(sums(ask))
        except StopIteration as stop:
            outcome = stop.value
        if not restarted:
            coordinator.close(b"")
    if restarted:  # all processes of the sites are others than those that trained
        with fed.attending(*"abcd"), fed.coordinator(spec, RUN) as (coordinator, _):
            coordinator.close(b"")
            end = time.monotonic() + 60
            while any(kept(fed, name) for name in "abcd") and time.monotonic() < end:
                coordinator._listen(0.1)
    wanted = in_one_process(made)
    for name in "abcd":
        assert Model.read(owned(fed, name) / "model.json").digest() == wanted[name] != outcome.model.digest()
        told = json.loads((owned(fed, name) / "metrics.json").read_text())
        assert told["digest"] == wanted[name]
        assert told["metrics"]["rows"] > 0
        assert any(f"own/{RUN}/model.json" in line for line in fed.heard[name])
        assert any("held-out rows of yours: auc" in line for line in fed.heard[name])
        assert not kept(fed, name)
        (listed,) = holdings(fed.folder / name)
        assert (listed.run, listed.plan, listed.digest) == (RUN, spec.name, wanted[name])
        assert listed.model == str(owned(fed, name).absolute() / "model.json")
        assert (listed.metrics, listed.predictions, listed.rounds) == (told["metrics"], None, None)
    assert not any("own" in text for _, text in fed.said)
