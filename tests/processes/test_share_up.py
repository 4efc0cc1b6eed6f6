"""`share` as real processes: what `run` gives, and a compute party killed at each stage ends a round by name."""

import contextlib
import json
import os
import signal
from pathlib import Path

import pytest

import potluck
from potluck.api.network.up import up
from potluck.api.plan.plan import Plan
from support.processes import share_rig
from support.processes.hospitals import frames, reference
from support.processes.rig import laid_out, need_broker
from support.processes.share_rig import STEPS, Death, undergo

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def shared(mpc_engine, tmp_path_factory):
    need_broker()
    rig = share_rig.federation(tmp_path_factory.mktemp("share") / "rig")
    try:
        yield rig
    finally:
        rig.close()


@pytest.fixture(scope="module")
def digest():
    return reference(share_rig.plan().set("protect.with", "mask")).digest()


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("moment", ["before send", "after send"])
def test_a_compute_party_that_is_killed_and_comes_back_costs_a_try_and_changes_nothing(shared, digest, step, moment):
    ended, seen = undergo(shared, Death(step, moment))
    print(step, moment, seen)
    assert ended.document["model"]["digest"] == digest, ended.words[-1500:]
    assert all(not one["dropped"] for one in ended.document["rounds"])
    assert len(seen["tries"]) <= 2
    if seen["tries"]:
        assert "beta" in seen["tries"][0]


@pytest.mark.parametrize("step", ["keys", "run", "result"])
def test_a_compute_party_that_stays_away_ends_the_run_by_name(shared, step):
    ended, seen = undergo(shared, Death(step, back=False))
    print(step, seen)
    assert ended.code == 4, ended.words[-1500:]
    assert "beta" in ended.words.strip().splitlines()[-1]
    assert ended.out == ""


def test_up_gives_what_run_gives_under_mask(mpc_engine, tmp_path, monkeypatch):
    need_broker()
    monkeypatch.chdir(tmp_path)
    laid_out(tmp_path, share_rig.plan(), frames())
    there = up(Plan.read(tmp_path / "plan.toml"), out=tmp_path / "up", ledger=tmp_path / "l1", record=True)
    mask = potluck.run(
        Plan.read(tmp_path / "plan.toml", ['protect.with="mask"']), out=tmp_path / "m", ledger=tmp_path / "l2"
    )
    assert there.model.digest() == mask.model.digest()
    assert there.document["protect"] == "share"
    index = [json.loads(line) for line in (tmp_path / "up" / "parcels" / "index.jsonl").read_text().splitlines()]
    assert "alpha" in {line["to"] for line in index}
    assert "share/held" in {line["step"] for line in index}
    assert not (tmp_path / "up" / "network").exists()


def test_up_starts_a_compute_party_again_that_dies_and_the_model_is_the_same(mpc_engine, tmp_path, monkeypatch, digest):
    need_broker()
    monkeypatch.chdir(tmp_path)
    laid_out(tmp_path, share_rig.plan(), frames())
    said, killed = [], []

    def watch(live):
        if live.opened == 1 and not killed:
            (pid,) = [one for one, line in mine().items() if "compute-beta" in line and "site" in line]
            os.kill(pid, signal.SIGKILL)
            killed.append(pid)

    there = up(
        Plan.read(tmp_path / "plan.toml"),
        out=tmp_path / "up",
        ledger=tmp_path / "l1",
        watch=watch,
        say=lambda event, text: said.append((event, text)),
    )
    assert killed
    assert ("started again", "compute-beta") in said
    assert there.model.digest() == digest


def mine():
    """The command lines of this process's children, by pid."""
    found = {}
    for path in Path("/proc").glob("[0-9]*/status"):
        with contextlib.suppress(OSError):
            if f"PPid:\t{os.getpid()}\n" in path.read_text():
                found[int(path.parent.name)] = (path.parent / "cmdline").read_text().replace("\0", " ")
    return found
