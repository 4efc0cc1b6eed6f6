"""Whole test sets under `he`: the labels are those of plain scoring, with any model that `run` wrote."""

import numpy as np
import pytest

from support.parties import predict_trained as sets


@pytest.fixture(autouse=True)
def engine(he_engine, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)


def held_out(table):
    return table[table.fold == "test"].drop(columns="fold")


slow = pytest.mark.slow


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["batch", pytest.param("single", marks=slow)])
@pytest.mark.parametrize("name", ["heart", pytest.param("breast", marks=slow)])
def test_labels_of_a_whole_test_set_are_those_in_plain(name, mode):
    if name == "heart":
        table, columns, target = sets.heart(), sets.heart_columns(), sets.BINARY
    else:
        table, target = sets.breast(), {"column": "y", "positive": ["1"]}
        numbers = table.drop(columns=["y", "fold"])
        columns = {c: {"kind": "number", "low": 0, "high": float(numbers[c].max())} for c in numbers}
    done = sets.trained(table, columns, target, {"kind": "logistic"}, sets.NEWTON)
    beside = sets.agrees(sets.scored(done.folder / "model.json", held_out(table), mode))
    assert beside["same_labels"] == beside["rows"] > 150
    assert beside["largest_error"] < 1e-6


@pytest.mark.slow
@pytest.mark.parametrize("mode", [pytest.param("batch", marks=slow), "single"])
def test_numbers_by_a_linear_model_are_those_in_plain(mode):
    table, columns = sets.heart(), sets.heart_columns("flag", sets.NUMBER)
    done = sets.trained(table, columns, sets.NUMBER, {"kind": "linear"}, {"method": "newton", "rounds": 1})
    rows = held_out(table) if mode == "batch" else held_out(table)[:40]
    found = sets.scored(done.folder / "model.json", rows, mode)
    assert sets.agrees(found)["same_labels"] is None
    assert found.document["max_error_bound"] < 1e-5


NETWORKS = [
    pytest.param(
        shape,
        activation,
        mode,
        marks=[slow] if activation != "square" or shape or mode == "single" else [],
    )
    for shape in ([], [5], [5, 4], [5, 4, 3])
    for activation in ("square", "tanh", "relu")
    for mode in ("batch", "single")
    if shape or activation == "square"
]


@pytest.mark.slow
@pytest.mark.parametrize(("shape", "activation", "mode"), NETWORKS)
def test_every_network_that_a_plan_allows_is_scored_within_the_bound(shape, activation, mode):
    table, columns = sets.heart(), sets.heart_columns("flag")
    model = {"kind": "network", "layers": shape, "activation": activation}
    done = sets.trained(table, columns, sets.CLASSES, model, sets.AVERAGE)
    found = sets.scored(done.folder / "model.json", held_out(table)[:4], mode)
    beside = sets.agrees(found)
    unsure = [int(note.split()[0]) for note in found.document["notes"] if "labels may differ" in note]
    assert beside["same_labels"] >= beside["rows"] - sum(unsure)
    fitted = [note for note in found.document["notes"] if "polynomial of degree" in note]
    assert bool(fitted) == (bool(shape) and activation != "square")


@pytest.mark.slow
@pytest.mark.parametrize("target", [sets.BINARY, pytest.param(sets.NUMBER, marks=slow)], ids=["binary", "number"])
def test_a_network_scores_two_sides_and_numbers_too(target):
    table, columns = sets.heart(), sets.heart_columns("flag", target)
    model = {"kind": "network", "layers": [4], "activation": "square"}
    done = sets.trained(table, columns, target, model, sets.AVERAGE)
    beside = sets.agrees(sets.scored(done.folder / "model.json", held_out(table)[:6]))
    assert beside["same_labels"] in (beside["rows"], None)


@pytest.mark.slow
@pytest.mark.parametrize("activation", ["square", "relu"])
def test_labels_of_a_hundred_digits_by_784_64_10_are_those_in_plain(activation, capsys):
    table = sets.digits()
    model = {"kind": "network", "layers": [64], "activation": activation}
    columns = {"px*": {"kind": "number", "low": 0, "high": 16}}
    target = {"column": "y", "classes": [str(digit) for digit in range(10)]}
    training = {"method": "average", "rounds": 6, "epochs": 3, "rate": 0.01 if activation == "square" else 0.1}
    done = sets.trained(table, columns, target, model, training)
    rows = held_out(table)
    found = sets.scored(done.folder / "model.json", rows)
    beside = sets.agrees(found)
    with capsys.disabled():
        right = (sets.labels(found) == rows.y.to_numpy()).mean()
        print(f"\n784-64-10 {activation}: {beside}, right {right:.2f}, bound {found.document['max_error_bound']}")
    assert beside["same_labels"] == beside["rows"] == 100
    assert right > 0.8


def _tiny():
    from support.parties import predict_scene as scene

    return scene.logistic()


def test_how_many_labels_are_too_near_to_the_border_is_counted():
    from potluck.learning.data.target import Goal
    from potluck.learning.models.scoring import border

    two = Goal(column="y", side="binary", positive=("1",))
    many = Goal(column="y", side="classes", classes=("a", "b", "c"))
    labels = Goal(side="labels", columns=("a", "b"), positive=("1",))
    assert border(labels, np.array([[0.1, 3.0], [0.2, -3.0], [0.2, 0.1]]), 0.15) == 2
    assert border(two, np.array([[0.1], [-0.2], [3.0]]), 0.15) == 1
    assert border(many, np.array([[1.0, 1.2, 0.0], [1.0, 3.0, 0.0]]), 0.11) == 1
    assert border(Goal(column="y", side="number"), np.zeros((3, 1)), 1.0) == 0
