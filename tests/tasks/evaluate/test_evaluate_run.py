"""Evaluations as whole runs: the same under every protection, in one process and as several."""

import json

import numpy as np
import pytest

import potluck
from potluck.core.errors import DataError, PlanError
from potluck.learning.models.finished.finished import NOT_HERE
from support.learning.judged import NOISE, finished, plan, rows, sites, write


@pytest.mark.parametrize(
    "word", ["mask", *(pytest.param(word, marks=pytest.mark.slow) for word in ("share", "he", "tee"))]
)
def test_a_protection_opens_what_clear_opens(word, tmp_path):
    models = finished(), finished("trees")
    made = [plan(tmp_path, models, word=one, by="sex") for one in ("clear", word)]
    plain, found = (potluck.run(one, sites(), out=tmp_path / f"run-{one.spec.protect.scheme}") for one in made)
    for key in ("metrics", "models", "differences"):
        assert found.document[key] == plain.document[key]
    assert plain.document["metrics"]["federated"]["rows"] == 3 * len(rows())
    assert [one["digest"] for one in found.document["models"]] == [one.digest() for one in models]


@pytest.mark.slow
@pytest.mark.torch
@pytest.mark.parametrize("word", ["mask", "share", "he", "tee"])
@pytest.mark.parametrize("kind", ["linear", "classes", "labels"])
def test_so_it_does_of_other_targets(kind, word, tmp_path):
    made = [plan(tmp_path, [finished(kind)], word=one, by="sex") for one in ("clear", word)]
    frames = sites(finished(kind))
    plain, found = (potluck.run(one, frames, out=tmp_path / f"run-{one.spec.protect.scheme}") for one in made)
    assert found.document["metrics"] == plain.document["metrics"]


@pytest.mark.usefixtures("repeatable")
def test_noise_is_charged_once_and_said_with_everything(tmp_path):
    made = plan(tmp_path, [finished()], word="mask", privacy=NOISE, by="sex")
    found = potluck.run(made, sites(count=900), out=tmp_path / "run")
    said = found.document["metrics"]["federated"]
    assert found.spent == {name: pytest.approx(1.0, rel=1e-3) for name in "abc"}
    assert said["auc_low"] < said["auc"] < said["auc_high"]
    assert said["auc_population"][0] < said["auc_low"] < said["auc_high"] < said["auc_population"][1]
    assert said["groups"]["other"]["tpr"] is None  # nobody is in it: what there is, is noise
    assert abs(said["rows"] - 2700) < 200  # 40 counts, each with noise of about 3.7, or a little more


def test_a_plan_that_writes_no_column_has_those_of_its_models(tmp_path):
    made = plan(tmp_path, [finished()])
    assert set(made.spec.data.columns) == {"n", "c", "m"}
    assert made.spec.data.target.positive == ("1",)
    assert made.spec.data.columns["n"].missing == "flag"
    assert made.require() == []


WRONG = {
    "evaluate.bins": (3, "no edge at one half"),
    "evaluate.by": ("n", "no category"),
    "data.split": ({"test": 0.3}, "every row is judged"),
    "training": ({"method": "newton"}, "nothing is trained"),
    "model.l2": (3.0, "the model file says it"),
    "data.columns": ({"n": {"kind": "number", "low": 0, "high": 9, "missing": "flag"}}, "as declared otherwise"),
    "data.target": ({"column": "y", "classes": ["0", "1"]}, "another sort"),
    "privacy": (NOISE | {"unit": "site"}, "cannot hide a whole site"),
}


@pytest.mark.parametrize("key", WRONG)
def test_what_does_not_go_together_is_refused_by_name(tmp_path, key):
    value, words = WRONG[key]
    with pytest.raises(PlanError, match=words):
        plan(tmp_path, [finished()], word="mask").set(key, value).require()


