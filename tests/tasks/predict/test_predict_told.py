"""Claims about what is said of a prediction: check, explain, the report, the budget, the inbox, the terminal."""

import json
import re

import pytest

from potluck.api.local.check import check
from potluck.api.local.explain import explain
from potluck.api.local.run import run
from potluck.api.network.asked import Asked
from potluck.api.network.budget import budget
from potluck.api.network.composed import Composed
from potluck.api.plan.plan import Plan
from potluck.cli import potluck
from potluck.cli.door import run as command
from potluck.owner.requests import Request
from potluck.tasks.here import Elsewhere
from potluck.tasks.predict import scorers
from potluck.tasks.predict.local import document
from support.parties import predict_scene as scene
from support.places import ROOT


@pytest.fixture(autouse=True)
def stand_in(monkeypatch, tmp_path):
    monkeypatch.setitem(scorers.SCORERS.entries, "he", scene.ROW)
    monkeypatch.chdir(tmp_path)


def test_check_says_what_a_prediction_sends_and_what_scores_tell(tmp_path):
    told = check(scene.settle(tmp_path)).document()
    assert told["ok"]
    assert told["epsilon"] == {"hospital": None, "clinic": None}
    assert told["rounds"] == 1
    assert told["seconds_per_round"] >= 0
    assert told["bytes_up_per_site_round"] == told["forecast"]["keys"] + told["forecast"]["query"] > 0
    assert "whoever reads 4 scores" in told["warnings"][0]
    assert told["values"]["model"]["digest"] == scene.logistic().digest()


def test_fewer_rows_than_coefficients_give_no_warning(tmp_path):
    plan = Plan.read(scene.settle(tmp_path, None, scene.rows(3)), ["predict.max_rows=3"])
    assert check(plan).warnings == []


@pytest.mark.parametrize(
    ("text", "settings", "what"),
    [
        ("age,sex\nx,1\n", [], "clinic: column 'age', line 2"),
        (None, ["predict.max_rows=6"], "more rows than predict.max_rows (6)"),
        (None, ['protect.with="mask"'], "known for it: he"),
    ],
)
def test_check_finds_what_run_would(tmp_path, capsys, text, settings, what):
    path = scene.settle(tmp_path, None, text)
    sets = [word for setting in settings for word in ("--set", setting)]
    assert command(potluck, ["check", str(path), *sets, "--json"]) == 2
    told = json.loads(capsys.readouterr().out)
    assert not told["ok"]
    assert what in told["errors"][0]


def test_rows_that_are_elsewhere_are_a_warning(tmp_path):
    found = check(Plan.read(scene.settle(tmp_path), ['data.files={clinic="gone.csv"}', "predict.max_rows=3"]))
    assert found.ok
    assert [line.split(":")[0] for line in found.warnings] == ["data.files"]


def test_check_names_a_model_that_the_protection_cannot_carry(tmp_path, monkeypatch):
    def too_deep(outline):
        return [f"{len(outline.widths)} layers are too many. hint: fewer"]

    row = scorers.Scorer(scene.views, too_deep, scene.forecast, scene.ROW.build, None)
    monkeypatch.setitem(scorers.SCORERS.entries, "he", row)
    (error,) = check(scene.settle(tmp_path, scene.network())).errors
    assert error == "plan.toml: model.file: 3 layers are too many. hint: fewer"


def test_check_leaves_the_ledger_as_it_is(tmp_path):
    check(scene.settle(tmp_path))
    assert not (tmp_path / "ledger").exists()


def test_a_model_that_is_elsewhere_has_no_cost_here(tmp_path):
    model = f'model={{digest="{scene.logistic().digest()}"}}'
    found = check(Plan.read(scene.settle(tmp_path), [model, 'predict.mode="batch"']))
    assert found.ok
    assert found.bytes_up is None
    assert "the model is not here" in found.warnings[0]


