"""Classifier and regressor for scikit-learn: its own checks of estimators, and its own models on the same numbers."""

import os
import subprocess
import sys
import warnings

import numpy as np
import pytest
import sklearn
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import check_estimator

import potluck
from potluck.api.estimators.plan import PrivacyLeakWarning
from potluck.core.errors import PlanError
from potluck.tasks.sums.usefulness import advice
from support.docs.pages import ROOT

SKIPPED = {} if os.environ.get("SCIPY_ARRAY_API") else {"check_array_api_input": "SCIPY_ARRAY_API is not set"}
"""What scikit-learn itself leaves out, and why: a slow test sets it."""
CHECKED = {
    "classifier": potluck.FederatedClassifier(protect="clear", n_sites=1, rounds=4),
    "regressor": potluck.FederatedRegressor(protect="clear", n_sites=1, rounds=1),
}
CHECKED_SLOWLY = {
    "classifier as it is": potluck.FederatedClassifier(),
    "regressor as it is": potluck.FederatedRegressor(),
    "curves": potluck.FederatedClassifier("additive", protect="clear"),
    "trees": potluck.FederatedClassifier("trees", protect="clear"),
    "curves of a number": potluck.FederatedRegressor("additive", protect="clear"),
    "trees of a number": potluck.FederatedRegressor("trees", protect="clear"),
}


@pytest.fixture
def rows():
    """(X [n, 3], a side [n], one of three classes [n], a number [n])"""
    rng = np.random.default_rng(7)
    x = rng.uniform([-3, 0, 100], [3, 1, 250], (240, 3))
    margin = x[:, 0] + x[:, 1] - (x[:, 2] - 175) / 100 + rng.logistic(size=240)
    return x, np.where(margin > 0.2, "well", "ill"), np.digitize(margin, [-1, 1]) + 5, 40 + 3 * margin


BOUNDS = {"x0": (-3, 3), "x1": (0, 1), "x2": (100, 250)}


def scaled(x):
    low, high = np.array(list(BOUNDS.values()), float).T
    return 2 * (np.clip(x, low, high) - low) / (high - low) - 1


def passes(estimator):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = check_estimator(estimator, on_fail="raise", on_skip=None)
    assert len(found) > 45
    assert {
        one["check_name"]: str(one["exception"]).split(":")[0] for one in found if one["status"] != "passed"
    } == SKIPPED


@pytest.mark.parametrize("name", ["classifier", pytest.param("regressor", marks=pytest.mark.slow)])
def test_scikit_learns_own_checks_pass(name):
    passes(CHECKED[name])


@pytest.mark.slow
@pytest.mark.parametrize("name", CHECKED_SLOWLY)
def test_scikit_learns_own_checks_pass_with_other_parameters(name):
    passes(CHECKED_SLOWLY[name])


@pytest.mark.slow
def test_the_check_that_scikit_learn_leaves_out_passes_where_it_is_asked_for():
    which = [f"{__file__}::test_scikit_learns_own_checks_pass[{name}]" for name in CHECKED]
    program = [sys.executable, "-m", "pytest", "-q", "-o", "addopts=--import-mode=importlib", *which]
    environment = os.environ | {"SCIPY_ARRAY_API": "1"}
    said = subprocess.run(program, env=environment, capture_output=True, text=True, timeout=600, cwd=ROOT)
    assert said.returncode == 0, said.stdout[-3000:]
    assert "2 passed" in said.stdout


