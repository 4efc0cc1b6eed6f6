"""unit = "row": one row more or less moves either training or evaluation, by that row alone.

Evaluation shares the plan's epsilon with training only if no row is on both sides and no row moves another's side.
"""

import dataclasses

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from potluck.core.asks import Kind
from potluck.core.errors import DataError
from potluck.core.plan import (
    Column,
    Data,
    Federation,
    Model,
    Plan,
    PrivacyPlan,
    Protect,
    Split,
    Target,
    Training,
)
from potluck.core.rounds import Abort, Cause
from potluck.core.seeded import fraction
from potluck.dp.mechanism import mechanism
from potluck.learning.data import persons
from potluck.learning.data.table import read
from potluck.learning.loops import build
from potluck.learning.training.method import WIDEST
from potluck.secret.random import system
from support.learning.sums import before_noise


def plan(**data):
    return Plan(
        version=1,
        name="test",
        purpose="test",
        task="train",
        federation=Federation(sites=("a", "b", "c"), server="curious"),
        data=Data(
            **{
                "columns": {
                    "x": Column(kind="number", low=0, high=4),
                    "c": Column(kind="category", values=("u", "v"), missing="flag"),
                    "y": Column(kind="category", values=("0", "1")),
                },
                "target": Target(column="y", positive=("1",)),
                "split": Split(test=0.5),
            }
            | data
        ),
        protect=Protect(scheme="mask"),
        privacy=PrivacyPlan(noise="shared", unit="row", epsilon=1.0, delta=1e-5, clip=1.0),
        model=Model(kind="logistic"),
        training=Training(method="gradient", rounds=2, expected_rows=40),
    )


ROW = st.tuples(st.integers(0, 5), st.sampled_from(["u", "v", "w", ""]), st.sampled_from("01"))
"""Few different rows, so that most are there several times; 5 is beyond the range, "w" undeclared, "" missing."""


def sums(spec, table, weights):
    """(training sum, evaluation sum) as bounded, before noise."""
    task, found = build(spec), []
    for kind, step in ((Kind.TRAIN, 1), (Kind.EVALUATE, 0)):
        ask = task.ask(kind, step, np.array(weights, dtype="<f8").tobytes())
        bound = mechanism(spec, ask)
        batches = [before_noise(bound, given) for given in task.contribute(ask, table, system)]
        found.append((sum(batches, np.zeros(bound.grid.length)), bound.limit.l2[0]))
    return found


@given(st.lists(ROW, min_size=2, max_size=30), st.data(), st.lists(st.floats(-1e6, 1e6), min_size=5, max_size=5))
def test_one_row_moves_one_sum_by_its_own_clipped_part(rows, data, weights):
    spec = plan()
    names = ("x", "c", "y")
    gone = data.draw(st.integers(0, len(rows) - 1))
    order = data.draw(st.permutations([row for place, row in enumerate(rows) if place != gone]))
    full = sums(spec, read(pd.DataFrame(rows, columns=names), spec, "a"), weights)
    less = sums(spec, read(pd.DataFrame(order, columns=names), spec, "a"), weights)
    moved = [float(np.linalg.norm(one - other)) for (one, _), (other, _) in zip(full, less, strict=True)]
    for size, (_, most) in zip(moved, full, strict=True):
        assert size <= most * (1 + 1e-9)
    assert min(moved) == 0


@pytest.mark.parametrize("weights", [np.zeros(5), np.full(5, 1e6), np.array([0, 1e3, -1e3, 5e2, 1.0])])
def test_no_row_is_both_trained_on_and_tested_on(weights):
    spec = plan()
    rng = np.random.default_rng(1)
    frame = pd.DataFrame({"x": rng.integers(0, 4, 60), "c": ["u"] * 60, "y": rng.integers(0, 2, 60)})
    table = read(frame, spec, "a")
    (train, _), (test, _) = sums(spec, table, weights)
    none = dataclasses.replace(table, test=np.ones_like(table.test))
    every = dataclasses.replace(table, test=np.zeros_like(table.test))
    assert not sums(spec, none, weights)[0][0].any()
    assert not sums(spec, every, weights)[1][0].any()
    assert test.sum() == table.test.sum()
    assert train.any()


