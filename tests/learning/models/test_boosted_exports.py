"""Boosted models for other programs: XGBoost's JSON by its own rules, and ONNX, with the scores that Potluck gives."""

import json

import numpy as np
import pytest

import potluck
from potluck.api.results.export import export
from potluck.core.errors import UsageError
from potluck.learning.data.encode import gapped
from potluck.learning.data.table import read
from potluck.learning.loops import TrainTask
from potluck.learning.models.boosted.layout import layout
from potluck.learning.models.exports.onnx_file import onnx_file
from potluck.learning.models.exports.xgboost_file import xgboost_file
from support import oracles
from support.learning import boosted, sums
from support.learning.models import some

MADE = {}
CASES = [(kind, name) for kind in ("trees", "additive") for name in boosted.CASES]


def made(kind, name):
    """(model, encoded rows as float32: those of the sites, then others, some of them on edges of bins)"""
    if (kind, name) not in MADE:
        plan, sites = boosted.case(name)
        plan = plan.set("model.kind", kind)
        if kind == "additive":
            plan = plan.set("training.rate", 1.0)
        tables = {site: read(rows, plan.spec, site) for site, rows in sites.items()}
        model = sums.run(TrainTask(plan.spec, evaluated=False), tables, grid=True).model
        features, _, _ = boosted.pooled(plan, sites)
        MADE[kind, name] = model, np.concatenate([features, edges(features, layout(plan.spec))]).astype(np.float32)
    return MADE[kind, name]


def edges(features, how):
    """Rows whose numbers lie where bins begin, and a hair to either side; 0 where a column has no value."""
    rng = np.random.default_rng(4)
    at = np.float32(-1 + 2 * rng.integers(0, boosted.BINS + 1, (200, features.shape[1])) / boosted.BINS)
    moved = np.where(rng.random(at.shape) < 0.5, at, np.nextafter(at, np.float32(rng.choice([-2, 2]))))
    whole = np.isin(features, (0, 1)).all(axis=0)
    found = np.where(whole, rng.integers(0, 2, at.shape), np.clip(moved, -1, 1))
    for feature in np.flatnonzero(how.flags >= 0):
        found[:, feature] *= 1 - found[:, how.flags[feature]]
    return found


def theirs(model, rows):
    """The same rows as those programs take them."""
    return gapped(model.encoding, rows)


def near(model):
    """How far a score of a file in float32 may be off: a millionth, of a number one of its declared range."""
    return 1e-6 * (model.target.high - model.target.low if model.target.side == "number" else 1.0)


def walked(content, rows):
    """Margins by XGBoost's rules: left where a feature is below the cut, or is none and the node says so; the right
    child is the one after the left."""
    learner = json.loads(content)["learner"]
    trees = learner["gradient_booster"]["model"]
    outputs = max(1, int(learner["learner_model_param"]["num_class"]))
    total = np.zeros((len(rows), outputs), np.float64)
    for tree, output in zip(trees["trees"], trees["tree_info"], strict=True):
        for place, row in enumerate(rows):
            node = 0
            while tree["left_children"][node] >= 0:
                value = row[tree["split_indices"][node]]
                below = tree["default_left"][node] if np.isnan(value) else value < tree["split_conditions"][node]
                node = tree["left_children"][node] + (0 if below else 1)
            total[place, output] += np.float32(tree["split_conditions"][node])
    return total


@pytest.mark.parametrize(("kind", "name"), CASES)
def test_the_json_says_the_same_by_the_rules_of_xgboost_and_holds_nothing_else(kind, name):
    model, rows = made(kind, name)
    some_rows = rows[-260::4]
    content = xgboost_file(model)
    ours = model.margins(some_rows)
    if model.target.side == "number":
        ours = model.scored_features(some_rows)[:, None]
    assert np.abs(walked(content, theirs(model, some_rows)) - ours).max() < near(model)
    trees = json.loads(content)["learner"]["gradient_booster"]["model"]["trees"]
    for tree in trees:
        left, right = np.array(tree["left_children"]), np.array(tree["right_children"])
        assert (right[left >= 0] == left[left >= 0] + 1).all()
        assert not any(tree["sum_hessian"] + tree["loss_changes"] + tree["base_weights"])
        assert len({len(tree[key]) for key in tree if isinstance(tree[key], list) and tree[key]}) == 1


@pytest.mark.parametrize(("kind", "name"), CASES)
def test_onnxruntime_scores_as_potluck_does(kind, name):
    runtime = pytest.importorskip("onnxruntime")
    model, rows = made(kind, name)
    (said,) = runtime.InferenceSession(onnx_file(model)).run(None, {"features": theirs(model, rows)})
    ours = model.scored_features(rows).reshape(said.shape)
    assert np.abs(said - ours).max() <= near(model) / 1000  # it adds up in float64


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "name"), CASES)
def test_xgboost_and_treelite_load_it_and_score_as_potluck_does(kind, name, tmp_path, monkeypatch):
    for program in ("xgboost", "treelite"):
        oracles.folder(program)
    monkeypatch.syspath_prepend(oracles.FOLDER)
    import treelite
    import xgboost

    model, rows = made(kind, name)
    model.write(tmp_path / "model.json")
    export(tmp_path, tmp_path / "theirs.json", to="xgboost")
    booster = xgboost.Booster(model_file=tmp_path / "theirs.json")
    ours = model.scored_features(rows).reshape(len(rows), -1)
    rows = theirs(model, rows)
    said = booster.predict(xgboost.DMatrix(rows, feature_names=list(model.taken))).reshape(ours.shape)
    assert np.abs(said - ours).max() <= near(model)
    light = treelite.frontend.load_xgboost_model(str(tmp_path / "theirs.json"), format_choice="json")
    assert np.abs(treelite.gtil.predict(light, rows).reshape(ours.shape) - ours).max() <= near(model)


def test_a_model_that_is_no_trees_is_told_what_it_can_become(tmp_path):
    some("logistic").write(tmp_path / "model.json")
    with pytest.raises(UsageError, match="made of no trees"):
        potluck.export(tmp_path / "model.json", tmp_path / "out.json", to="xgboost")
