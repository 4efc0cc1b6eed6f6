"""Whole fits with the engine: the coefficients and the metrics of scikit-learn on the pooled columns."""

import json
import os
import signal

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import roc_auc_score

from potluck.core.party import site
from potluck.core.plan import digest
from potluck.core.rounds import Abort, Cause, RoundId
from potluck.drivers.memory import Memory
from potluck.drivers.once import together
from potluck.learning.data.columns import Columns, read
from potluck.learning.training.fit_linear import Regression
from potluck.mpc.engine import Engine
from potluck.tasks.fit.halves import Brought, RoundContext, fitting, halves
from potluck.tasks.matching.alignment import Tools, read_keys
from support.parties.fit_scene import frames, plan, pooled
from support.parties.fit_tumours import NEAR, done, sides, tumours


@pytest.mark.slow
@pytest.mark.parametrize("width", [8, 30])
def test_tumours_split_by_columns_are_told_as_well_as_pooled(mpc_engine, tmp_path, width):
    made, given, whole, names = tumours(width)
    run = done(made, given, tmp_path / "run", compare=True)
    train, test = sides(whole, names)
    best = LogisticRegression(C=1.0, tol=1e-10, max_iter=10_000).fit(*train)
    found, plain = (run.document["metrics"][name] for name in ("federated", "pooled"))
    assert abs(plain["auc"] - roc_auc_score(test[1], best.decision_function(test[0]))) < 1e-6
    assert plain["rows"] == found["rows"]
    assert abs(found["auc"] - roc_auc_score(test[1], best.decision_function(test[0]))) < 0.002
    assert found["accuracy"] == best.score(*test)
    assert found["rows"] == len(test[1])
    assert np.abs(run.model.weights - [best.intercept_[0], *best.coef_[0]]).max() < NEAR
    assert run.document["task"] == "fit"
    assert run.document["model"]["digest"] == run.model.digest()
    assert (tmp_path / "run" / "report.html").is_file()
    assert np.isfinite(run.model.predict_proba(given["o0"].merge(given["o1"], on="id"))).all()


@pytest.mark.slow
def test_three_owners_and_unseen_columns(mpc_engine, tmp_path):
    given = frames(rows=2000, owners=3, seed=1)
    run = done(plan(3), given, tmp_path / "run")
    train, test = sides(pooled(given, 3), [f"x{n}" for n in range(6)])
    best = LogisticRegression(C=1.0, tol=1e-10).fit(*train)
    assert np.abs(run.model.weights - [best.intercept_[0], *best.coef_[0]]).max() < NEAR
    auc = roc_auc_score(test[1], best.decision_function(test[0]))
    assert abs(run.document["metrics"]["federated"]["auc"] - auc) < 0.002


def test_a_line_is_that_of_ridge_regression(mpc_engine, tmp_path):
    given = frames(rows=600, number=True)
    made = plan(model={"kind": "linear", "l2": 2.0}, data__target={"column": "y"})
    made = made.set("data.columns.y", {"kind": "number", "low": -1, "high": 1, "owner": "o0"})
    run = done(made, given, tmp_path / "run")
    train, test = sides(pooled(given), [f"x{n}" for n in range(4)])
    best = Ridge(alpha=2.0).fit(*train)
    assert np.abs(run.model.weights - [best.intercept_, *best.coef_]).max() < NEAR
    found = run.document["metrics"]["federated"]
    assert abs(found["r2"] - best.score(*test)) < NEAR
    assert abs(found["rmse"] - np.sqrt(((best.predict(test[0]) - test[1]) ** 2).mean())) < NEAR


@pytest.mark.slow
def test_gradient_steps_are_those_of_plain_descent(mpc_engine, tmp_path):
    given = frames(rows=400)
    run = done(plan(training={"method": "gradient", "rounds": 30, "rate": 2.0}), given, tmp_path / "run")
    (x, y), _ = sides(pooled(given), [f"x{n}" for n in range(4)])
    x, weights = np.column_stack([np.ones(len(x)), x]), np.zeros(5)
    for _ in range(30):
        slope = x.T @ (1 / (1 + np.exp(-x @ weights)) - y) + np.array([0.0, *weights[1:]])
        weights = weights - 2.0 * slope / len(x)
    assert np.abs(run.model.weights - weights).max() < NEAR


