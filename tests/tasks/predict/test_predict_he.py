"""Claims about a prediction under `he`, with the real engine: the scores are those of `score`, within its bound."""

import csv

import numpy as np
import pytest

from potluck.api.local.check import check
from potluck.api.local.explain import explain
from potluck.api.local.run import run
from potluck.api.plan.plan import Plan
from potluck.core.errors import PlanError
from support.parties import predict_scene as scene


@pytest.fixture(autouse=True)
def engine(he_engine, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)


def scored(folder, model, *settings, text=None, **how):
    return run(Plan.read(scene.settle(folder, model, text), settings), ledger=folder / "ledger", **how)


LABELS = pytest.param(scene.labels(), marks=pytest.mark.slow)


@pytest.mark.parametrize(
    "model",
    [
        scene.logistic(),
        pytest.param(scene.linear(), marks=pytest.mark.slow),
        pytest.param(scene.network(), marks=pytest.mark.slow),
        LABELS,
    ],
    ids=lambda m: m.target.side,
)
def test_the_scores_are_those_of_plain_scoring_within_the_bound(tmp_path, model):
    done = scored(tmp_path, model, compare=True)
    with done.predictions.open(newline="") as file:
        head, *lines = csv.reader(file)
    columns, plain = model.scored(tmp_path / "rows.csv")
    assert head == ["row", *columns]
    ours = np.array([[float(cell) for cell in line[1:]] for line in lines])
    bound = done.document["max_error_bound"]
    assert np.abs(ours - np.array(plain)).max() <= bound < 0.01 * np.ptp(np.array(plain))
    assert done.document["agreement"]["same_labels"] in (7, None)


def test_columns_of_every_kind_are_scored_as_in_training(tmp_path):
    model = scene.logistic(scene.AGE, scene.SEX, scene.CHOL, scene.WEIGHT)
    text = "age,sex,chol,kg\n30,1,NA,70\n95,7,200,60\n40,0,500,NA\n20,1,,150\n"
    done = scored(tmp_path, model, text=text, compare=True)
    with done.predictions.open(newline="") as file:
        scores = [line[1] for line in list(csv.reader(file))[1:]]
    assert [score != "" for score in scores] == [True, True, False, True]
    assert done.document["agreement"]["largest_error"] <= done.document["max_error_bound"]


@pytest.mark.slow
def test_what_check_forecasts_is_about_what_is_sent(tmp_path):
    told = check(scene.settle(tmp_path))
    assert told.errors == []
    sent = scored(tmp_path, scene.logistic()).document["rounds"][0]["bytes_up"]
    assert 0.5 < (told.forecast["keys"] + told.forecast["query"] + told.forecast["reply"]) / sent < 2


def test_a_network_that_cannot_be_carried_is_wrong_input(tmp_path):
    with pytest.raises(PlanError) as error:
        scored(tmp_path, scene.deep(12))
    assert error.value.where == "plan.toml"
    assert error.value.hint


def test_nobody_but_the_client_is_said_to_read_rows_or_scores(tmp_path):
    seen = {(row["party"], row["of"]): row["form"] for row in explain(scene.settle(tmp_path)).rows()}
    for party in ("hospital", "server", "broker"):
        assert seen[party, "clinic's rows"] == seen[party, "clinic's scores"] == "ciphertext"
    assert seen["server", "the model"] == "nothing"
