"""`potluck up` of a prediction: what `run` gives, from real processes, each with a stand-in for the protection."""

import csv
import json
import stat
from pathlib import Path

import pytest

from potluck.api.local.run import run
from potluck.api.network.up import up
from potluck.api.plan.plan import Plan
from potluck.core.errors import DataError
from potluck.tasks.predict import scorers
from support.parties import predict_scene as scene
from support.places import environment
from support.processes.rig import need_broker

CUSTOM = """
from support.parties import predict_scene
from potluck.tasks.predict import scorers
scorers.SCORERS.entries["he"] = predict_scene.ROW
"""
"""Read by every Python that starts with its folder on PYTHONPATH: the processes of `up`."""


@pytest.fixture
def place(tmp_path, monkeypatch):
    need_broker()
    monkeypatch.setitem(scorers.SCORERS.entries, "he", scene.ROW)
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "sitecustomize.py").write_text(CUSTOM)
    monkeypatch.setenv("PYTHONPATH", environment(tmp_path / "site")["PYTHONPATH"])
    monkeypatch.chdir(tmp_path)
    scene.settle(tmp_path)
    return tmp_path


def table(path):
    with open(path, newline="") as file:
        return list(csv.reader(file))


@pytest.mark.slow
def test_up_gives_what_run_gives_and_brings_the_scores_home(place):
    plan = Plan.read(place / "plan.toml")
    there = up(plan, out=place / "up", ledger=place / "l1", compare=True, record=True)
    here = run(plan, out=place / "run", ledger=place / "l2", compare=True, record=True)
    assert there.document.keys() == here.document.keys()
    assert there.document["plan"] == here.document["plan"]
    assert there.document["agreement"] == here.document["agreement"]
    assert there.document["max_error_bound"] == here.document["max_error_bound"]
    assert there.document["notes"] == here.document["notes"]
    assert there.data == here.data
    assert list(there.data) == ["clinic"]
    path = Path(there.document["predictions"])
    assert path == place / "up" / "predictions.csv"
    assert table(path) == table(here.document["predictions"])
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert not (place / "up" / "network").exists()
    assert "Seven rows of clinic were scored" in (place / "up" / "report.html").read_text()
    steps = [json.loads(line)["step"] for line in (place / "up/parcels/index.jsonl").read_text().splitlines()]
    assert {"predict/card", "predict/key", "predict/done"} <= set(steps)
    for parcel in (place / "up" / "parcels").iterdir():
        parcel.unlink()


def test_rows_that_do_not_fit_are_found_before_anything_starts(place):
    (place / "rows.csv").write_text("age,sex\nx,1\n")
    with pytest.raises(DataError, match="column 'age', line 2"):
        up(Plan.read(place / "plan.toml"), out=place / "up")
    assert not (place / "up").exists()


@pytest.mark.slow
def test_up_under_he_gives_the_scores_of_plain_scoring(he_engine, tmp_path, monkeypatch):
    need_broker()
    done = up(Plan.read(scene.settle(tmp_path)), out=tmp_path / "up", ledger=tmp_path / "l", compare=True)
    beside = done.document["agreement"]
    assert beside["same_labels"] == beside["rows"] == 7
    assert beside["largest_error"] <= done.document["max_error_bound"] < 1e-4
    assert any("whoever reads 4 scores" in line for line in done.warnings)
