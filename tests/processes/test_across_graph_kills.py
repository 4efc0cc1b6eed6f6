"""kill -9 of server and sites at rounds drawn anew each time, of a hundred that train a graph: the same bytes."""

import contextlib
import os
import signal
import sqlite3
import time
from importlib.util import find_spec

import numpy as np
import pytest

if find_spec("torch") is None:
    pytest.skip("the networks extra is missing", allow_module_level=True)

from potluck.core.plan import digest
from potluck.drivers.memory import Memory
from potluck.drivers.sums import Sums, drive
from potluck.learning.loops import build
from potluck.learning.models.model import Model
from potluck.tasks.own import with_own
from potluck.tasks.sources import tables
from potluck.tasks.sums import protections
from potluck.tasks.sums.together import Together
from support.graph import trained as drawn
from support.processes.hospitals import NAMES, federation, frames, plan
from support.processes.kills import Kill, undergo
from support.processes.rig import BROKER, SERVER, Rig, need_broker, wait_for

pytestmark = [pytest.mark.torch, pytest.mark.slow]
ROUNDS, KILLS, BOUND = 100, 3, 900.0
HOW = {
    "heads": {"method": "average", "steps": 2, "rate": 0.1, "local": "scaffold"},
    "gradient": {"method": "gradient", "rate": 0.01, "optimizer": "adam"},
}


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    need_broker()
    rig = federation(tmp_path_factory.mktemp("kills") / "f")
    try:
        rig.start(BROKER, *NAMES)
        yield rig
    finally:
        rig.close()
    rig.nothing_private()


def in_one_process(of):
    """The model's digest, and by site that of its own."""
    spec, held = tables(of, frames())
    together = Together(
        spec, build(spec), protections.row(spec).build(spec, None), held, Memory(spec.sites, digest(spec)), "run"
    )
    outcome = with_own(spec, together.rows, drive(build(spec), Sums(spec, together)))
    return outcome.model.digest(), {name: one.model.digest() for name, one in outcome.own.items()}


def opened(rig: Rig, known: set[str]) -> int:
    """How many sums of the run that is new stand."""
    fresh = [run for run in rig.runs() if run not in known]
    with contextlib.suppress(sqlite3.Error):
        return sum(one["opened"] for one in rig.rounds(fresh[0])) if fresh else 0
    return 0


def hold(rig: Rig, path, out, end: float) -> None:
    """The server runs: one that gave up while a site was away is started again, and goes on."""
    child = rig.children[SERVER]
    if not child.alive() and child.process.returncode != 0:
        assert child.process.returncode in (3, 4, -9), child.words.read_text()[-2000:]
        assert "bug" not in child.words.read_text()
        assert time.monotonic() < end
        rig.serve(path, "--out", out)


def noised():
    """With noise, over all units and over drawn ones, in every round: each try places units anew, and is paid for."""
    for number in (1, 2, 3):
        yield Kill("site", "mask/input", "after send", noise="shared", round=number, drawn=True, deep=True)
        yield Kill("site", "mask/input", "before send", noise="shared", round=number, drawn=number == 2, deep=True)
        yield Kill("server", "mask/unmask", "on receipt", noise="shared", round=number, drawn=number != 2, deep=True)
    yield Kill("server", "begin", "before send", noise="shared", round=2, deep=True)
    for number in (1, 2, 3):  # a site goes on from the sums that it kept
        yield Kill("site", "mask/input", "after send", noise="shared", round=number, deep=True, banded=True)
    yield Kill("site", "mask/input", "before send", noise="shared", round=2, deep=True, banded=True)
    yield Kill("server", "mask/unmask", "on receipt", noise="shared", round=3, deep=True, banded=True)


@pytest.mark.parametrize("kill", [*noised()], ids=str)
def test_a_try_of_a_noised_network_is_paid_for_once_whoever_is_killed(shared, kill):
    print(kill, undergo(shared, kill))


@pytest.mark.parametrize("how", HOW)
def test_no_kill_in_a_hundred_rounds_of_a_graph_changes_a_byte(shared, tmp_path, how):
    seed = int.from_bytes(os.urandom(4), "little")
    draw = np.random.default_rng(seed)
    when = sorted(draw.choice(ROUNDS - 1, KILLS, replace=False).tolist())
    whom = [(SERVER, *NAMES)[place] for place in draw.integers(0, 5, KILLS)]
    whom[draw.integers(KILLS)] = SERVER  # the server is among them
    print(f"seed {seed}: {list(zip(when, whom, strict=True))}")
    graph = drawn.made(drawn.mlp(), tmp_path / "net.graph")
    of = plan("mask").set("training", {"rounds": ROUNDS, **HOW[how]})
    local = {"local": ["4.*"]} if how == "heads" else {}
    of = of.set("model", {"kind": "network", "graph": str(graph), "l2": 0.1, **local})
    name, known, end = f"graph-{how}", set(shared.runs()), time.monotonic() + BOUND
    path, out = shared.plan(of, name), shared.folder / "runs" / name
    shared.start(BROKER, *NAMES)
    shared.serve(path, "--out", out)
    try:
        for number, victim in zip(when, whom, strict=True):

            def come(number: int = number) -> bool:
                hold(shared, path, out, end)
                return opened(shared, known) >= number

            wait_for(come, end - time.monotonic(), f"round {number} with {victim}")
            child = shared.children[victim]
            assert child.alive()
            child.stop(signal.SIGKILL)
            if victim == SERVER:
                shared.serve(path, "--out", out)
            else:
                shared.start(victim)

        def over() -> bool:
            hold(shared, path, out, end)
            return shared.children[SERVER].process.poll() == 0

        wait_for(over, end - time.monotonic(), "the run is over")
        document = shared.children[SERVER].end(1).document
    finally:
        shared.children[SERVER].stop()
    (run,) = set(shared.runs()) - known
    model, own = in_one_process(of)
    assert document["model"]["digest"] == model
    assert [one["step"] for one in shared.rounds(run) if one["opened"] and one["kind"] == "train"] == [*range(ROUNDS)]
    assert bool(own) == (how == "heads")
    for site, mine in own.items():
        where = shared.home(site) / "own" / run / "model.json"
        wait_for(where.with_name("metrics.json").exists, 60, f"{site} has its own model")
        assert Model.read(where).digest() == mine
    wait_for(lambda: not any((shared.home(site) / "rounds" / run).exists() for site in NAMES), 60, "nothing is kept")
