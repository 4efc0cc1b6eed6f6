import json
import shutil

import pytest

import potluck
from support.audits.recorded import frames, plan


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder, spec = tmp_path_factory.mktemp("attack"), plan("mask")
    for site, frame in frames(1).items():
        frame.to_csv(folder / f"{site}.csv", index=False)
    spec = spec.set("data.files", {site: f"{site}.csv" for site in frames(1)})
    return potluck.run(spec, frames(1), out=folder / "run", record=True).folder


def test_attack_says_what_each_attack_came_to(run, cli):
    said = cli("attack", run, "--as", "server,a", "--data", run.parent, "--json")
    assert said.code == 0
    assert said.json["as"] == ["server", "a"]
    assert (said.json["compared"], said.json["why"], said.json["whole"]) == (True, "", True)
    keys = {"name", "sort", "of", "tried", "succeeded", "score", "baseline", "control", "words"}
    assert all(set(one) == keys for one in said.json["attacks"])
    assert {one["name"] for one in said.json["attacks"] if one["succeeded"]} == {"analytic"}
    text = cli("attack", run, "--as", "server,a", "--data", run.parent)
    assert text.out.startswith("SUCCEEDED analytic: 2 of 2 rows of sites b, c together were found to the last digit")
    assert text.out.splitlines()[-1] == f"kept in {run}/attacks.json; `potluck report {run}` shows it"
    assert "trying analytic" in text.err
    (left,) = [line for line in text.out.splitlines() if line.startswith("skipped")]
    assert {one["name"] for one in said.json["attacks"] if not one["tried"]} == set(
        left.partition("why): ")[2].split(", ")
    )


@pytest.mark.slow
def test_attack_scores_nothing_where_true_rows_are_not_here(run, cli, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    found = cli("attack", run, "--as", "server,a")
    assert found.out.startswith("undecided analytic: of sites b, c together 2 guesses were made")
    assert "--data FOLDER" in found.err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--as", "nobody"], "no party of this plan: nobody"),
        (["--as", "server, nobody"], "no party of this plan: nobody"),
        (["--minutes", "0"], "--minutes: 0 minutes are not possible"),
        (["--minutes", "inf"], "--minutes: inf minutes are not possible"),
        (["--before", "elsewhere"], "elsewhere: no such folder"),
        (["--record", "elsewhere"], "holds no record"),
    ],
)
def test_attack_refuses_what_it_cannot_use(run, cli, arguments, said):
    found = cli("attack", run, *arguments)
    assert found.code == 2
    assert said in found.err


def test_attack_names_the_file_that_is_lacking(run, cli, tmp_path):
    for site in "ac":
        shutil.copy(run.parent / f"{site}.csv", tmp_path)
    found = cli("attack", run, "--data", tmp_path)
    assert found.code == 2
    assert f"{tmp_path}: lacks files of the plan: data.files.b (b.csv)" in found.err


def test_attack_names_a_damaged_file(run, cli, tmp_path):
    (tmp_path / "index.jsonl").write_text(json.dumps({"file": "000001.bin"}) + "\n")
    assert "index.jsonl" in cli("attack", run, "--record", tmp_path).err
