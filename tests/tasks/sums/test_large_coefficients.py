"""A fit with large coefficients is the same, bit for bit, under every protection; and without a split or a ridge."""

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LinearRegression

import potluck
from potluck.api.plan.plan import Plan
from support.parties import scene

SITES = "abcd"


def plan(word: str, kind: str = "linear", method: str = "newton", **keys: object) -> Plan:
    """No split and no ridge; values fill a hundredth of what is declared."""
    number = {"kind": "number", "low": 0, "high": 100}
    target = {"column": "t"} if kind == "linear" else {"column": "y", "positive": ["1"]}
    return Plan(
        name="p",
        purpose="test",
        task="train",
        federation={"sites": list(SITES), "corrupt": 1, "dropouts": 1, "server": "curious"},
        data={
            "columns": {"a": number, "b": number, "t": {"kind": "number", "low": -1, "high": 1}}
            if kind == "linear"
            else {"a": number, "b": number},
            "target": target,
            "max_rows": 100,
        },
        model={"kind": kind, "l2": 0.0},
        training={"method": method, "rounds": 4} | keys,
        protect={"with": word},
        privacy=scene.NONE,
    )


def frames() -> dict[str, pd.DataFrame]:
    found = {}
    for number, name in enumerate(SITES):
        rng = np.random.default_rng(number)
        a, b = rng.uniform(0, 1, (2, 40))
        t = 0.2 + 0.4 * a - 0.3 * b + 0.01 * rng.normal(size=40)
        y = (a - b + 0.5 * rng.logistic(size=40) > 0).astype(int)
        found[name] = pd.DataFrame({"a": a, "b": b, "t": t, "y": y})
    return found


def done(made: Plan, out):
    return potluck.run(made, frames(), out=out, ledger=out.parent / "ledger")


@pytest.mark.parametrize("kind", ["linear", pytest.param("logistic", marks=pytest.mark.slow)])
def test_every_protection_opens_what_clear_opens(kind, tmp_path):
    runs = {word: done(plan(word, kind), tmp_path / word) for word in ("clear", "mask", "tee")}
    assert len({run.model.digest() for run in runs.values()}) == 1
    assert np.abs(runs["clear"].model.weights).max() > 8


@pytest.mark.slow
def test_shares_of_three_servers_are_within_bounds_that_follow_the_model(mpc_engine, tmp_path):
    runs = [done(plan(word, rounds=3), tmp_path / word) for word in ("clear", "share")]
    assert runs[0].model.digest() == runs[1].model.digest()


@pytest.mark.slow
def test_encrypted_sums_of_large_models_are_the_same(he_engine, tmp_path):
    runs = [done(plan(word, rounds=3), tmp_path / word) for word in ("clear", "he")]
    assert runs[0].model.digest() == runs[1].model.digest()


def test_without_a_split_all_rows_are_trained_on_and_no_metric_is_opened(tmp_path):
    run = done(plan("mask"), tmp_path / "run")
    whole = pd.concat(frames().values())
    fit = LinearRegression().fit(whole[["a", "b"]].to_numpy() / 50 - 1, whole["t"].to_numpy())
    assert np.allclose(run.model.weights, [fit.intercept_, *fit.coef_], atol=1e-8)
    assert run.metrics == {"federated": {"r2": None, "rmse": None, "rows": None}}
    kinds = [one["kind"] for one in details(run)]
    assert kinds == ["train"] * 4


def test_control_with_a_split_the_last_sum_is_the_evaluation(tmp_path):
    made = plan("mask").set("data.split", {"test": 0.3})
    run = done(made, tmp_path / "run")
    assert [one["kind"] for one in details(run)] == ["train"] * 4 + ["evaluate"]
    assert run.metrics["federated"]["rows"] > 10


def test_without_a_split_nothing_is_charged_for_metrics(tmp_path):
    keys = {"rounds": 2, "expected_rows": 160, "rate": 0.5}
    noise = {"noise": "shared", "unit": "site", "epsilon": 5.0, "delta": 1e-5, "clip": 1.0, "evaluation": 1.0}
    made = plan("mask", "logistic", "gradient", **keys).set("privacy", noise)
    errors, _ = made.problems()
    assert [line.split(":")[0] for line in errors] == ["privacy.evaluation"]
    noise.pop("evaluation")
    made = made.set("privacy", noise)
    assert not any("evaluation" in line for line in made.problems()[1])
    run = done(made, tmp_path / "run")
    assert [one["kind"] for one in details(run)] == ["train"] * 2
    assert 4 < run.spent["a"] <= 5
    assert run.metrics == {"federated": {"auc": None, "accuracy": None, "rows": None}}


def details(run):
    import json

    return json.loads((run.folder / "details.json").read_text(encoding="utf-8"))["timeline"]
