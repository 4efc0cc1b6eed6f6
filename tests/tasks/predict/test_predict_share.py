"""Claims about a prediction under `share`: scores within the stated bound of plain ones, and who could see what."""

import csv
import json

import numpy as np
import pandas as pd
import pytest

import potluck
from potluck.api.local.check import check
from potluck.api.local.explain import explain
from potluck.api.local.run import run
from potluck.api.plan.plan import Plan
from potluck.core.errors import DataError, PlanError, Refused
from potluck.owner.budget import Budget
from potluck.report.page import render
from support.parties import predict_scene as scene
from support.parties import predict_trained as sets

SHARE = ('protect.with="share"', 'federation.server="curious"')
NAMES = ("alpha", "beta", "gamma")


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def plan(folder, model=None, *settings, text=None):
    return Plan.read(scene.settle(folder, model, text), [*SHARE, *settings])


def scored(folder, model=None, *settings, text=None, **how):
    return run(plan(folder, model, *settings, text=text), ledger=folder / "ledger", **how)


def table(path):
    with open(path, newline="") as file:
        return np.array([[float(cell or "nan") for cell in line[1:]] for line in list(csv.reader(file))[1:]])


def private(made, rows, **more):
    """The held-out rows scored under `share`, and in plain beside it."""
    asked = potluck.Plan(
        name="score", purpose="Score rows that nobody else sees", task="predict",
        federation={"sites": ["hospital", "clinic"], "server": "curious"}, data={"missing": ["?"]},
        model={"file": str(made.folder / "model.json")},
        predict={"owner": "hospital", "client": "clinic", "max_rows": len(rows)},
        protect={"with": "share"}, privacy={"noise": "none"},
    )  # fmt: skip
    return potluck.run(asked, {"clinic": rows}, ledger="ledger", compare=True, **more)


def held_out(rows):
    return rows[rows.fold == "test"].drop(columns="fold")


# --- Scores ---


@pytest.mark.slow
def test_a_whole_heart_test_set_has_the_labels_and_scores_of_plain_scoring(mpc_engine):
    made = sets.trained(sets.heart(), sets.heart_columns(), sets.BINARY, {"kind": "logistic"}, sets.NEWTON)
    rows = held_out(sets.heart())
    done = private(made, rows)
    beside = done.document["agreement"]
    assert beside["same_labels"] == beside["rows"] > 150
    assert beside["largest_error"] <= done.document["max_error_bound"] < 1e-5
    with Budget(next(iter(sorted(done.folder.parents[1].glob("ledger/hospital*.sqlite"))))) as ledger:
        assert [one.rows for one in ledger.scored()] == [beside["rows"]]
    assert "Rows and model left in shares" in render(done.folder)


@pytest.mark.slow
def test_the_whole_breast_cancer_test_set_has_the_labels_and_scores_of_plain_scoring(mpc_engine):
    rows, target = sets.breast(), {"column": "y", "positive": ["1"]}
    numbers = rows.drop(columns=["y", "fold"])
    columns = {c: {"kind": "number", "low": 0, "high": float(numbers[c].max())} for c in numbers}
    done = private(sets.trained(rows, columns, target, {"kind": "logistic"}, sets.NEWTON), held_out(rows))
    beside = done.document["agreement"]
    assert beside["same_labels"] == beside["rows"] > 150
    assert beside["largest_error"] <= done.document["max_error_bound"] < 1e-5


@pytest.mark.slow
def test_several_labels_are_scored_within_the_bound(mpc_engine, here):
    beside = scored(here, scene.labels(), compare=True).document["agreement"]
    assert beside["same_labels"] == beside["rows"] == 7
    assert beside["largest_error"] < 1e-4


@pytest.mark.slow
@pytest.mark.parametrize("activation", ["relu", "tanh", "square"])
@pytest.mark.parametrize("target", [sets.BINARY, sets.CLASSES, sets.NUMBER], ids=["binary", "classes", "number"])
def test_networks_of_every_kind_are_scored_within_the_bound(mpc_engine, activation, target):
    pytest.importorskip("torch")
    columns = sets.heart_columns("flag", target)
    model = {"kind": "network", "layers": [8, 4], "activation": activation}
    made = sets.trained(sets.heart(), columns, target, model, sets.AVERAGE)
    done = private(made, held_out(sets.heart())[:60])
    beside = done.document["agreement"]
    unsure = [int(note.split()[0]) for note in done.document["notes"] if "labels may differ" in note]
    assert target is sets.NUMBER or beside["same_labels"] >= beside["rows"] - sum(unsure)
    assert beside["largest_error"] <= done.document["max_error_bound"]


@pytest.mark.slow
@pytest.mark.parametrize("activation", ["relu", "square"])
def test_labels_of_twenty_digits_by_784_64_10_are_those_in_plain(mpc_engine, activation):
    pytest.importorskip("torch")
    rows = sets.digits()
    columns = {"px*": {"kind": "number", "low": 0, "high": 16}}
    target = {"column": "y", "classes": [str(digit) for digit in range(10)]}
    training = {"method": "average", "rounds": 6, "epochs": 3, "rate": 0.01 if activation == "square" else 0.1}
    made = sets.trained(rows, columns, target, {"kind": "network", "layers": [64], "activation": activation}, training)
    some = held_out(rows)[:20]
    done = private(made, some)
    beside = done.document["agreement"]
    assert beside["same_labels"] == beside["rows"] == 20
    assert beside["largest_error"] <= done.document["max_error_bound"]
    assert (sets.labels(done) == some.y.to_numpy()).mean() > 0.7


