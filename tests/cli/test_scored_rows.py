"""Whoever scores rows hears what became of their values: no declared range or value fits some, and scores hide it."""

import json

import pytest

from potluck.learning.data import tally


@pytest.fixture
def model(shops, cli):
    return cli("run", shops / "plan.toml", "--out", shops / "r", "--json").json["model"]["file"]


def rows(shops, *lines):
    path = shops / "new.csv"
    path.write_text("\n".join(["x1,x 2,kind", *lines]) + "\n")
    return path


def test_score_tells_of_values_that_no_declaration_fits(shops, cli, model, monkeypatch):
    path = rows(shops, "0.5,5,red", "170,5,RED", "0.5,-1,blue", "0.5,5,green")
    said = cli("score", model, path, "--json")
    assert said.code == 0
    assert said.err.splitlines() == [
        "warning: column 'x1': 1 of 4 values is clamped (1 above high)",
        "warning: column 'x 2': 1 of 4 values is clamped (1 below low)",
        "warning: column 'kind': 2 of 4 values are not declared: their features are 0 (1 differs in case alone). "
        "hint: data.fold = true takes them for what they are",
    ]
    columns = {one["column"]: one for one in said.json["data"]["columns"]}
    assert (columns["x1"]["above"], columns["x 2"]["below"], columns["kind"]["undeclared"]) == (1, 1, 2)
    assert "170" not in said.err
    assert "data" in json.loads(cli("score", model, path, "-o", shops / "s.csv", "--json").out)
    assert "clamped" not in (shops / "s.csv").read_text()
    # The control: nobody counts, and the scores of what was clamped look like any other.
    monkeypatch.setattr(tally.Counting, "column", lambda *_: None)
    quiet = cli("score", model, path, "--json")
    assert (quiet.err, quiet.json["scores"]) == ("", said.json["scores"])
    inside = cli("score", model, rows(shops, "3,5,blue"), "--json").json["scores"]
    assert inside == said.json["scores"][1:2]


def test_rows_that_fit_are_scored_without_a_word(shops, cli, model):
    assert cli("score", model, rows(shops, "0.5,5,red", "-3,10,green")).err == ""


def test_one_value_beyond_its_range_is_no_error(shops, cli, model):
    said = cli("score", model, rows(shops, "99,5,red"), "--json")
    assert (said.code, said.json["rows"]) == (0, 1)
    assert "1 of 1 value is clamped" in said.err


def test_ids_stand_in_place_of_row_numbers(shops, cli, model):
    path = shops / "named.csv"
    cells = ["0.5,5,red,007", "0.5,5,green, A 1 ", "-3,10,green,", "1,2,red,007", '0,0,red,"=1+1"', "0,1,red,007"]
    path.write_text("\n".join(["x1,x 2,kind,patient", *cells]) + "\n")
    numbered = cli("score", model, path).out.splitlines()
    said = cli("score", model, path, "--id", "patient")
    lines = [line.rsplit(",", 1) for line in said.out.splitlines()]
    assert [line[0] for line in lines] == ["patient", "007", "A 1", "", "007", "'=1+1", "007"]
    assert [line[1] for line in lines] == [line.split(",")[1] for line in numbered]
    assert said.err.splitlines() == [
        "warning: id 'patient': 1 of 6 rows has none",
        "warning: id 'patient': 3 of 6 rows have one that another row has, too",
        "warning: id 'patient': 1 of 6 rows has one that a spreadsheet would take for a formula: CSV has ' before it",
    ]
    kept = cli("score", model, path, "--id", "patient", "-o", shops / "s.csv", "--json")
    assert kept.json["id"] == {"column": "patient", "missing": 1, "repeated": 3}
    assert "ids" not in kept.json
    assert (shops / "s.csv").read_text() == said.out
    assert cli("score", model, path, "--id", "patient", "--json").json["ids"][:2] == ["007", "A 1"]


def test_an_id_may_be_a_feature_too_and_must_be_a_column(shops, cli, model):
    path = rows(shops, "0.50,5,red", "1,2,green")
    said = cli("score", model, path, "--id", "x1")
    assert [line.split(",")[0] for line in said.out.splitlines()] == ["x1", "0.50", "1"]
    assert [line.split(",")[1] for line in said.out.splitlines()] == [
        line.split(",")[1] for line in cli("score", model, path).out.splitlines()
    ]
    absent, score = cli("score", model, path, "--id", "patient"), cli("score", model, path, "--id", "score")
    assert (absent.code, score.code) == (2, 2), (absent.err, score.err)
    assert "there is no column 'patient'" in absent.err
    assert "a score is called 'score', too" in score.err
