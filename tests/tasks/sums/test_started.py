"""Runs that go on from an earlier run's model: of a method without memory two such runs come to what one comes to."""

from importlib.util import find_spec

import numpy as np
import pandas as pd
import pytest

import potluck
from potluck.core.errors import PlanError, UsageError
from support.parties import scene

deep = pytest.mark.skipif(find_spec("torch") is None, reason="the networks extra is missing")
MODELS = {
    "logistic": {"kind": "logistic"},
    "linear": {"kind": "linear"},
    "network": {"kind": "network", "layers": [5, 3], "activation": "tanh", "l2": 0.1},
}
kinds = pytest.mark.parametrize(
    "kind",
    [
        "logistic",
        pytest.param("linear", marks=pytest.mark.slow),
        pytest.param("network", marks=[pytest.mark.torch, deep, pytest.mark.slow]),
    ],
)


def plan(kind="logistic", rounds=10, word="clear", **more):
    made = scene.plan(word=word, server="curious").set("model", MODELS[kind])
    if kind == "linear":
        made = made.set("data", made.tables["data"] | {"columns": made.tables["data"]["columns"] | {"y": SIDE}})
        made = made.set("data.target", {"column": "y"})
    made = made.set("training", {"method": "gradient", "rounds": rounds, "expected_rows": 100, "rate": 0.2})
    for key, value in more.items():
        made = made.set(key.replace("__", "."), value)
    return made


SIDE = {"kind": "number", "low": 0, "high": 1}


def done(made, folder):
    return potluck.run(made, scene.frames(), out=folder, ledger=folder.parent / "ledger")


@kinds
def test_five_rounds_and_five_from_there_are_ten(tmp_path, kind):
    whole = done(plan(kind), tmp_path / "whole")
    done(plan(kind, 5), tmp_path / "half")
    again = plan(kind, 5, word="mask", model__start=str(tmp_path / "half" / "model.json"))
    assert done(again, tmp_path / "rest").model.digest() == whole.model.digest()
    assert again.spec.model.first == potluck.Model.read(tmp_path / "half" / "model.json").digest()


@pytest.mark.slow
def test_newton_and_averages_begin_there_too(tmp_path):
    """Newton from its own fit stays there: a gradient of zero. Averaging has local steps by a seed, so two rounds of it
    are not one and one, but a first round is that of no other model."""
    how = {"method": "newton", "rounds": 8}
    fit = done(plan(training=how), tmp_path / "fit").model
    stays = done(
        plan(training=how | {"rounds": 1}, model__start=str(tmp_path / "fit" / "model.json")), tmp_path / "stays"
    )
    np.testing.assert_allclose(stays.model.weights, fit.weights, atol=1e-9)
    averaged = {"method": "average", "rounds": 1, "rate": 1e-6}
    near = done(plan(training=averaged, model__start=str(tmp_path / "fit" / "model.json")), tmp_path / "near")
    np.testing.assert_allclose(near.model.weights, fit.weights, atol=1e-4)


@pytest.mark.slow
def test_the_hash_holds_which_model_and_not_where_it_lies(tmp_path):
    done(plan(rounds=2), tmp_path / "a")
    done(plan(rounds=2, word="mask"), tmp_path / "b")
    done(plan(rounds=3), tmp_path / "c")
    hashes = {name: plan(model__start=str(tmp_path / name / "model.json")).hash for name in "abc"}
    assert hashes["a"] == hashes["b"] != hashes["c"]
    assert plan().hash not in hashes.values()


def other_range(made):
    columns = made.tables["data"]["columns"]
    return made.set("data.columns", columns | {"x": columns["x"] | {"high": 4}})


def one_more(made):
    return made.set("data.columns", made.tables["data"]["columns"] | {"w": {"kind": "number", "low": 0, "high": 1}})


def other_side(made):
    return made.set("data.target", {"column": "y", "positive": ["0"]})


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (other_range, "was trained on other columns"),
        (one_more, "was trained on other columns"),
        (other_side, "was trained to predict another target"),
        (lambda made: made.set("model.kind", "linear"), "is a model of kind logistic, the plan trains linear"),
        (lambda made: made.set("model.first", "sha256:" + "0" * 64), "model.first: is not that of model.start"),
        (
            lambda made: made.set("training", {"method": "average", "range": 1e-3}),
            r"a weight begins beyond training\.range \(0\.001\)",
        ),
    ],
)
def test_what_does_not_fit_is_refused_by_name(tmp_path, change, said):
    done(plan(rounds=2), tmp_path / "earlier")
    made = plan(model__start=str(tmp_path / "earlier" / "model.json"))
    with pytest.raises(PlanError, match=said):
        change(made).require()


@pytest.mark.torch
@deep
def test_other_layers_are_refused_by_name(tmp_path):
    done(plan("network", 1), tmp_path / "earlier")
    with pytest.raises(PlanError, match=r"has layers \[5, 3\] of tanh, the plan \[5, 4\] of tanh"):
        plan("network", 1).set(
            "model", MODELS["network"] | {"layers": [5, 4], "start": str(tmp_path / "earlier/model.json")}
        )


def test_a_model_that_is_not_there_is_no_start(tmp_path):
    with pytest.raises(UsageError, match="no such model file"):
        plan(model__start=str(tmp_path / "model.json"))
    with pytest.raises(PlanError, match=r"model\.first: that model is not here"):
        plan(model__first="sha256:" + "0" * 64).require()


def test_a_fit_over_columns_begins_anew_and_says_so(tmp_path):
    done(plan(rounds=2), tmp_path / "earlier")
    made = plan(model__start=str(tmp_path / "earlier" / "model.json")).set("task", "fit")
    assert 'model.start: task = "fit" begins anew. hint: task = "train", or leave it out' in made.problems()[0]


def test_columns_by_pattern_are_compared_when_files_are_read(tmp_path):
    spread = {"kind": "number", "low": -3, "high": 3}
    frames = {name: frame.rename(columns={"x": "a1", "z": "a2"}) for name, frame in scene.frames().items()}
    made = plan(rounds=2, data__columns={"a*": spread})
    potluck.run(made, frames, out=tmp_path / "earlier", ledger=tmp_path / "l")
    again = plan(rounds=1, data__columns={"a*": spread}, model__start=str(tmp_path / "earlier" / "model.json"))
    potluck.run(again, frames, out=tmp_path / "again", ledger=tmp_path / "l")
    wider = {
        name: pd.concat([frame, frame[["a1"]].rename(columns={"a1": "a3"})], axis=1) for name, frame in frames.items()
    }
    with pytest.raises(PlanError, match="was trained on other columns"):
        potluck.run(again, wider, out=tmp_path / "wider", ledger=tmp_path / "l")
