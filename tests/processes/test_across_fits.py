"""Statistics of several rounds across machines: what `run` gives, also where a party is killed between their sums."""

import pytest

import potluck
from support.processes.hospitals import NAMES, federation, frames
from support.processes.rig import BROKER, SERVER, Trap, need_broker, wait_for

VICTIM = "bert"
ASKED = [
    {"name": "odds", "kind": "regression", "family": "binomial", "target": "y", "features": ["x", "z"]},
    {"name": "mean", "kind": "mean", "column": "x"},
]


STRINGS = {"kind": "string", "length": 3, "alphabet": "-.0123456789"}


def of_strings():
    """Of numbers as texts the frequent beginnings, in three rounds, of which two may be run again."""
    return potluck.Plan(
        name="strings",
        purpose="test",
        task="statistics",
        federation={"sites": list(NAMES), "corrupt": 1, "dropouts": 1, "patience": 6.0},
        data={"columns": {"x": STRINGS}, "max_rows": 100},
        protect={"with": "mask"},
        privacy={"noise": "shared", "unit": "row", "epsilon": 50.0, "delta": 1e-6, "redo": 2},
        statistics=[{"name": "begin", "kind": "discover", "column": "x", "k": 2}],
    )


def plan():
    number = {"kind": "number", "low": -3, "high": 3}
    return potluck.Plan(
        name="hospitals",
        purpose="test",
        task="statistics",
        federation={"sites": list(NAMES), "corrupt": 1, "dropouts": 1, "patience": 6.0},
        data={"columns": {"x": number, "z": number, "y": {"kind": "category", "values": ["0", "1"]}}, "max_rows": 100},
        protect={"with": "mask"},
        privacy={"noise": "none"},
        statistics=ASKED,
    )


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    need_broker()
    rig = federation(tmp_path_factory.mktemp("fits") / "f")
    try:
        yield rig
    finally:
        rig.close()
    rig.leaves_nothing()


@pytest.mark.slow
@pytest.mark.parametrize("role", [SERVER, VICTIM])
def test_a_kill_between_the_sums_of_a_fit_changes_no_bit_of_it(shared, tmp_path, role):
    rig = shared
    rig.start(BROKER, *NAMES)
    path, out = rig.plan(plan(), f"fit-{role}"), rig.folder / "runs" / f"fit-{role}"
    moment, step = ("on receipt", "mask/unmask") if role == SERVER else ("after send", "mask/input")
    rig.trap(role, Trap(moment, step, 3, VICTIM, ""))
    rig.serve(path, "--out", out)
    try:
        wait_for(lambda: rig.sprung(role), 60, "the trap springs")
        assert rig.children[role].process.wait(15) == -9
        if role == SERVER:
            rig.serve(path, "--out", out)
        else:
            rig.start(role)
        ended = rig.children[SERVER].end(240)
    finally:
        rig.disarm()
        rig.children[SERVER].stop()
    assert ended.code == 0, ended.words[-2000:]
    here = potluck.run(plan(), frames(), out=tmp_path / "run").document
    assert ended.document["results"] == here["results"]
    assert len(ended.document["rounds"]) == len(here["rounds"]) > 3


@pytest.mark.slow
def test_a_kill_in_the_third_round_of_strings_ends_in_the_strings_that_a_run_finds(shared, tmp_path):
    rig = shared
    rig.start(BROKER, *NAMES)
    path, out = rig.plan(of_strings(), "strings"), rig.folder / "runs" / "strings"
    rig.trap(SERVER, Trap("on receipt", "mask/unmask", 3, VICTIM, ""))
    rig.serve(path, "--out", out)
    try:
        wait_for(lambda: rig.sprung(SERVER), 60, "the trap springs")
        assert rig.children[SERVER].process.wait(15) == -9
        rig.serve(path, "--out", out)
        ended = rig.children[SERVER].end(240)
    finally:
        rig.disarm()
        rig.children[SERVER].stop()
    assert ended.code == 0, ended.words[-2000:]
    here = potluck.run(of_strings(), frames(), out=tmp_path / "run").document["results"]["begin"]
    there = ended.document["results"]["begin"]
    assert [one["value"] for one in there["top"]] == [one["value"] for one in here["top"]] == ["-0.", "-1."]
    for one, other in zip(there["top"], here["top"], strict=True):
        assert one["count"]["value"] == pytest.approx(
            other["count"]["value"], abs=5 * (one["count"]["high"] - one["count"]["low"])
        )
    assert there["rounds"] == here["rounds"] == 3
    assert all(spent <= 50.0 for spent in ended.document["privacy"]["epsilon"].values())
