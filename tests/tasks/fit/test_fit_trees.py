"""Trees over columns at different owners, from tables to metrics; and who does not keep the rules is named."""

import numpy as np
import pytest
from sklearn.datasets import load_breast_cancer
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.metrics import accuracy_score, roc_auc_score

import potluck
from potluck.core.rounds import Abort, Cause
from potluck.learning.training import fit_trees

MODEL = {"kind": "trees", "depth": 3, "bins": 16, "l2": 1.0}


def tumours():
    """Breast cancer with 15 columns at each of two owners, in orders of their own, and a plan of them."""
    table = load_breast_cancer(as_frame=True).frame
    names = [name.replace(" ", "_") for name in table.columns[:-1]]
    table.columns = [*names, "y"]
    table["id"] = [f"k{row}" for row in range(len(table))]
    table["fold"] = np.where(np.random.default_rng(1).random(len(table)) < 0.34, "test", "train")
    columns = {
        name: {
            "kind": "number",
            "low": float(table[name].min()),
            "high": float(table[name].max()),
            "owner": "lab" if place < 15 else "clinic",
        }
        for place, name in enumerate(names)
    }
    plan = potluck.Plan(
        name="tumours",
        purpose="tests",
        task="fit",
        federation={"sites": ["lab", "clinic"], "server": "curious", "patience": 120},
        data={
            "columns": columns | {"y": {"kind": "category", "values": ["0", "1"], "owner": "clinic"}},
            "target": {"column": "y", "positive": ["1"]},
            "split": {"column": "fold"},
        },
        align={"keys": ["id"]},
        model=MODEL,
        training={"method": "boosting", "rounds": 12, "rate": 0.3},
        protect={"with": "share"},
        privacy={"noise": "none"},
    )
    given = {"lab": table[["id", *names[:15]]], "clinic": table[["id", "y", "fold", *names[15:]]]}
    return plan, {name: frame.sample(frac=1, random_state=7) for name, frame in given.items()}, table


@pytest.mark.slow
def test_tumours_are_told_as_well_as_by_scikit_learn_on_pooled_columns(mpc_engine, tmp_path):
    plan, given, table = tumours()
    run = potluck.run(plan, given, out=tmp_path / "out", ledger=tmp_path / "ledgers", compare=True)
    test = table.fold == "test"
    peer = HistGradientBoostingClassifier(
        max_depth=3, max_iter=12, learning_rate=0.3, l2_regularization=1.0, max_bins=16, early_stopping=False
    ).fit(table[~test].drop(columns=["y", "id", "fold"]), table.y[~test])
    right = roc_auc_score(table.y[test], peer.predict_proba(table[test].drop(columns=["y", "id", "fold"]))[:, 1])
    said, pooled = run.metrics["federated"], run.metrics["pooled"]
    assert said["auc"] > right - 0.005
    assert said["auc"] > pooled["auc"] - 0.005
    chances = run.model.predict_proba(table[test])[:, 1]
    assert said["rows"] == test.sum()
    assert said["accuracy"] == pytest.approx(accuracy_score(table.y[test], chances >= 0.5), abs=1.5 / test.sum())
    assert said["auc"] == pytest.approx(roc_auc_score(table.y[test], chances), abs=2e-3)
    assert {len(tree.leaves) for tree in run.model.forest.trees} == {8}


@pytest.mark.slow
def test_an_owner_that_shares_a_cut_out_of_range_is_named(mpc_engine, tmp_path, monkeypatch):
    plan, given, _ = tumours()
    plan = plan.set("training.rounds", 1)
    plan = plan.set("model.bins", 4)
    honest = fit_trees.Boosting.shared

    def shared(self, owner, columns):
        arrays = honest(self, owner, columns)
        if owner == "lab":
            arrays[1] = arrays[1] + 2.0
        return arrays

    monkeypatch.setattr(fit_trees.Boosting, "shared", shared)
    with pytest.raises(Abort) as caught:
        potluck.run(plan, given, out=tmp_path / "out", ledger=tmp_path / "ledgers")
    assert caught.value.cause is Cause.RANGE
    assert caught.value.party.name == "lab"
