"""Boosted trees without an engine: cuts, bits, growing, the model and its file, what a learner gives and refuses."""

import hashlib
import json

import msgspec
import numpy as np
import pytest
from sklearn.datasets import load_breast_cancer, load_diabetes
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.metrics import r2_score, roc_auc_score

import potluck
from potluck.core.bounds import Bounds, outside
from potluck.core.errors import DataError, UsageError
from potluck.learning.data.columns import Columns, encoding
from potluck.learning.data.encode import gapped
from potluck.learning.models.boosted.forest import Forest, Tree, fault, margins
from potluck.learning.models.exports.onnx_file import onnx_file
from potluck.learning.models.model import Model
from potluck.learning.training import fit_trees
from potluck.learning.training.grow import Growth, bits, cuts, grow
from potluck.tasks.fit import learner
from support.learning.boosted import of_numbers

BASE = {
    "version": 1,
    "name": "trees",
    "purpose": "tests",
    "task": "fit",
    "federation": {"sites": ["lab", "clinic"], "server": "curious"},
    "align": {"keys": ["id"]},
    "data": {
        "columns": {
            "age": {"kind": "number", "low": 0, "high": 100, "owner": "lab"},
            "sex": {"kind": "category", "values": ["f", "m"], "owner": "clinic"},
            "dose": {"kind": "number", "low": 0, "high": 10, "missing": "flag", "owner": "clinic"},
            "ill": {"kind": "category", "values": ["0", "1"], "owner": "clinic"},
        },
        "target": {"column": "ill", "positive": ["1"]},
        "split": {"test": 0.25},
    },
    "model": {"kind": "trees", "depth": 2, "bins": 4},
    "training": {"method": "boosting", "rounds": 3, "rate": 0.5},
    "protect": {"with": "share"},
    "privacy": {"noise": "none"},
}


def planned(**changed):
    """The plan, with other keys of its tables."""
    tables = {key: {**BASE[key], **more} if isinstance(more, dict) else more for key, more in changed.items()}
    return potluck.Plan(**{**BASE, **tables}).spec


def scaled(x):
    low, high = x.min(axis=0), x.max(axis=0)
    return 2 * (x - low) / (high - low) - 1


def halves(x, seed):
    test = np.random.default_rng(seed).random(len(x)) < 0.34
    return ~test, test


def plain(x, y, train, how, bins=16):
    """Margins of all rows by trees grown on some."""
    names = [f"f{place}" for place in range(x.shape[1])]
    at = [cuts(x[train, place], bins - 1) for place in range(x.shape[1])]
    owners = [name for name, some in zip(names, at, strict=True) for _ in some]
    forest = grow(bits(x[train], at), np.concatenate(at), owners, y[train], how)
    return margins(forest, of_numbers(names), x)[:, 0]


@pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=pytest.mark.slow) for seed in (1, 2))])
def test_auc_on_breast_cancer_is_that_of_scikit_learn_or_better(seed):
    x, y = load_breast_cancer(return_X_y=True)
    x = scaled(x)
    train, test = halves(x, seed)
    found = roc_auc_score(y[test], plain(x, y, train, Growth(3, 20, 0.3, 1.0, True))[test])
    peer = HistGradientBoostingClassifier(
        max_depth=3, max_iter=20, learning_rate=0.3, l2_regularization=1.0, max_bins=16, early_stopping=False
    ).fit(x[train], y[train])
    assert found > roc_auc_score(y[test], peer.predict_proba(x[test])[:, 1]) - 0.005


def test_a_number_is_predicted_as_scikit_learn_does():
    x, y = load_diabetes(return_X_y=True)
    x, y = scaled(x), scaled(y[:, None])[:, 0]
    train, test = halves(x, 4)
    found = r2_score(y[test], plain(x, y, train, Growth(3, 20, 0.2, 1.0, False))[test])
    peer = HistGradientBoostingRegressor(
        max_depth=3, max_iter=20, learning_rate=0.2, l2_regularization=1.0, max_bins=16, early_stopping=False
    ).fit(x[train], y[train])
    assert found > r2_score(y[test], peer.predict(x[test])) - 0.03
    assert found > 0.35


def test_cuts_lie_between_few_values_and_at_quantiles_of_many():
    assert cuts(np.array([-0.5, 0.25, 0.25, 0.75]), 4).tolist() == [-0.125, 0.5, 0.5, 0.5]
    assert cuts(np.array([0.0, 1.0, 1.0]), 1).tolist() == [0.5]
    assert cuts(np.zeros(5), 3).tolist() == [1.0, 1.0, 1.0]
    assert cuts(np.zeros(0), 2).tolist() == [1.0, 1.0]
    many = np.random.default_rng(1).uniform(-1, 1, 4000)
    found = cuts(many, 7)
    assert np.abs(np.diff([0, *[(many <= one).mean() for one in found], 1]) - 1 / 8).max() < 0.001
    assert (found * 2**18 == np.round(found * 2**18)).all()


