"""Words of joint tasks stand where they belong, and are errors elsewhere."""

import pytest

from potluck.api.plan.grammar import parse
from potluck.api.plan.plan import Plan
from potluck.core.plan import Protect

BARE = {
    "version": 1, "name": "n", "purpose": "p", "task": "intersect", "federation": {"sites": ["a", "b"]},
    "align": {"keys": ["id"]}, "privacy": {"noise": "none"},
}  # fmt: skip
TRAIN = {
    "name": "n", "purpose": "p", "task": "train", "federation": {"sites": ["a", "b", "c"], "server": "curious"},
    "data": {"columns": {"x": {"kind": "number", "low": 0, "high": 1}, "y": {"kind": "category", "values": ["0", "1"]}},
             "target": {"column": "y", "positive": ["1"]}, "split": {"test": 0.2}},
    "model": {"kind": "logistic"}, "training": {"method": "newton"}, "protect": {"with": "mask"},
    "privacy": {"noise": "none"},
}  # fmt: skip


def test_an_intersection_needs_neither_data_nor_protection():
    plan = parse(BARE, "plan")
    assert plan.protect == Protect(scheme="psi")
    assert plan.data.columns == {}
    assert (plan.align.protocol, plan.align.duplicates, plan.align.reveal) == ("rr22", "refuse", "size")


@pytest.mark.parametrize("table", ["align", "fit", "predict"])
def test_a_table_of_another_task_is_an_error(table):
    more = {"align": {"keys": ["id"]}, "fit": {"to": ["a"]}, "predict": {"owner": "a", "client": "b"}}[table]
    errors, _ = Plan(**TRAIN, **{table: more}).problems()
    assert [line for line in errors if line.startswith(f"{table}: is for task = ")]


def test_an_owner_of_a_column_is_for_fit_alone_and_trees_are_boosted():
    columns = {**TRAIN["data"]["columns"], "x": {"kind": "number", "low": 0, "high": 1, "owner": "a"}}
    errors, _ = Plan(**{**TRAIN, "data": {**TRAIN["data"], "columns": columns}}).problems()
    assert 'hint: task = "fit"' in errors[0]
    errors, _ = Plan(**{**TRAIN, "model": {"kind": "trees"}}).problems()
    assert 'hint: method = "boosting"' in errors[0]


def test_training_is_not_protected_by_what_intersections_run_on():
    errors, _ = Plan(**{**TRAIN, "protect": {"with": "psi"}}).problems()
    assert errors[0].startswith('protect.with: "psi" does not carry out task = "train". hint: known for it: clear')
