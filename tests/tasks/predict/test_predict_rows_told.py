"""A client hears what became of its rows' values: in rehearsals, across machines, and nobody else does."""

import json

import pytest

from potluck.api.local.check import check
from potluck.api.local.run import run
from potluck.cli import potluck
from potluck.cli.door import run as command
from potluck.learning.data import tally
from potluck.owner.access import read
from potluck.tasks.predict import scorers
from potluck.tasks.predict.site import SCORES
from support.parties import predict_scene as scene
from support.parties.predict_hall import RUN, Hall, enrolled, plan

ROWS = "age,sex\n30,1\n170,0\n45,m\n"
SAID = [
    "column 'age': 1 of 3 values is clamped (1 above high)",
    "column 'sex': 1 of 3 values is not declared: its features are 0",
]


@pytest.fixture(autouse=True)
def stand_in(monkeypatch, tmp_path):
    monkeypatch.setitem(scorers.SCORERS.entries, "he", scene.ROW)
    monkeypatch.chdir(tmp_path)


def test_check_and_run_tell_the_client_of_values_that_do_not_fit(tmp_path, capsys):
    path = scene.settle(tmp_path, None, ROWS)
    verdict = check(path)
    assert verdict.row_warnings() == [f"clinic: {line}" for line in SAID]
    assert verdict.document()["data"]["clinic"]["columns"][0]["above"] == 1
    assert command(potluck, ["run", str(path), "--out", str(tmp_path / "r"), "--json"]) == 0
    said = capsys.readouterr()
    assert [line for line in said.err.splitlines() if "clinic: " in line] == [f"warning: clinic: {s}" for s in SAID]
    for file in (tmp_path / "r").rglob("*"):
        assert file.is_dir() or b"clamped" not in file.read_bytes()
    assert "data" not in json.loads(said.out)


def test_the_control_where_nobody_counts_the_scores_alone_are_heard_of(tmp_path, monkeypatch):
    monkeypatch.setattr(tally.Counting, "column", lambda *_: None)
    path = scene.settle(tmp_path, None, ROWS)
    assert check(path).row_warnings() == []
    assert run(path, out=tmp_path / "r").row_warnings() == []


def test_across_machines_the_clients_owner_alone_is_told(tmp_path):
    """Its file has decimal commas, which its policy says; the plan declares no column, and 1.0 is a sex, no number."""
    folder = enrolled(tmp_path)
    (folder / "clinic" / "rows.csv").write_text("age;sex\n30,5;1.0\n170;0\n45;m\n")
    policy = folder / "clinic" / "policy.toml"
    policy.write_text(policy.read_text().replace("[source]\n", "[source]\nseparator = ';'\ndecimal = ','\n"))
    hall = Hall(folder)
    with hall.attending("hospital", "clinic"):
        hall.predict(plan(folder))
    assert [line for line in hall.heard["clinic"] if "column" in line] == [f"rows of scores: {s}" for s in SAID]
    entries = read(folder / "clinic" / "access.jsonl").entries
    assert [entry.why for entry in entries if entry.event == "rows"] == [tuple(SAID)]
    assert not [line for line in hall.heard["hospital"] if "clamped" in line]
    assert not [text for _, text in hall.said if "clamped" in text]
    elsewhere = [path for path in folder.rglob("*") if path.is_file() and folder / "clinic" not in path.parents]
    assert [path.name for path in elsewhere if b"clamped" in path.read_bytes()] == []
    scores, told = SCORES.find(folder / "clinic", RUN)
    assert "clamped" not in scores.read_text() + " ".join(told.notes)
