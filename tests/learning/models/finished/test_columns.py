"""Columns that a plan takes from its models are the fields that these were trained on."""

import numpy as np
import pytest

from potluck.core.plan import Column, Data, Model, Target, Training
from potluck.core.tables.derived import Derive
from potluck.learning.data.column import COLUMNS
from potluck.learning.data.encode import encoding
from potluck.learning.data.target import goal_of
from potluck.learning.models.finished.columns import column_of
from potluck.learning.models.model import model
from support.learning.judged import finished, plan
from support.learning.sums import make

EACH = {
    "number": Column(kind="number", low=0, high=3, missing="flag"),
    "category": Column(kind="category", values=("a", "b"), reference="a", missing="drop"),
    "date": Column(kind="date", format="%d.%m.%Y"),
    "image": Column(kind="image", shape=(1, 4, 4), low=0, high=255),
    "tensor": Column(kind="tensor", shape=(3,), low=-5, high=5),
    "text": Column(kind="text", length=8, digest=f"sha256:{'0' * 64}"),
}


@pytest.mark.parametrize("kind", EACH)
def test_a_column_and_its_field_say_the_same(kind):
    made = COLUMNS.of(kind).field("it", EACH[kind])
    assert column_of(made) == EACH[kind]
    assert COLUMNS.of(kind).field("it", column_of(made)) == made


@pytest.mark.parametrize("kind", ["logistic", "linear", "narrow"])
def test_the_plan_makes_the_models_features(tmp_path, kind):
    found = finished(kind)
    assert encoding(plan(tmp_path, [found]).spec).fields == found.encoding.fields
    grouped = encoding(plan(tmp_path, [found], by="sex").spec).fields
    assert {one.name for one in grouped} == {"sex", *(one.name for one in found.encoding.fields)}


def test_what_is_derived_comes_with_what_it_is_made_of(tmp_path):
    """A model whose age is reckoned from a day of birth reads that day elsewhere too."""
    age = Derive(kind="years", source="born", to="2025-01-01", low=0, high=110)
    data = Data(columns={"born": EACH["date"]}, derive={"age": age}, target=Target(column="y", positive=("1",)))
    trained = make(data=data, model=Model(kind="logistic"), training=Training(method="newton"))
    found = model(trained, np.array([0.1, -1.0]))
    made = plan(tmp_path, [found])
    assert list(made.spec.data.columns) == ["born"]
    assert made.spec.data.derive == {"age": age}
    assert made.require() == []
    assert encoding(made.spec).fields == found.encoding.fields


@pytest.mark.parametrize("kind", ["logistic", "linear"])
def test_a_target_may_be_called_otherwise_and_is_what_the_model_says(tmp_path, kind):
    found = finished(kind)
    made = plan(tmp_path, [found], data={"target": {"column": "mine"}})
    assert made.require() == []
    goal = goal_of(made.spec)
    assert (goal.column, goal.side, goal.positive) == ("mine", found.target.side, found.target.positive)
    assert (goal.low, goal.high) == (found.target.low, found.target.high)


def test_a_pattern_gives_way_to_the_models_names(tmp_path):
    wide = {"*": {"kind": "number", "low": 0, "high": 1}}
    made = plan(tmp_path, [finished()], data={"columns": wide})
    assert set(made.spec.data.columns) == {"n", "c", "m"}
    assert made.require() == []
