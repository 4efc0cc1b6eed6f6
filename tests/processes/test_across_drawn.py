"""Rows that are drawn in secret, across machines: what `run` opens where noise and coins are the test's, from real
processes."""

import pytest

import potluck
from support.dp import fixed_draws
from support.processes.hospitals import NAMES, SHARED, federation, frames, plan
from support.processes.rig import BROKER, need_broker

pytestmark = pytest.mark.slow


def test_processes_open_what_run_opens_of_the_same_draws(tmp_path, monkeypatch):
    need_broker()
    rig = federation(tmp_path / "f")
    try:
        (rig.watch / "fixed").touch()
        rig.start(BROKER, *NAMES)
        drawn = plan(privacy=SHARED).set("training.batch", 50)
        there = rig.serve(rig.plan(drawn, "drawn"), "--out", rig.folder / "runs" / "drawn", wait=60).end(240).document
    finally:
        rig.close()
    free = potluck.run(drawn, frames()).document["model"]["digest"]
    monkeypatch.setattr(fixed_draws.halves, "contribution", fixed_draws.contribution)
    here = potluck.run(drawn.set("purpose", "drawn"), frames()).document["model"]["digest"]
    assert there["model"]["digest"] == here != free
    assert there["privacy"]["epsilon"].keys() == set(NAMES)
