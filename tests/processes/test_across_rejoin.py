"""A site killed in the middle of a run with noise: a drop-out of its round, back in a later one, within budget."""

import signal

import pytest

from support.processes.hospitals import NAMES, federation, plan, reference
from support.processes.kills import VICTIM, named
from support.processes.rig import BROKER, SERVER, Trap, need_broker, wait_for

PRIVACY = {"noise": "shared", "unit": "row", "epsilon": 2.0, "delta": 1e-5, "clip": 1.0}


@pytest.mark.slow
def test_a_killed_site_comes_back_and_spends_no_more_than_the_plan_says(tmp_path):
    need_broker()
    rig = federation(tmp_path / "f")
    try:
        rig.start(BROKER, *NAMES)
        rig.trap(VICTIM, Trap("before send", "mask/input", 3))  # charged, and killed before anything left
        path = rig.plan(plan(privacy=PRIVACY, rounds=60), "rejoin")
        server = rig.serve(path, "--out", rig.folder / "runs" / "rejoin")
        wait_for(lambda: rig.sprung(VICTIM), 60, "the site dies")
        assert rig.children[VICTIM].process.wait(10) == -signal.SIGKILL
        rig.start(VICTIM)
        document = server.end(120).document
        run = rig.runs()[0]
        opened = [one for one in rig.rounds(run) if one["opened"]]
        assert [one["number"] for one in opened] == list(range(1, 62))  # nobody waited, nothing was redone
        gave = [VICTIM in one["givers"] for one in opened]
        assert gave[:3] == [True, True, False]
        assert gave[-1], "it never came back"
        assert VICTIM in document["rounds"][2]["dropped"]
        for name in NAMES:
            own = next(one for one in rig.budget(name)["runs"] if one["run"] == run)
            charged = rig.charged(name, run)
            assert own["releases"] == len(charged)
            assert own["epsilon"] == document["privacy"]["epsilon"][name]
            assert own["epsilon"] <= PRIVACY["epsilon"]
            given = [one["number"] for one in opened if name in one["givers"]]
            assert charged == sorted([*given, 3] if name == VICTIM else given)
    finally:
        rig.close()
    rig.leaves_nothing()


@pytest.mark.slow
def test_without_redo_a_server_killed_after_inputs_left_does_not_spend_again(tmp_path):
    """Charged rounds that came to nothing count: the run stops by name rather than spend beyond the plan."""
    need_broker()
    rig = federation(tmp_path / "f")
    try:
        rig.start(BROKER, *NAMES)
        rig.trap(SERVER, Trap("on receipt", "mask/sign", 2))
        path = rig.plan(plan(privacy=PRIVACY), "spent")
        rig.serve(path, "--out", rig.folder / "runs" / "spent")
        wait_for(lambda: rig.sprung(SERVER), 60, "the server dies")
        rig.children[SERVER].process.wait(10)
        again = rig.serve(path, "--out", rig.folder / "runs" / "spent").end(60)
        assert again.code == 3, again.words
        assert "redo" in named(again)
        run = rig.runs()[0]
        for name in NAMES:
            assert rig.charged(name, run) == [1, 2]
            own = next(one for one in rig.budget(name)["runs"] if one["run"] == run)
            assert 0 < own["epsilon"] <= PRIVACY["epsilon"]
        assert reference(plan(privacy=PRIVACY)).digest()  # the plan itself is sound
    finally:
        rig.close()
    rig.leaves_nothing()