@pytest.mark.slow
def test_log_odds_far_beyond_the_sigmoids_range_do_no_harm(mpc_engine, tmp_path):
    """Sides that a line parts: with hardly a ridge the margins reach dozens."""
    given = frames(rows=300)
    whole = pooled(given)
    positive = set(whole[whole.x0 - whole.x3 > 0].id)
    given["o0"]["y"] = given["o0"].id.isin(positive).astype(int)
    run = done(plan(model={"kind": "logistic", "l2": 0.001}, training__rounds=14), given, tmp_path / "run")
    train, test = sides(pooled(given), [f"x{n}" for n in range(4)])
    best = LogisticRegression(C=1000.0, tol=1e-10, max_iter=10_000).fit(*train)
    assert np.abs(best.decision_function(train[0])).max() > 20
    auc = roc_auc_score(test[1], best.decision_function(test[0]))
    assert abs(run.document["metrics"]["federated"]["auc"] - auc) < 0.002


def round_of(made, given, engines):
    spec = made.spec
    brought = {
        one: Brought(read_keys(given[one.name], spec, one.name), read(given[one.name], spec, one.name), Tools())
        for one in spec.sites
    }
    memory = Memory((*spec.sites, *spec.compute), digest(spec))
    context = RoundContext(spec, RoundId("a run", 1))
    return together(context.round, halves(context, brought, engines, memory.seat), memory)[fitting(context).to[0]]


@pytest.mark.slow
def test_numbers_out_of_range_are_found_in_secret_and_their_owner_named(mpc_engine, tmp_path, monkeypatch):
    right = Regression.shared

    def beyond(self, owner, columns):
        if owner == "o1":
            features = columns.features.copy()
            features[7, 1] = 1.01
            columns = Columns(features, columns.keep, columns.target, columns.train)
        return right(self, owner, columns)

    monkeypatch.setattr(Regression, "shared", beyond)
    with pytest.raises(Abort) as caught:
        done(plan(training__rounds=1), frames(rows=100), tmp_path / "run")
    assert (caught.value.cause, caught.value.party) == (Cause.RANGE, site("o1"))


class Dying(Engine):
    """An engine that is killed at a step."""

    def __init__(self, at):
        super().__init__(5.0)
        self.at = at

    def link(self, *about):
        pending = super().link(*about)
        return self._killed(pending) if self.at == "link" else pending

    def execute(self, *about):
        pending = super().execute(*about)
        return self._killed(pending) if self.at == "run" else pending

    def _killed(self, pending):
        os.kill(self.pid, signal.SIGKILL)
        return pending


@pytest.mark.slow
@pytest.mark.parametrize("at", ["link", "run"])
def test_a_compute_party_whose_engine_dies_is_named(mpc_engine, at):
    made, given = plan(training__rounds=1, federation__patience=5.0), frames(rows=60)
    engines = {party: Engine(5.0) for party in made.spec.compute}
    beta = made.spec.compute[1]
    engines[beta] = Dying(at)
    try:
        with pytest.raises(Abort) as caught:
            round_of(made, given, engines)
    finally:
        for engine in engines.values():
            engine.close()
    assert caught.value.cause is Cause.ENGINE
    assert caught.value.party in (beta, None)


@pytest.mark.slow
def test_a_reused_alignment_gives_the_same_model(mpc_engine, tmp_path):
    given = frames(rows=100)
    runs = [done(plan(training__rounds=2), given, tmp_path / f"run{number}") for number in range(2)]
    steps = [
        {json.loads(line)["step"] for line in (run.folder / "transcript.jsonl").read_text().splitlines()}
        for run in runs
    ]
    assert "psi/sets" in steps[0]
    assert "psi/sets" not in steps[1]
    assert np.abs(runs[0].model.weights - runs[1].model.weights).max() < NEAR
