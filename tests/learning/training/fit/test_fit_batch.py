"""Batches of a fit: whose key it is, what is said where it changes nothing, and one public order at all owners."""

import numpy as np
import pytest

from potluck.api.plan.plan import Plan
from potluck.learning.data.columns import Columns, shuffled
from potluck.learning.training.fit_check import unfit
from potluck.learning.training.fit_linear import Regression
from support.learning.columns import plan

GRADIENT = {"method": "gradient", "batch": 32}


def columns(seed, target=None):
    draw = np.random.default_rng(seed)
    return Columns(draw.uniform(-1, 1, (50, 3)), draw.random(50) < 0.8, target, 40)


def test_all_owners_put_their_rows_into_one_order():
    marked = [columns(0, np.arange(50.0)), columns(1)]
    marked[1].features[:, 0] = np.arange(50.0) / 50
    one, other = (shuffled(each, 7) for each in marked)
    assert (one.target == np.rint(other.features[:, 0] * 50)).all()
    assert sorted(one.target) == list(range(50))
    assert (one.target[:40] != np.arange(40)).any()
    assert (one.target[40:] == np.arange(40, 50)).all()
    assert (one.keep == marked[0].keep[one.target.astype(int)]).all()
    assert other.target is None
    assert one.train == 40


def test_another_seed_is_another_order():
    first, second = (shuffled(columns(0), seed).features for seed in (0, 1))
    assert (first != second).any()


def test_rows_are_shared_in_that_order_where_there_are_batches_alone():
    for training, order in ((GRADIENT, "other"), ({"method": "gradient"}, "same"), ({"method": "newton"}, "same")):
        found = Regression(plan(training=training).spec).shared("bank", columns(0, np.zeros(50)))[0]
        assert (found == columns(0).features).all() == (order == "same")


@pytest.mark.parametrize(
    ("training", "size"), [(GRADIENT, 32), ({"method": "gradient"}, 90), ({"method": "newton"}, 90)]
)
def test_the_program_takes_as_many_rows_a_step_as_the_plan_says(training, size):
    assert Regression(plan(training=training).spec).recipe(90, 10).numbers["batch"] == size


@pytest.mark.parametrize("batch", [0, -1, (1 << 22) + 1])
def test_a_batch_that_cannot_be_is_refused(batch):
    errors, _ = plan(training=GRADIENT | {"batch": batch}).problems()
    assert [one for one in errors if one.startswith(f"training.batch: {batch} does not fit")]


def test_a_batch_of_more_rows_than_there_are_is_refused_once_they_are_counted():
    spec = plan(training=GRADIENT).spec
    assert unfit(spec, 32, 0) == ""
    assert unfit(spec, 31, 0).startswith("training.batch: 32 is more than the 31 rows to train on. hint: ")


@pytest.mark.parametrize(
    ("training", "key"),
    [
        ({"method": "newton", "batch": 32}, "batch"),
        ({"method": "newton", "expected_rows": 100}, "expected_rows"),
        ({"method": "newton", "range": 9.0}, "range"),
        ({"method": "newton", "epochs": 2}, "epochs"),
        ({"method": "newton", "seed": 2}, "seed"),
        ({"method": "gradient", "seed": 2}, "seed"),
    ],
)
def test_what_is_written_and_changes_nothing_is_said(training, key):
    errors, warnings = plan(training=training).problems()
    assert not errors
    assert [one.split(":")[0] for one in warnings if "is ignored" in one] == [f"training.{key}"]


def test_what_counts_is_not_said_to_be_ignored():
    for training in (GRADIENT | {"seed": 3}, {"method": "gradient"}, {"method": "newton"}):
        assert not [one for one in plan(training=training).problems()[1] if "is ignored" in one]


@pytest.mark.parametrize(("method", "size", "ignored"), [("newton", None, True), ("average", 32, False)])
def test_training_by_rows_takes_batches_at_each_site_alone(method, size, ignored):
    tables = {
        "name": "rows", "purpose": "test", "task": "train", "federation": {"sites": ["a", "b", "c"]},
        "data": {"columns": {"x": {"kind": "number", "low": 0, "high": 1}}, "target": {"column": "y",
                 "positive": ["1"]}, "split": {"test": 0.25}},
        "model": {"kind": "logistic"}, "privacy": {"noise": "none"}, "protect": {"with": "clear"},
    }  # fmt: skip
    assert Plan(**tables, training={"method": method}).spec.training.batch == size
    errors, warnings = Plan(**tables, training={"method": method, "batch": 16}).problems()
    assert not errors
    assert bool([one for one in warnings if one.startswith("training.batch: is ignored")]) == ignored
