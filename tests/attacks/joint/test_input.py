"""Wrong files of a fit's owners: each ends in a clear error, or in a right result that says what to mind of it."""

import numpy as np
import pandas as pd
import pytest

from potluck.core.errors import DataError
from potluck.learning.data.target import goal_of
from potluck.learning.evaluation.fit_metrics import metrics
from potluck.tasks.matching.alignment import read_keys
from support.parties.fit_scene import frames, newton, plan, result

SECRET = 0.7391


def of_common(given, column, value, among):
    """Set a column at its owner, in the rows of these keys."""
    for frame in given.values():
        if column in frame:
            frame.loc[frame.id.isin(among), column] = value


WRONG = {
    "a key column that is absent": (lambda g: g.update(o1=g["o1"].drop(columns="id")), "o1: there is no column 'id'"),
    "a key twice": (lambda g: g.update(o1=pd.concat([g["o1"], g["o1"].iloc[:2]])), "o1: lines whose key occurs before"),
    "a row without a key": (lambda g: g["o1"].__setitem__("id", [None, *g["o1"].id[1:]]), "o1: lines without a key: 1"),
    "a split column that is absent": (lambda g: g.update(o0=g["o0"].drop(columns="fold")), "no column 'fold'"),
    "a column that is absent": (lambda g: g.update(o1=g["o1"].drop(columns="x3")), "o1: there is no column 'x3'"),
    "all rows held out": (lambda g: g["o0"].__setitem__("fold", "test"), "the training side of the split is empty"),
    "no row at all": (lambda g: g.update(o1=g["o1"].iloc[:0]), "no row is common"),
    "a number that is infinite": (
        lambda g: g["o1"].__setitem__("x2", np.inf),
        "o1: column 'x2', lines 1, 2, 3, 4, 5 and 58 more: nan or inf",
    ),
    "a target of another kind": (lambda g: g["o0"].__setitem__("y", SECRET), "a target value that the plan does not"),
    "a word for a number": (lambda g: g["o1"].__setitem__("x2", f"about {SECRET}"), "o1: column 'x2', lines 1, 2"),
    "one class to train on": (lambda g: of_common(g, "y", 1, set(g["o0"].id)), "has one class on the training side"),
}


@pytest.mark.parametrize("what", WRONG)
def test_what_is_wrong_with_a_file_is_said_without_a_value_of_it(what):
    change, words = WRONG[what]
    given = frames(rows=60)
    change(given)
    with pytest.raises(DataError) as caught:
        result(plan(), given)
    assert words in str(caught.value)
    assert str(SECRET) not in str(caught.value)


def test_a_word_that_is_not_test_holds_out_nothing_and_the_reader_is_told():
    given = frames(rows=60)
    given["o0"]["fold"] = given["o0"].fold.replace("test", "holdout")
    found = result(plan(), given)
    assert found.metrics is None
    assert "no held-out row was counted: there are no metrics" in found.warnings


def test_held_out_rows_that_are_all_incomplete_give_no_metrics_of_either_kind():
    sides = goal_of(plan().spec)
    number = goal_of(
        plan(
            data__columns__y={"kind": "number", "low": -1, "high": 1, "owner": "o0"},
            data__target={"column": "y"},
            model__kind="linear",
        ).spec
    )
    for goal, none in ((sides, np.zeros((2, 256))), (number, np.zeros(4))):
        found, warnings = metrics(goal, [none])
        assert found is None
        assert warnings == ("the test split is empty: there are no metrics",)


def test_a_column_that_two_files_have_is_its_owners():
    given = frames(rows=60)
    right = result(plan(), given).model.weights
    given["o1"]["x0"] = SECRET
    assert np.abs(result(plan(), given).model.weights - right).max() < 1e-4


def test_long_keys_and_whole_numbers_match_as_text():
    given = frames(rows=40)
    right = result(plan(), given).model.weights
    for frame in given.values():
        frame["id"] = frame.id + "x" * 50_000
    assert np.abs(result(plan(), given).model.weights - right).max() < 1e-4
    for frame in given.values():
        frame["id"] = [int.from_bytes(one.encode()[:6], "big") for one in frame.id.str.replace("only o", "")]
    assert result(plan(), given).model.weights.shape == right.shape


def test_fewer_rows_than_coefficients_give_the_right_model_and_a_warning():
    given = frames(rows=60)
    few = [f"k{number}" for number in range(3)]
    given["o0"] = given["o0"][given["o0"].id.isin(few)].assign(y=[0, 1, 1], fold="train")
    found = result(plan(fit={"min_rows": 1}), given)
    whole = given["o0"].merge(given["o1"], on="id")
    x = np.column_stack([np.ones(3), *(whole[f"x{number}"] for number in range(4))])
    assert np.abs(found.model.weights - newton(x, whole.y.to_numpy(), np.ones(3), 1.0)).max() < 1e-4
    assert any("below 10 rows a coefficient" in one for one in found.warnings)


def test_keys_of_a_typed_frame_are_texts_or_an_error_with_a_line():
    spec = plan().spec
    whole = read_keys(pd.DataFrame({"id": [1.0, -0.0, np.inf, 0.5]}), spec, "o0")
    assert whole.texts == [("1",), ("0",), ("inf",), ("0.5",)]
    exact = read_keys(pd.DataFrame({"id": [2**60, 2**60 + 1]}), spec, "o0")
    assert exact.texts == [("1152921504606846976",), ("1152921504606846977",)]
    with pytest.raises(DataError, match="o0: lines without a key: 2"):
        read_keys(pd.DataFrame({"id": [1.0, np.nan]}), spec, "o0")