def test_a_bit_says_what_the_opened_cut_says_of_every_row():
    """Cuts lie on the engine's grid: what opens is the very number that rows were compared with."""
    x = np.random.default_rng(2).uniform(-1, 1, (500, 1))
    at = cuts(x[:, 0], 15)
    opened = np.rint(at * 2**18) / 2**18
    assert (bits(x, [at]) == (x[:, 0][None, :] <= opened[:, None])).all()


def test_a_tree_leads_left_at_or_below_a_cut_and_right_above_it():
    tree = Tree(features=("a", "b", "a"), cuts=(0.0, 0.5, 0.25), leaves=(1.0, 2.0, 4.0, 8.0))
    rows = np.array([[0.0, 0.5], [0.0, 0.6], [0.25, 0.0], [0.3, 0.0], [np.nan, 0.0]])
    found = margins(Forest(first=0.5, trees=(tree, tree)), of_numbers("ab"), rows)[:, 0]
    assert found[:4].tolist() == [2.5, 4.5, 8.5, 16.5]
    assert np.isnan(found[4])


def grown_model(plan):
    """A model from made-up rows."""
    rng, names = np.random.default_rng(3), encoding(plan).names
    x = rng.uniform(-1, 1, (80, len(names)))
    return fit_trees.grown(plan, x, (x[:, 0] + x[:, 1] > 0).astype(float)), x


def test_other_programs_take_them_as_they_take_trees_over_rows():
    """A missing dose is NaN there, and goes as the encoded 0 does here."""
    runtime = pytest.importorskip("onnxruntime")
    model, x = grown_model(planned(training={"method": "boosting", "rounds": 8}, model={"kind": "trees", "depth": 3}))
    place = {name: at for at, name in enumerate(model.encoding.names)}
    x[:, place["dose?"]] = np.arange(len(x)) % 3 == 0
    x[:, place["dose"]] *= 1 - x[:, place["dose?"]]
    assert {"dose", "dose?"} & {name for tree in model.forest.trees for name in tree.features}
    assert model.taken == ("age", "sex=f", "sex=m", "dose")
    given = gapped(model.encoding, x).astype(np.float32)
    assert np.isnan(given[:, 3]).sum() == 27
    (said,) = runtime.InferenceSession(onnx_file(model)).run(None, {"features": given})
    assert np.abs(said[:, 0] - model.scored_features(x.astype(np.float32))).max() < 1e-6


def test_a_model_of_trees_is_read_as_it_was_written(tmp_path):
    model, x = grown_model(planned())
    model.write(tmp_path / "model.json")
    again = Model.read(tmp_path / "model.json")
    assert again.files() == model.files()
    assert again.digest() == "sha256:" + hashlib.sha256((tmp_path / "model.json").read_bytes()).hexdigest()
    assert (again.scored_features(x) == model.scored_features(x)).all()
    assert again.coefficients == {}
    assert ((model.scored_features(x) > 0.5) == (x[:, 0] + x[:, 1] > 0)).mean() > 0.7


def test_a_file_of_rows_is_scored_and_a_row_without_a_value_has_no_score(tmp_path):
    plan = planned(data={"columns": {**BASE["data"]["columns"], "age": {**AGE, "missing": "drop"}}})
    model, _ = grown_model(plan)
    (tmp_path / "rows.csv").write_text("age,sex,dose\n30,f,2\n,m,1\n70,m,\n")
    scores = model.scores(tmp_path / "rows.csv")
    assert np.isnan(scores).tolist() == [False, True, False]
    assert np.allclose(model.predict_proba(tmp_path / "rows.csv")[[0, 2]].sum(axis=1), 1)


AGE = BASE["data"]["columns"]["age"]


def test_scikit_learn_takes_no_such_trees_and_is_told_so():
    with pytest.raises(UsageError, match="no trees made elsewhere"):
        grown_model(planned())[0].to_sklearn()


def test_models_without_trees_have_no_word_of_them_in_their_file():
    model, _ = grown_model(planned())
    linear = Model("logistic", model.encoding, model.target, np.zeros(len(model.encoding.names) + 1))
    assert b"forest" not in linear.files()[0]
    assert b'"forest"' in model.files()[0]


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"leaves": [1.0, 2.0, 3.0]}, "a power of two"),
        ({"cuts": [0.0]}, "other nodes"),
        ({"features": ["age", "age", "shoe"]}, "does not have"),
        ({"leaves": [1.0] * 64, "cuts": [0.0] * 63, "features": ["age"] * 63}, "2 to 32 leaves"),
    ],
)
def test_a_broken_file_of_trees_is_refused(tmp_path, change, word):
    path = tmp_path / "model.json"
    model, _ = grown_model(planned())
    whole = json.loads(model.files()[0])
    whole["forest"]["trees"][1] |= change
    path.write_text(json.dumps(whole))
    with pytest.raises(UsageError, match=word):
        Model.read(path)


@pytest.mark.parametrize("kind", ["logistic", "trees"])
def test_trees_and_their_kind_go_together(tmp_path, kind):
    path = tmp_path / "model.json"
    model, _ = grown_model(planned())
    whole = json.loads(model.files()[0]) | {"kind": kind}
    if kind == "trees":
        del whole["forest"]
    path.write_text(json.dumps(whole))
    with pytest.raises(
        UsageError,
        match="is a broken model file: its trees or curves, or what else it has, are not what its kind is made of",
    ):
        Model.read(path)