def test_it_is_scikit_learns_logistic_regression_on_scaled_features(rows):
    x, side, _, _ = rows
    ours = potluck.FederatedClassifier(bounds=BOUNDS, l2=0.5).fit(x, side)
    theirs = LogisticRegression(C=2, tol=1e-10, max_iter=1000).fit(scaled(x), side)
    new = x + np.random.default_rng(1).normal(size=x.shape)
    assert ours.classes_.tolist() == ["ill", "well"]
    assert np.abs(ours.predict_proba(new) - theirs.predict_proba(scaled(new))).max() < 1e-6
    assert np.abs(ours.decision_function(new) - theirs.decision_function(scaled(new))).max() < 1e-5
    assert ours.predict(new).tolist() == theirs.predict(scaled(new)).tolist()
    assert ours.spent_ == {"site1": None, "site2": None, "site3": None}
    assert ours.plan_.values()["protect"]["with"] == "mask"


def test_it_is_scikit_learns_ridge_on_scaled_features_and_target(rows):
    x, _, _, number = rows
    ours = potluck.FederatedRegressor(bounds=BOUNDS, target_bounds=(20, 60), l2=0.5).fit(x, number)
    theirs = Ridge(alpha=0.5).fit(scaled(x), np.clip(number, 20, 60))
    assert np.abs(ours.predict(x) - theirs.predict(scaled(x))).max() < 1e-4


def test_several_classes_are_scikit_learns_multinomial_regression(rows):
    x, _, classes, _ = rows
    ours = potluck.FederatedClassifier(bounds=BOUNDS, l2=0.5).fit(x, classes)
    theirs = LogisticRegression(C=2, tol=1e-10, max_iter=1000).fit(scaled(x), classes)
    assert ours.classes_.tolist() == [5, 6, 7]
    assert np.abs(ours.predict_proba(x) - theirs.predict_proba(scaled(x))).max() < 1e-6
    assert ours.predict(x).tolist() == theirs.predict(scaled(x)).tolist()


def test_curves_tell_classes_apart(rows):
    x, _, classes, _ = rows
    ours = potluck.FederatedClassifier("additive", protect="clear", bounds=BOUNDS, rounds=8).fit(x, classes)
    assert ours.classes_.tolist() == [5, 6, 7]
    assert ours.predict_proba(x).shape == ours.decision_function(x).shape == (240, 3)
    assert np.array_equal(ours.predict(x), ours.classes_[ours.predict_proba(x).argmax(axis=1)])
    assert ours.score(x, classes) > 0.6
    stock = ours.model_.to_sklearn()  # over the columns of its plan
    assert stock[-1].classes_.tolist() == ["0", "1", "2"]


def test_sites_are_the_rows_own_where_they_are_said_and_change_nothing_without_noise(rows):
    x, side, _, _ = rows
    whose = np.repeat(["a", "b", "c", "d"], 60)
    ours = potluck.FederatedClassifier(bounds=BOUNDS, protect="clear").fit(x, side, sites=whose)
    assert ours.spent_ == dict.fromkeys("abcd")
    dealt = clone(ours).fit(x, side)
    assert np.abs(ours.predict_proba(x) - dealt.predict_proba(x)).max() < 1e-9
    with sklearn.config_context(enable_metadata_routing=True):
        asked = clone(ours).set_fit_request(sites=True)
        found = cross_val_score(asked, x, side, cv=2, params={"sites": whose})
    assert found.min() > 0.5
    with pytest.raises(ValueError, match="one for each row"):
        dealt.fit(x, side, sites=whose[1:])


def test_it_stands_in_pipelines_searches_and_clones(rows):
    x, side, _, _ = rows
    inside = make_pipeline(StandardScaler(), potluck.FederatedClassifier(bounds=(-4, 4), protect="clear"))
    search = GridSearchCV(inside, {"federatedclassifier__l2": [0.1, 1000.0]}, cv=2).fit(x, side)
    assert search.best_params_ == {"federatedclassifier__l2": 0.1}
    again = clone(search.best_estimator_).fit(x, side)
    assert np.array_equal(again.predict_proba(x), search.predict_proba(x))