def test_with_a_split_column_a_row_is_where_it_says():
    spec = plan(split=Split(column="fold"))
    frame = pd.DataFrame({"x": [1, 2, 3], "c": ["u"] * 3, "y": [0, 1, 1], "fold": ["test", " test ", "train"]})
    assert read(frame, spec, "a").test.tolist() == [True, True, False]


def test_rows_that_merely_look_alike_do_not_move_one_another():
    """Rows that a coarser comparison calls equal would change sides with one another's ordinals."""
    spec = plan(columns={"x": Column(kind="number", low=0, high=1e12), "y": Column(kind="category", values=("0", "1"))})
    coarse = np.rint(np.array([0.0, 1.0]) * 2**32).astype("<i8").tobytes()
    held = [fraction(0, b"row\0" + coarse + i.to_bytes(8, "little")) < 0.5 for i in range(400)]
    x = [5e11 - 20 if i and held[i - 1] else 5e11 + 20 for i in range(400)]
    frame = pd.DataFrame({"x": x, "y": ["1"] * 400})
    full, less = (sums(spec, read(one, spec, "a"), [0.0, 1e6]) for one in (frame, frame.iloc[1:]))
    for (a, most), (b, _) in zip(full, less, strict=True):
        assert np.linalg.norm(a - b) <= most


@pytest.mark.parametrize("huge", [1.7e308, 1e300, 2 * WIDEST])
def test_a_model_that_would_overflow_is_refused_whatever_the_rows(huge):
    spec = plan()
    for weights in ([huge, -huge, huge, 0.0, huge], [0.0, huge, 0.0, 0.0, 0.0]):
        with pytest.raises(Abort) as stop:
            build(spec).ask(Kind.EVALUATE, 0, np.array(weights, dtype="<f8").tobytes())
        assert stop.value.cause is Cause.RANGE


@given(st.lists(st.sampled_from([0.0, WIDEST, -WIDEST]), min_size=5, max_size=5), st.lists(ROW, min_size=1, max_size=6))
def test_no_model_that_a_site_accepts_makes_it_fail_on_some_rows(weights, rows):
    spec = plan()
    frame = pd.DataFrame(rows, columns=["x", "c", "y"])
    for total, _ in sums(spec, read(frame, spec, "a"), weights):
        assert np.isfinite(total).all()


@pytest.mark.parametrize("pair", [("7", "07"), ("7", "7.0"), ("1e1", "10")])
def test_a_person_spelt_in_two_ways_is_refused(pair):
    spec = plan(person="who")
    frame = pd.DataFrame({"x": [1, 2], "c": ["u", "v"], "y": ["0", "1"], "who": list(pair)})
    with pytest.raises(DataError) as stop:
        read(frame, spec, "a")
    assert "two ways" in str(stop.value)


LOOKS = [
    ("P01", "P01\u200b"),
    ("P01", "P01\ufe0f"),
    ("P01", "\ufeffP01"),
    ("P 01", "P\u00a001"),
    ("P01", "P\uff10\uff11"),
    ("Ann Lee", "Ann  Lee"),
    ("7", "\uff17"),
    ("M\u00fcller", "M\u00fc\u00adller"),
]


@pytest.mark.parametrize("pair", LOOKS)
def test_a_person_whose_names_look_alike_is_not_two(pair, monkeypatch):
    spec = plan(person="who")
    frame = pd.DataFrame({"x": [1, 2], "c": ["u", "v"], "y": ["0", "1"], "who": list(pair)})
    with pytest.raises(DataError) as stop:
        read(frame, spec, "a")
    assert "two ways" in str(stop.value)
    assert pair[0] not in str(stop.value)
    monkeypatch.setattr(persons, "_alike", lambda name: name)  # the mend taken out: two units, without a word
    assert read(frame, spec, "a").person.tolist() == [0, 1]


def test_names_that_do_not_look_alike_are_persons_of_their_own():
    names = ["P01", "p01", "P 01", "\u5317\u4eac", "\u5317", "Zo\u00eb", "Zoe", "Nan", "Inf."]
    frame = pd.DataFrame({"x": 1, "c": "u", "y": ["0", "1"] * 4 + ["0"], "who": names})
    assert len(set(read(frame, plan(person="who"), "a").person.tolist())) == len(names)