@pytest.mark.slow
def test_numbers_by_a_linear_model_keep_their_place(mpc_engine, here):
    done = scored(here, scene.logistic(scene.AGE, scene.WEIGHT), text="age,kg\n30,70\n40,NA\n50,\n60,80\n")
    assert (~np.isnan(table(done.document["predictions"])[:, 0])).tolist() == [True, False, False, True]
    done = scored(here, scene.linear(), compare=True)
    assert done.document["agreement"]["largest_error"] <= done.document["max_error_bound"] < 1e-5


@pytest.mark.slow
def test_more_rows_than_agreed_are_refused_before_anything_leaves(mpc_engine, here):
    with pytest.raises(Refused, match=r"predict\.max_rows \(6\)"):
        scored(here, None, "predict.max_rows=6")
    with pytest.raises(DataError, match="no row can be scored"):
        scored(here, None, text="age,sex\n")


@pytest.mark.slow
def test_weights_that_numbers_of_64_bits_do_not_carry_are_wrong_input(mpc_engine, here):
    model = scene.logistic()
    model.weights[1] = 2.0**45
    with pytest.raises(PlanError, match="weights are too large") as stop:
        scored(here, model)
    assert stop.value.hint == 'protect.with = "tee"'


# --- Plans ---


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        (['federation.server="lying"'], "parties that follow the protocol"),
        (['protect.compute=["x"]'], "two or three compute parties, the plan names 1"),
        (['protect.compute=["x","x"]'], "one is there twice"),
        (['protect.compute=["x","x","y"]'], "one is there twice"),
        (['protect.compute=["x","y","server"]'], "neither may compute"),
    ],
)
def test_plans_that_share_cannot_keep_are_refused_with_a_hint(here, settings, words):
    errors, _ = plan(here, None, *settings).problems()
    assert any(words in line and ". hint: " in line for line in errors), errors


def test_many_rows_at_once_is_what_a_plan_gets_whatever_the_model(here):
    assert plan(here, scene.network()).spec.predict.mode == "batch"


@pytest.mark.slow
def test_check_rehearses_with_the_engines_and_forecasts_what_is_sent(mpc_engine, here):
    told = check(plan(here))
    assert told.errors == []
    assert told.seconds > 0
    assert (told.forecast["parameters"], told.forecast["query"], told.forecast["reply"]) == ("none", 16 * 150, 48 * 50)


# --- Who sees what ---


def seen(made, *coalition):
    return {(row["party"], row["of"]): row for row in explain(made, coalition).rows()}


def test_views_say_what_each_party_holds_and_that_two_who_compute_open_everything(here):
    rows = seen(plan(here))
    for of in ("clinic's rows", "clinic's scores", "the model"):
        for name in NAMES:
            assert rows[name, of]["form"] == "share"
            assert "2 of alpha, beta, gamma collude" in rows[name, of]["breaks_if"]
            assert "any two of alpha, beta, gamma" in rows[name, of]["note"]
        assert rows["server", of]["form"] == "nothing"
        assert rows["broker", of]["form"] == "ciphertext"
    assert rows["hospital", "clinic's rows"]["form"] == rows["hospital", "clinic's scores"]["form"] == "nothing"
    assert rows["clinic", "the model"]["form"] == "released"
    assert rows["clinic", "the card"]["form"] == "plain"


@pytest.mark.parametrize(
    ("who", "form"),
    [
        (("alpha",), "share"),
        (("server", "alpha"), "share"),
        (("hospital", "beta"), "share"),
        (("alpha", "gamma"), "plain"),
        (("clinic", "alpha"), "plain"),
    ],
)
def test_what_a_coalition_sees_of_the_rows(here, who, form):
    made = plan(here)
    assert {row["of"]: row["form"] for row in explain(made, list(who)).rows()}["clinic's rows"] == form


# --- What is recorded, and across machines ---


@pytest.mark.slow
def test_the_recorded_letters_hold_no_number_of_rows_model_or_scores(mpc_engine, here):
    done = scored(here, scene.network(), out=here / "out", record=True)
    lines = [json.loads(line) for line in (done.folder / "parcels" / "index.jsonl").read_text().splitlines()]
    seen = b"".join((done.folder / "parcels" / one["file"]).read_bytes() for one in lines)
    assert {"predict/share/model", "predict/share/rows", "predict/share/scores"} <= {one["step"] for one in lines}
    model = scene.network()
    features = model.features(here / "rows.csv")
    numbers = [*features.ravel(), *model.weights, *model.margins(features).ravel()]
    assert not [one for one in numbers if one not in (0.0, 1.0, -1.0) and np.float64(one).tobytes() in seen]
    steps = np.rint(np.array([one for one in features.ravel() if abs(one) not in (0, 1)]) * 2.0**26).astype(np.int64)
    assert not [one for one in steps if one.tobytes() in seen]


@pytest.mark.slow
def test_across_machines_the_client_has_the_scores_of_one_process(mpc_engine, here):
    from potluck.api.network.up import up

    path = scene.settle(here)
    text = path.read_text().replace('with = "he"', 'with = "share"')
    path.write_text(text.replace('["hospital", "clinic"]', '["hospital", "clinic"]\nserver = "curious"'))
    alone = run(Plan.read(path), ledger=here / "ledger", out=here / "alone")
    apart = up(Plan.read(path), out=here / "apart")
    first, second = (pd.read_csv(one.document["predictions"]) for one in (alone, apart))
    pd.testing.assert_frame_equal(first, second, check_exact=True)
    assert apart.document["max_error_bound"] == alone.document["max_error_bound"]
