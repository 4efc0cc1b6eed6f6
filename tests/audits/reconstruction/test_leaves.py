"""Leaves of one row tell its side: beside scikit-learn's trees, on the program's own, and not where rows are many."""

from dataclasses import replace

import numpy as np
import pytest
from sklearn.ensemble import HistGradientBoostingClassifier
from threadpoolctl import threadpool_limits

import potluck
from potluck.audits.attack import Until
from potluck.audits.reconstruction.leaves import LEAVES, alone, places
from potluck.audits.seen import Seen
from potluck.core.seeded import generator
from potluck.learning.data.table import Table
from potluck.learning.models.boosted.forest import Forest, Tree
from potluck.learning.training.fit_trees import grown

FOREVER = Until(float("inf"), generator(0))


def fit(depth=4, positive=("1",), **data):
    numbers = {name: {"kind": "number", "low": -1, "high": 1, "owner": "lab"} for name in "uvw"}
    target = {"y": {"kind": "category", "values": ["0", "1"], "owner": "clinic"}}
    return potluck.Plan(
        name="t", purpose="a test", task="fit", federation={"sites": ["lab", "clinic"], "server": "curious"},
        data={"columns": numbers | target, "target": {"column": "y", "positive": list(positive)}} | data,
        align={"keys": ["id"]}, model={"kind": "trees", "depth": depth, "bins": 16, "l2": 1.0},
        training={"method": "boosting", "rounds": 2, "rate": 0.3}, protect={"with": "share"},
        privacy={"noise": "none"},
    )  # fmt: skip


def rows(count, seed=0):
    rng = np.random.default_rng(seed)
    features = rng.uniform(-1, 1, (count, 3))
    return features, (features[:, 0] + rng.normal(0, 0.5, count) > 0.2).astype(float)


def known(plan, features, target):
    """What the lab, which has no targets, knows of a model that it reads, and the rows."""
    model = grown(plan.spec, features, target)
    table = Table(features, target, None, np.zeros(len(target), np.bool_), {}, ())
    return Seen(plan.spec, frozenset({"lab"}), (), {}, released=model), {"clinic": table}


def test_leaves_of_one_row_in_trees_of_scikit_learn_are_told():
    """The first trees of an independent program: its own counts say which leaves hold one row."""
    found = singles = 0
    for seed in range(4):
        features, target = rows(60, seed)
        theirs = HistGradientBoostingClassifier(
            max_depth=4, max_iter=1, learning_rate=0.3, l2_regularization=1.0, min_samples_leaf=1, early_stopping=False
        )
        with threadpool_limits(1):
            theirs.fit(features, target)
        nodes = theirs._predictors[0][0].nodes
        leaves = nodes[nodes["is_leaf"] == 1]
        tree = Tree(features=("u",) * 15, cuts=(0.0,) * 15, leaves=tuple(map(float, leaves["value"])))
        said = alone(Forest(first=float(theirs._baseline_prediction.item()), trees=(tree,)), 0.3, 1.0)
        single = {place for place, count in enumerate(leaves["count"]) if count == 1}
        assert single <= said.keys()
        singles, found = singles + len(single), found + len(said)
    assert singles > 5
    assert found == singles


def test_rows_that_are_alone_are_read_off_the_model_by_whoever_has_not_their_targets():
    seen, truth = known(fit(), *rows(40))
    (found,) = LEAVES.tried(seen, FOREVER)
    it = found.judged(truth)
    at = places(seen.released.forest.trees[0], seen.released.encoding, truth["clinic"].features)
    lonely = (np.bincount(at, minlength=16) == 1).sum()
    assert it.succeeded
    assert it.score == pytest.approx(lonely / 40)
    assert f"the side of {lonely} of 40 rows was read off the model" in it.words
    other = Table(truth["clinic"].features, 1 - truth["clinic"].target, None, np.zeros(40, np.bool_), {}, ())
    assert not found.judged({"clinic": other}).succeeded  # the sides are those of the rows, not of any
    assert found.judged({}).succeeded is None


def test_leaves_of_many_rows_tell_of_none():
    seen, _ = known(fit(depth=2), *rows(2000))
    assert list(LEAVES.tried(seen, FOREVER)) == []
    ((control, truth),) = LEAVES.control(seen, FOREVER)
    assert any(one.judged(truth).succeeded for one in LEAVES.tried(control, FOREVER))


def test_who_reads_no_trees_is_told_so():
    seen, _ = known(fit(), *rows(40))
    assert LEAVES.fits(seen) is None
    assert LEAVES.fits(replace(seen, released=None)) == "none of these parties read boosted trees"


@pytest.mark.slow
def test_a_run_on_shares_gives_rows_away_to_a_reader(mpc_engine, tmp_path):
    import pandas as pd

    features, target = rows(40)
    keys = [f"k{number}" for number in range(40)]
    frames = {
        "lab": pd.DataFrame(features, columns=list("uvw")).assign(id=keys),
        "clinic": pd.DataFrame({"id": keys, "y": target.astype(int).astype(str)}),
    }
    plan = fit().set("fit.to", ["lab"])
    run = potluck.run(plan, frames, out=tmp_path / "run", ledger=tmp_path / "l", record=True)
    for who, tried in (("lab", True), ("server", False)):
        (it,) = [one for one in potluck.attack(run.folder, who, data=frames).results if one.name == "leaves"]
        assert it.tried is tried
        assert it.verdict.succeeded is tried
        assert it.control is (True if tried else None)
