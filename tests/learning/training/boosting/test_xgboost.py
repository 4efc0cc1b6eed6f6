"""XGBoost itself beside ours, where `make test-all` has installed it; the margins that are kept are its own."""

import json
from pathlib import Path

import numpy as np
import pytest

import potluck
from support import oracles
from support.learning import boosted

KEPT = Path(__file__).parent / "xgboost_margins.json"


@pytest.fixture
def xgboost(monkeypatch):
    oracles.folder("xgboost")
    monkeypatch.syspath_prepend(oracles.FOLDER)
    return pytest.importorskip("xgboost")


@pytest.mark.slow
@pytest.mark.parametrize("name", boosted.CASES)
def test_margins_are_those_of_xgboost_and_those_that_are_kept_are_its_own(xgboost, name):
    made, sites = boosted.case(name)
    theirs = boosted.xgboost_margins(xgboost, made, sites)
    features, _, _ = boosted.pooled(made, sites)
    assert np.abs(potluck.run(made, sites).model.margins(features) - theirs).max() < 1e-5
    assert theirs[:: boosted.EVERY] == pytest.approx(np.array(json.loads(KEPT.read_text())[name]), abs=1e-6)


@pytest.mark.slow
def test_importances_are_the_shares_of_xgboosts_total_gain(xgboost):
    frame, columns, target = boosted.numbered("cancer")
    made, sites = boosted.plan(columns, target), boosted.dealt(frame)
    theirs = boosted.xgboost_grown(xgboost, made, sites).get_score(importance_type="total_gain")
    model = potluck.run(made, sites, out="run", ledger="ledger").document["model"]
    whole = sum(theirs.values())
    ours = {name: share for name, share in model["importances"].items() if share > 0}
    assert ours == pytest.approx({name: gain / whole for name, gain in theirs.items()}, rel=1e-5)


@pytest.mark.slow
def test_many_deep_trees_part_as_those_of_xgboost(xgboost):
    frame, columns, target = boosted.numbered("cancer")
    sites = boosted.dealt(frame)
    made = boosted.plan(
        columns, target, model={"depth": 5, "bins": 64, "l2": 0.5}, training={"rounds": 60, "rate": 0.1}
    )
    features, _, _ = boosted.pooled(made, sites)
    off = potluck.run(made, sites).model.margins(features) - boosted.xgboost_margins(xgboost, made, sites)
    assert np.abs(off).max() < 1e-5