def test_a_forest_of_numbers_that_are_none_is_at_fault():
    tree = Tree(features=("a",), cuts=(0.0,), leaves=(float("nan"), 0.0))
    assert fault(Forest(first=0.0, trees=(tree,)), of_numbers("a")) == "a number of it is not finite"
    assert "1 to 1000 trees" in fault(Forest(first=0.0, trees=()), of_numbers("a"))
    both = Tree(features=("a",), cuts=(0.0,), leaves=(0.0, 0.0), left=(True, False))
    assert "other nodes" in fault(Forest(first=0.0, trees=(both,)), of_numbers("a"))


def test_what_owners_give_has_the_shapes_of_the_recipe_and_says_nothing_of_dropped_rows():
    plan = planned()
    method = fit_trees.Boosting(plan)
    recipe = method.recipe(6, 2)
    rng = np.random.default_rng(5)
    keep = np.array([1, 1, 0, 1, 1, 1, 1, 1], bool)
    for place, owner in enumerate(plan.federation.sites):
        width = len(encoding(plan, owner).names)
        features = rng.uniform(-1, 1, (8, width)) * keep[:, None]
        target = (rng.random(8) > 0.5).astype(float) if owner == "clinic" else None
        arrays = method.shared(owner, Columns(features, keep, target, 6))
        assert [one.shape for one in arrays] == [take.shape for take in recipe.of(place)]
        moved = features.copy()
        moved[2] = 0.99  # a row that is taken out moves no cut
        again = method.shared(owner, Columns(moved, keep, target, 6))
        assert (again[1] == arrays[1]).all()


def opened(plan, train, test):
    """Results of the right shapes that are trees."""
    recipe = fit_trees.Boosting(plan).recipe(train, test)
    found = [np.zeros(give.shape, np.int64 if give.kind == "integer" else np.float64) for give in recipe.gives[1:]]
    found[4][:] = [train, train // 2]
    return found


def test_what_opens_becomes_a_model_with_metrics():
    plan = planned()
    results = opened(plan, 10, 4)
    names = fit_trees.cut_names(plan)
    results[0][0] = [names.index("dose"), names.index("sex=m"), 0]
    results[2][0] = [-1.0, 1.0, 2.0, 3.0]
    results[5][0, 10], results[5][1, 200] = 2, 2
    done = fit_trees.Boosting(plan).outcome(results, 10, 4)
    assert done.model.forest.trees[0].features == ("dose", "sex=m", "age")
    assert (done.metrics.auc, done.metrics.accuracy, done.metrics.rows) == (1.0, 1.0, 4)


def test_one_class_and_results_that_are_no_trees_are_errors():
    plan = planned()
    for place, value, word in ((4, [10, 10], "one class"), (0, -1, "no trees")):
        results = opened(plan, 10, 4)
        results[place][:] = value
        with pytest.raises(DataError, match=word):
            fit_trees.Boosting(plan).outcome(results, 10, 4)


def test_explain_says_to_a_reader_what_cuts_and_leaves_tell():
    notes = {str(one.party): one.note for one in learner.views(planned()) if one.of == "the model"}
    assert "a cut is about a quantile of its column, and a leaf may hold one row alone" in notes["clinic"]
    assert "quantile" not in notes["lab"]
    linear = planned(model={"kind": "logistic", "depth": 3}, training={"method": "newton"})
    assert all("quantile" not in one.note for one in learner.views(linear))


@pytest.mark.parametrize(
    ("table", "change", "word"),
    [
        ("training", {"method": "newton"}, "training.method: trees are not grown by newton"),
        ("model", {"depth": 6}, "model.depth: 6 does not fit"),
        ("model", {"depth": 0}, "model.depth"),
        ("model", {"bins": 1}, "model.bins"),
        ("model", {"l2": 0.0}, "model.l2"),
        ("training", {"rounds": 1001}, "training.rounds"),
        ("training", {"rate": 1.5}, "training.rate"),
        ("training", {"rate": float("nan")}, "training.rate"),
    ],
)
def test_trees_that_cannot_be_grown_are_refused_by_key(table, change, word):
    plan = msgspec.structs.replace(planned(), **{table: msgspec.structs.replace(getattr(planned(), table), **change)})
    error, *_ = [*outside(plan, Bounds), *fit_trees.check(plan)]
    assert error.startswith(word)
    assert ". hint: " in error


def test_rows_that_the_fixed_point_cannot_carry_are_refused_before_anything_is_shared():
    plan = planned()
    assert fit_trees.unfit(plan, 30_000, 10_000) == ""
    assert "131072" in fit_trees.unfit(plan, 200_000, 0)
    wide = planned(model={**BASE["model"], "bins": 256})
    assert "too many" in fit_trees.unfit(wide, 100_000, 100_000)
    small = planned(model={**BASE["model"], "l2": 1 / 64})
    assert fit_trees.unfit(small, 80_000, 0).startswith("model.l2: ")
    assert ". hint: " in fit_trees.unfit(small, 80_000, 0)