@pytest.mark.slow
def test_a_hospital_may_leave_out_rows_and_spell_its_target_otherwise(tmp_path):
    columns = {"c": {"kind": "category", "values": ["0", "1", "x"], "missing": "flag"},
               "m": {"kind": "number", "low": -5, "high": 5, "missing": "refuse"}}  # fmt: skip
    ill = {"column": "ill", "positive": ["yes"], "negative": ["no"]}
    made = plan(tmp_path, [finished()], data={"columns": columns, "target": ill})
    assert made.require()[0].startswith("data.target.positive: other values are positive here")
    frames = {name: frame.assign(ill=np.where(frame["y"] == 1, "yes", "no")).drop(columns="y")
              for name, frame in sites().items()}  # fmt: skip
    plain = potluck.run(plan(tmp_path, [finished()]), sites(), out=tmp_path / "plain")
    assert potluck.run(made, frames, out=tmp_path / "run").metrics == plain.metrics


def test_a_missing_column_is_named_with_its_site(tmp_path):
    frames = sites()
    frames["b"] = frames["b"].drop(columns="m")
    with pytest.raises(DataError, match=r"b: .*'m'"):
        potluck.run(plan(tmp_path, [finished()]), frames, out=tmp_path / "run")


def test_the_models_of_a_plan_are_those_of_its_digests(tmp_path):
    (name,) = write(tmp_path, finished())
    made = plan(tmp_path, [finished()])
    hash_ = made.hash
    assert made.set("model", {"file": str(tmp_path / name), "digest": finished().digest()}).hash == hash_
    with pytest.raises(PlanError, match="is not that of the models here"):
        made.set("model", {"file": str(tmp_path / name), "digest": f"sha256:{'0' * 64}"})
    away = plan(tmp_path, [finished()]).set("model", {"digest": finished().digest()})
    assert away.problems()[0] == [NOT_HERE]


@pytest.mark.slow
def test_rows_that_a_column_holds_out_judge_alone(tmp_path):
    frames = {name: frame.assign(fold=["test", "train"] * 120) for name, frame in sites().items()}
    made = plan(tmp_path, [finished()], data={"split": {"column": "fold"}})
    found = potluck.run(made, frames, out=tmp_path / "run")
    assert found.metrics["federated"]["rows"] == 3 * 120


def test_the_report_has_curves_groups_and_models_side_by_side(tmp_path):
    made = plan(tmp_path, [finished(), finished("trees")], by="sex")
    run = potluck.run(made, sites(), out=tmp_path / "run")
    page = (run.folder / "report.html").read_text(encoding="utf-8")
    for words in ("ROC", "decision curve", "calibration", "true positive rate", "model1", "model2", "largest less"):
        assert words in page
    json.dumps(run.document, allow_nan=False)


@pytest.mark.slow
@pytest.mark.torch
@pytest.mark.parametrize("privacy", [{"noise": "none"}, NOISE], ids=["exact", "noised"])
@pytest.mark.parametrize("kind", ["linear", "classes", "labels", "trees"])
def test_every_sort_of_target_has_a_report_and_a_document(kind, privacy, tmp_path):
    model = finished(kind)
    made = plan(tmp_path, [model, finished("narrow")] if kind == "trees" else [model], privacy=privacy, by="sex",
                word="mask")  # fmt: skip
    run = potluck.run(made, sites(model, count=40), out=tmp_path / "run")
    json.dumps(run.document, allow_nan=False)
    page = (run.folder / "report.html").read_text(encoding="utf-8")
    assert "finished model" in page
    assert "groups" in page
    assert {"numbers"} <= {name.rpartition(".")[2] for name in run.frames}
    person = NOISE | {"unit": "person", "rows_per_person": 2}
    if privacy is NOISE:
        frames = {name: frame.assign(who=range(len(frame))) for name, frame in sites(model, count=40).items()}
        mine = plan(tmp_path, [model], privacy=person, data={"person": "who"}, word="mask")
        said = potluck.run(mine, frames, out=tmp_path / "person").metrics["federated"]
        assert not [key for key in said if key.endswith("_population")]