def test_explain_tells_who_sees_the_card(tmp_path):
    plan = Plan.read(scene.settle(tmp_path))
    rows = {(row["party"], row["of"]): row for row in explain(plan).rows()}
    assert rows["clinic", "the card"]["form"] == "plain"
    assert rows["server", "the card"]["form"] == "ciphertext"
    assert rows["broker", "the card"]["form"] == "ciphertext"
    together = {row["of"]: row for row in explain(plan, ["server", "hospital"]).rows()}
    assert together["the card"]["form"] == "plain"


def test_the_report_says_whose_rows_were_scored_and_shows_no_score(tmp_path):
    done = run(Plan.read(scene.settle(tmp_path)), compare=True)
    page = (done.folder / "report.html").read_text()
    assert "Seven rows of clinic were scored by a model of hospital." in page
    assert "7 of 7 labels agree" in page
    assert "nothing is hidden: a stand-in" in page
    assert "predictions.csv" in page
    assert str(tmp_path) not in page
    for line in (done.folder / "predictions.csv").read_text().splitlines()[1:]:
        assert line.split(",")[1][:8] not in page


def test_the_budget_counts_the_rows_that_a_model_scored(tmp_path, capsys):
    path = scene.settle(tmp_path)
    for _ in range(2):
        assert command(potluck, ["run", str(path), "-q"]) == 0
    capsys.readouterr()
    assert command(potluck, ["budget", str(path), "--json"]) == 0
    owners = json.loads(capsys.readouterr().out)["owners"]
    digest = scene.logistic().digest()
    assert owners["hospital"]["scored"] == [{"model": digest, "client": "clinic", "rows": 14, "runs": 2}]
    assert owners["clinic"]["scored"] == []
    assert owners["hospital"]["spent"] == 0
    assert command(potluck, ["budget", str(path)]) == 0
    assert "hospital scored 14 rows for clinic in 2 runs" in capsys.readouterr().out


def test_the_terminal_says_where_the_scores_are(tmp_path, capsys):
    assert command(potluck, ["run", str(scene.settle(tmp_path)), "--compare"]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "predictions: " in said
    assert "no score is off by more than 2.5e-07" in said
    assert "7 of 7 labels agree" in said
    assert "whoever reads enough of them learns the model" in said


@pytest.mark.parametrize(
    ("me", "words"),
    [("hospital", "scores up to 50 rows of clinic"), ("clinic", "up to 50 rows of this site are scored")],
)
def test_the_inbox_says_to_each_side_what_is_asked_of_it(tmp_path, me, words):
    spec = Plan.read(scene.settle(tmp_path)).spec
    request = Request.__new__(Request)
    asked = Asked(request, spec, 0, 0.0, Composed(), me)
    assert words in asked.learnt
    assert asked.together.startswith("with ")
    assert any("the card" in line for line in asked.seen)
    assert "at most 50 are given" in asked.cost


def documented(section):
    page = ROOT / "docs" / "reference" / "json.md"
    parts = {part.split("\n", 1)[0].strip(): part for part in page.read_text(encoding="utf-8").split("\n## ")}
    return {word for tick in re.findall(r"`([^`]+)`", parts[section]) for word in tick.split(".")}


def keys(value):
    if isinstance(value, dict):
        return set(value).union(*(keys(inner) for inner in value.values()))
    return set().union(*(keys(inner) for inner in value)) if isinstance(value, list) else set()


def test_every_key_of_a_prediction_is_documented(tmp_path):
    sites = {"hospital", "clinic"}
    plan = Plan.read(scene.settle(tmp_path))
    told = keys(dict(run(plan, compare=True).document)) - sites
    assert told >= {"predictions", "max_error_bound", "agreement", "notes"}
    assert told - documented("run, demo, up, server run") == set()
    verdict = check(plan).document()
    assert verdict.pop("values")
    assert keys(verdict) - sites - documented("check") == set()
    owners = budget(tmp_path / "plan.toml").document()["owners"]
    assert owners["hospital"]["scored"]
    assert keys(owners) - sites - documented("budget") == set()


def test_the_server_says_that_it_has_no_scores(tmp_path):
    plan = Plan.read(scene.settle(tmp_path))
    told = document(Elsewhere(), plan.spec, tmp_path, None)
    assert told == {"predictions": None, "max_error_bound": None, "notes": []}
