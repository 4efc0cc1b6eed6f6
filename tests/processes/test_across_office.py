"""An office as a real process, killed with -9 wherever its runs are: they go on by themselves."""

import json

import pytest

from potluck.api.network import inbox
from potluck.api.network.office.submitted import submitted
from potluck.api.network.sessions import GOING, Order
from potluck.api.network.status import status
from potluck.api.plan.plan import Plan
from potluck.members.home import CoordinatorHome
from support.owner.policies import OPEN
from support.parties import scene
from support.ports import free_port
from support.processes.rig import BROKER, Rig, Trap, need_broker, wait_for

NAMES = "abc"
SITE = scene.SHARED | {"noise": "site", "redo": 1}


@pytest.fixture
def rig(tmp_path):
    person = OPEN.replace('rule = "policy"', 'rule = "hash"')
    made = Rig(tmp_path / "rig", scene.frames(NAMES), {"c": person})
    made.found(free_port())
    need_broker()
    made.start(BROKER, *NAMES)
    yield made
    made.close()
    assert made.processes() == []


def plan(purpose, **more):
    made = scene.plan(NAMES, dropouts=0, patience=60.0, word="clear", **more)
    return made.set("purpose", purpose)


def office(rig, at_once=1):
    return rig.spawn("server", "office", rig.fed, at_once)


def submit(rig, made, agreed=True):
    home = CoordinatorHome.at(rig.fed)
    if agreed:
        inbox.decide(rig.home("c"), "approve", made.hash.removeprefix("sha256:"), "ann")
    return submitted(home, made, Order(person="ann", office=True), False)


def states(rig):
    """By run; of one that failed, why."""
    return {one.run: one.why or one.state for one in status(rig.fed).runs}


def digest(rig, run):
    (out,) = [one.out for one in status(rig.fed).runs if one.run == run]
    return json.loads((out / "run.json").read_text())["model"]["digest"]


def alone(made):
    return scene.Scene(made).run().model.digest()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("moment", "step", "number"),
    [
        ("before send", "begin", 1),
        ("on receipt", "clear/input", 2),
        ("when done", "clear/input", 2),
        ("after send", "close", 0),
    ],
)
def test_an_office_that_is_killed_goes_on_with_every_run(rig, moment, step, number):
    plans = [plan(f"plan {n}", privacy=SITE if n == 0 else scene.NONE) for n in range(3)]
    rig.trap("server", Trap(moment, step, number))
    first = office(rig)
    runs = [submit(rig, one) for one in plans[:2]]
    waits = submit(rig, plans[2], agreed=False)
    wait_for(lambda: not first.alive() and rig.sprung("server"), 120, "the office dies")
    before = {run: [one for one in rig.rounds(run) if one["opened"]] for run in runs}
    assert set(states(rig).values()) <= set(GOING)
    office(rig)
    wait_for(lambda: all(states(rig)[run] == "finished" for run in runs), 300, "both are finished")
    assert states(rig)[waits] == "waiting"
    inbox.decide(rig.home("c"), "approve", plans[2].hash.removeprefix("sha256:"), "ann")
    wait_for(lambda: states(rig)[waits] == "finished", 120, "the last is finished")
    for run in runs:
        assert [one for one in rig.rounds(run) if one["opened"]][: len(before[run])] == before[run]
        opened = [(one["kind"], one["step"]) for one in rig.rounds(run) if one["opened"]]
        assert opened == [("train", 0), ("train", 1), ("train", 2), ("evaluate", 0)]
    for name in NAMES:
        for run in runs:
            assert len(rig.charged(name, run)) <= 5  # four, and the one that was begun again
    assert digest(rig, runs[1]) == alone(plans[1])
    assert digest(rig, waits) == alone(plans[2])


@pytest.mark.slow
def test_an_office_takes_plans_from_server_run_and_from_a_dead_process_of_its_own(rig):
    path = rig.plan(plan("two"), "two")
    made = [plan("one"), Plan.read(path)]
    early = submit(rig, made[0])  # before there is an office
    office(rig, 2)
    wait_for(lambda: states(rig)[early] in ("open", "summed", "finished"), 120, "it takes up the run")
    inbox.decide(rig.home("c"), "approve", made[1].hash.removeprefix("sha256:"), "ann")
    path = rig.folder / "plans" / "two.toml"
    path.write_text(made[1].text())
    follows = rig.spawn(
        "follower", "server", "run", rig.fed, path, "--json", "--out", rig.folder / "runs/two", driven=False
    )
    ended = follows.end(120)
    assert ended.document["model"]["digest"] == alone(plan("two"))
    assert "another process carries it out here" in ended.words
    wait_for(lambda: states(rig)[early] == "finished", 120, "the other is finished")
    assert digest(rig, early) == alone(made[0])
