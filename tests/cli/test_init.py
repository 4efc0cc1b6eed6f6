"""`potluck init`: what it prints and writes, that its plans run, and what it never overwrites."""

import json
import tomllib

import pytest

from support.docs.keys import section


@pytest.fixture
def dirty(tmp_path):
    """Two sites' files with a mark, semicolons, decimal commas, spellings, gaps, an ID and a rare name."""
    for site in ("north", "south"):
        lines = ["ID;birth;weight;smokes;place;died"]
        for n in range(80):
            weight = "" if n % 11 == 0 else f"{60 + n % 30},5"
            smokes = ("yes", "Yes", "Y", "ja", "1", "no", "N", "nein")[n % 8]
            who = "Baron von Stein" if n == 7 else ("ward", "clinic")[n % 2]
            birth, died = f"{n % 28 + 1:02d}.03.{1940 + n % 50}", ("ja", "nein")[n % 3 > 0]
            lines.append(f"{site}{n};{birth};{weight};{smokes};{who};{died}")
        (tmp_path / f"{site}.csv").write_text("\n".join(lines) + "\n", encoding="utf-8-sig")
    return tmp_path


@pytest.mark.slow
def test_a_drafted_plan_runs_from_where_it_lies(dirty, cli):
    """All rounds of one, and `check`, run with the guide's page."""
    (dirty / "plans").mkdir()
    plan = dirty / "plans" / "plan.toml"
    said = cli("init", dirty / "north.csv", dirty / "south.csv", "--target", "died", "-o", plan)
    assert (said.code, said.out) == (0, "")
    assert "confirm" in said.err
    text = plan.read_text()
    assert text.startswith("#:schema plan.schema.json\n")
    beside = plan.with_name("plan.schema.json")
    assert json.loads(beside.read_text()) == cli("schema", "plan", "--json").json
    beside.write_text("mine")
    assert "Baron" not in text + said.err
    done = cli("run", plan, "--out", dirty / "run", "--set", "training.rounds=2", "--json")
    assert done.code == 0
    assert cli("init", dirty / "north.csv", "-o", plan.with_name("other.toml")).code == 0
    assert beside.read_text() == "mine"
    features = {"intercept", "weight", "weight?", "place=ward", "place=clinic", "age"}
    features |= {"smokes_yes=yes", "smokes_yes=no"}
    assert {*done.json["model"]["coefficients"]} == features


def test_without_a_target_it_describes_the_rows_and_goes_to_stdout(dirty, cli, monkeypatch):
    monkeypatch.chdir(dirty)
    said = cli("init", "north.csv", "south.csv")
    found = tomllib.loads(said.out)
    assert found["data"]["files"] == {"north": "north.csv", "south": "south.csv"}
    assert found["statistics"][0]["columns"] == ["weight", "place", "died", "age", "smokes_yes"]
    (dirty / "plan.toml").write_text(said.out)
    assert cli("check", "plan.toml").code == 0


def test_its_json_says_what_is_left_out_and_why(dirty, cli):
    said = cli("init", dirty / "north.csv", "--json").json
    assert (
        set(said) == {"file", "plan", "sites", "target", "columns", "left_out"} == section("init") - {"null"} - {"-o"}
    )
    assert said["left_out"] == {"ID": "an ID: it tells rows apart"}
    assert said["file"] is None


def test_it_overwrites_nothing_and_names_what_is_wrong(dirty, cli):
    (dirty / "plan.toml").write_text("mine")
    said = cli("init", dirty / "north.csv", "-o", dirty / "plan.toml")
    assert said.code == 2
    assert "is there already" in said.err
    assert (dirty / "plan.toml").read_text() == "mine"
    for arguments, what in (
        (("--target", "dead"), "there is no column 'dead'. hint: did you mean \"died\"?"),
        (("--target", "ID"), "cannot be predicted: an ID"),
        (("--person", "who"), "there is no column 'who'"),
        (("--dictionary", dirty / "none.csv"), "cannot be read"),
    ):
        said = cli("init", dirty / "north.csv", *arguments, "--json")
        assert (said.code, said.out) == (2, "")
        assert what in said.err
    assert cli("init").code == 2