def test_epsilon_is_spent_by_every_fit_and_adds_up_in_a_ledger_that_stays(rows, tmp_path):
    x, side, _, _ = rows
    told = {"training.expected_rows": 240}
    ours = potluck.FederatedClassifier(
        "additive", protect="clear", noise="site", epsilon=0.5, bounds=BOUNDS, rounds=2, settings=told,
        ledger=tmp_path / "ledger",
    )  # fmt: skip
    cross_val_score(ours, x, side, cv=2)
    spent = ours.fit(x, side).spent_
    assert set(spent) == {"site1", "site2", "site3"}
    assert all(0.4 < one <= 0.5 for one in spent.values())
    assert potluck.budget(ledger=tmp_path / "ledger").owners["site1"].spent == pytest.approx(3 * spent["site1"])
    assert not np.array_equal(ours.predict_proba(x), clone(ours).fit(x, side).predict_proba(x))


@pytest.mark.slow
@pytest.mark.usefixtures("repeatable")
def test_beside_noise_settings_suit_the_columns_and_say_nothing_of_the_rows(monkeypatch):
    """With a first plan's rate and rounds it scored .78 here, and .63 is what a guess has."""
    monkeypatch.setattr(advice, "PASSES", 4)  # as it is where no test asks for less
    monkeypatch.setattr(advice, "TABLES", range(8))
    x, side = load_breast_cancer(return_X_y=True)
    x = x[:, :9]
    bounds, told = (x.min(axis=0), x.max(axis=0)), {"training.expected_rows": 570}
    ours = potluck.FederatedClassifier(protect="clear", noise="site", epsilon=8.0, bounds=bounds, settings=told)
    assert ours.fit(x, side).score(x, side) > 0.9
    assert clone(ours).fit(x[::-1] * 0.9, 1 - side).plan_.hash == ours.plan_.hash
    mine = clone(ours).set_params(rounds=7).fit(x, side).plan_.values()["training"]
    assert (mine["rounds"], mine["standardize"]) == (7, False)


def test_what_the_plan_takes_from_the_rows_is_warned_of(rows):
    """And nothing else is: a warning that no test expects is an error."""
    x, side, _, number = rows
    one = potluck.FederatedClassifier("additive", protect="clear", noise="site", epsilon=1.0, rounds=2)
    with pytest.warns(PrivacyLeakWarning) as caught:
        one.fit(x, side)
    said = [str(warning.message) for warning in caught]
    assert len(said) == 2
    assert "the range of x0, x1, x2 is that of the rows" in said[0]
    assert "training.expected_rows is the number of rows, 240" in said[1]
    assert {warning.filename for warning in caught} == {__file__}
    with pytest.warns(PrivacyLeakWarning, match="range of the target"):
        potluck.FederatedRegressor(bounds=BOUNDS, protect="clear").fit(x, number)


@pytest.mark.parametrize(
    ("changed", "error", "match"),
    [
        ({"bounds": {"x0": (0, 1)}}, ValueError, "none of column 'x1'"),
        ({"bounds": (3, -3)}, ValueError, "low is not below high, of column 'x0'"),
        (
            {"protect": "clear", "epsilon": 1.0, "settings": {"training.expected_rows": 240}},
            PlanError,
            "without protection",
        ),
        ({"model": "logisitc"}, PlanError, "logisitc.*logistic"),
        ({"settings": {"training.rouns": 3}}, PlanError, "rouns.*rounds"),
        ({"n_sites": 500}, ValueError, "n_samples=240 is fewer than the 500 sites"),
        ({"n_sites": 2}, ValueError, r"^n_sites=2: .*at least 3 sites.* hint: n_sites=3, .*; or protect='clear'$"),
        ({"n_sites": 2, "model": "logisitc"}, PlanError, "logisitc.*logistic"),
    ],
)
def test_what_cannot_be_is_refused_by_name(rows, changed, error, match):
    x, side, _, _ = rows
    with pytest.raises(error, match=match):
        potluck.FederatedClassifier(**{"bounds": BOUNDS} | changed).fit(x, side)
