"""Whole fits in batches with the engine: the steps of plain descent over the same batches, and as good a model."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from potluck.core.seeded import generator
from potluck.tasks.fit import halves as vertical
from support.parties.fit_scene import frames, plan, pooled
from support.parties.fit_tumours import NEAR, done, sides, tumours

pytestmark = pytest.mark.slow


def descended(x, y, keep, spec, l2):
    """x [n, p] in the order in which rows are shared -> the weights after all steps, in plain."""
    x, weights, n = np.column_stack([np.ones(len(x)), x]), np.zeros(x.shape[1] + 1), len(x)
    order = generator(spec["seed"], "fit").permutation(n)
    for step in range(spec["rounds"]):
        some = order[(step * spec["batch"] + np.arange(spec["batch"])) % n]
        error = (1 / (1 + np.exp(-x[some] @ weights)) - y[some]) * keep[some]
        ridge = l2 / n * np.array([0.0, *weights[1:]])
        weights = weights - spec["rate"] * (x[some].T @ error / spec["batch"] + ridge)
    return weights


def seen(monkeypatch):
    """The columns of each owner as it shares them, before they are put into batches."""
    found, right = {}, vertical.ordered

    def ordered(own, rows, test, owner):
        found[owner] = right(own, rows, test, owner)
        return found[owner]

    monkeypatch.setattr(vertical, "ordered", ordered)
    return found


def test_steps_are_those_of_plain_descent_over_the_same_batches(mpc_engine, tmp_path, monkeypatch):
    """Batches that do not divide the rows, a row with no value, and another seed than 0."""
    given, shared = frames(rows=400), seen(monkeypatch)
    given["o1"].loc[given["o1"].id == "k7", "x2"] = np.nan
    spec = {"method": "gradient", "rounds": 40, "rate": 1.0, "batch": 37, "seed": 5}
    made = plan(training=spec)
    made = made.set("data.columns.x2.missing", "drop")
    run = done(made, given, tmp_path / "run")
    one, other = (shared[owner] for owner in ("o0", "o1"))
    train, keep = one.train, one.keep & other.keep
    x = np.column_stack([one.features, other.features])[:train]
    weights = descended(x, one.target[:train], keep[:train], spec, l2=1.0)
    assert not keep.all()
    assert np.abs(run.model.weights - weights).max() < NEAR


def test_tumours_are_told_as_well_in_batches(mpc_engine, tmp_path):
    made, given, whole, names = tumours(30)
    made = made.set("training", {"method": "gradient", "rounds": 120, "rate": 2.0, "batch": 64})
    run = done(made, given, tmp_path / "run")
    train, test = sides(whole, names)
    best = LogisticRegression(C=1.0, tol=1e-10, max_iter=10_000).fit(*train)
    auc = roc_auc_score(test[1], best.decision_function(test[0]))
    assert abs(run.document["metrics"]["federated"]["auc"] - auc) < 0.002


def test_ten_thousand_rows_are_told_as_well_in_batches(mpc_engine, tmp_path):
    given = frames(rows=10_000, owners=10, seed=4)
    two = {f"o{side}": [f"x{n}" for n in range(20) if n // 10 == side] for side in (0, 1)}
    whole = pooled(given, 10)
    frames_ = {owner: whole[["id", *names, *(["y", "fold"] if owner == "o0" else [])]] for owner, names in two.items()}
    made = plan(training={"method": "gradient", "rounds": 150, "rate": 2.0, "batch": 256})
    columns = {name: {"kind": "number", "low": -1, "high": 1, "owner": owner} for owner in two for name in two[owner]}
    made = made.set("data.columns", columns | {"y": {"kind": "category", "values": ["0", "1"], "owner": "o0"}})
    run = done(made, frames_, tmp_path / "run")
    train, test = sides(whole, [f"x{n}" for n in range(20)])
    best = LogisticRegression(C=1.0, tol=1e-10).fit(*train)
    auc = roc_auc_score(test[1], best.decision_function(test[0]))
    assert abs(run.document["metrics"]["federated"]["auc"] - auc) < 0.002
