"""Cross-validation as whole runs: the same under every protection, said before, in the document and in the report."""

import json

import numpy as np
import pytest

import potluck
from potluck.api.results.outcome import Run
from potluck.core.asks import Kind
from potluck.core.errors import PlanError
from potluck.learning.data.table import read
from potluck.learning.loops import build
from potluck.report.page import render
from potluck.secret.random import system
from potluck.tasks.sums.site import _Noted
from support.learning import one_of_two
from support.learning.one_of_two import sites

FOLDS, ROUNDS = 3, 4


def plan(word="clear", **tables):
    training = {"method": "newton", "rounds": ROUNDS}
    return one_of_two.plan(word, **({"training": training, "evaluate": {"folds": FOLDS}} | tables))


@pytest.fixture(scope="module")
def clear(tmp_path_factory):
    return potluck.run(plan(), sites(), out=tmp_path_factory.mktemp("folds") / "run")


@pytest.mark.parametrize(
    "word", ["mask", *(pytest.param(word, marks=pytest.mark.slow) for word in ("share", "he", "tee"))]
)
def test_a_protection_opens_what_clear_opens(word, clear, tmp_path):
    found = potluck.run(plan(word), sites(), out=tmp_path / "run")
    for key in ("folds", "metrics"):
        assert found.document[key] == clear.document[key]
    assert found.document["model"]["digest"] == clear.document["model"]["digest"]


def test_the_document_has_each_fold_and_says_which_rounds_were_whose(clear):
    found = Run.read(clear.folder).folds
    assert found == json.loads(json.dumps(clear.folds))
    each = [one["auc"] for one in found["each"]]
    assert len(each) == FOLDS
    assert found["mean"]["auc"] == pytest.approx(np.mean(each), abs=1e-12)
    assert found["spread"]["auc"] == pytest.approx(np.std(each, ddof=1), abs=1e-12)
    assert found["together"]["rows"] == sum(one["rows"] for one in found["each"])
    assert found["together"]["rows"] + clear.document["metrics"]["federated"]["rows"] == 360
    assert len(found["together"]["roc"]) == len(found["together"]["calibration"]) - 1 == 19
    rounds = [one.get("fold", 0) for one in clear.document["rounds"]]
    assert rounds == [fold for fold in range(FOLDS + 1) for _ in range(ROUNDS)]


def test_the_report_says_it_in_a_sentence_a_table_and_pictures(clear):
    page = render(clear.folder)
    mean = f"{clear.folds['mean']['auc']:.3f}"
    assert f"Three models, each trained without one fold of the rows, reach an AUC of {mean} in the mean" in page
    assert "together in four rounds" in page
    for words in ("mean of folds", "spread of folds", "rows of all folds", "no error of the mean", "train, fold 2"):
        assert words in page
    assert list(clear.frames["folds"].columns) == ["fold", "rows", "AUC", "accuracy"]


def test_check_says_before_how_many_sums_and_bytes_it_takes(clear, tmp_path):
    for name, rows in sites().items():
        rows.to_csv(tmp_path / f"{name}.csv", index=False)
    files = {name: str(tmp_path / f"{name}.csv") for name in "abc"}
    found = potluck.check(plan().set("data.files", files))
    assert found.ok
    said = found.document()
    assert (said["rounds"], said["models"]) == (ROUNDS * (FOLDS + 1), FOLDS + 1)
    assert f"{ROUNDS * (FOLDS + 1)} rounds for 4 models, 3 of them of folds" in found.summary()
    up = [one["bytes_up"] for one in clear.document["rounds"]]
    assert said["bytes_up_per_site"] == pytest.approx(sum(up) / 3, rel=0.02)  # hashes in headers, to a byte or two
    notes = " ".join(str(view.note) for view in potluck.explain(plan("mask")).views)
    assert f"once more for each of {FOLDS} folds of the training rows" in notes


@pytest.mark.slow
def test_folds_without_rows_leave_a_run_with_its_model_and_say_so(tmp_path):
    few, folds = sites(4), 12
    for name, rows in few.items():
        rows.to_csv(tmp_path / f"{name}.csv", index=False)
    files = {name: str(tmp_path / f"{name}.csv") for name in few}
    small, without = (plan(evaluate=one).set("data.files", files) for one in ({"folds": folds}, None))
    (before,) = (line for line in potluck.check(small).warnings if "evaluate.folds" in line)
    assert "each of 12 folds has fewer than 10 rows of all sites" in before
    found = potluck.run(small, out=tmp_path / "run")
    plain = potluck.run(without, out=tmp_path / "plain")
    assert found.document["model"]["digest"] == plain.document["model"]["digest"]
    told = Run.read(found.folder).folds
    rows = [one["rows"] for one in told["each"]]
    assert sum(rows) + found.document["metrics"]["federated"]["rows"] == 12
    assert rows.count(0) > 0
    assert all(one["accuracy"] is None for one in told["each"] if one["rows"] == 0)
    assert told["known"]["accuracy"] == folds - rows.count(0)
    line = next(line for line in found.document["warnings"] if "no rows at any site" in line)
    page = render(found.folder)
    for words in (
        line.split(":")[0],
        f"accuracy {told['known']['accuracy']})",
        f"models of {folds}, each trained without one fold",
    ):
        assert words in page


def test_a_site_keeps_the_runs_model_for_its_predictions_and_none_of_a_fold():
    noted, task = [], build(plan().spec)
    table = read(sites()["a"], plan().spec, "a")
    state = next(task.lead()).state
    for step in range(FOLDS + 1):
        list(_Noted(task, noted.append).contribute(task.ask(Kind.EVALUATE, step, state), table, system))
        assert len(noted) == 1


def test_finished_models_have_no_folds_and_a_plan_that_trains_has_nothing_else_of_the_table():
    with pytest.raises(PlanError, match="finished models that are judged"):
        plan(evaluate={"folds": 3, "by": "y"}).require()
    noise = {"noise": "shared", "unit": "row", "epsilon": 1.0, "delta": 1e-5, "clip": 1.0}
    training = {"method": "gradient", "rounds": 2, "expected_rows": 300}
    with pytest.raises(PlanError, match="share the run's epsilon"):
        plan("mask", privacy=noise, training=training).require()
    with pytest.raises(PlanError, match="folds"):
        plan(evaluate={"folds": 1}).require()
