"""Coefficients that scikit-learn fits do not stop a sum over rows: what a row adds is bounded, whatever they are."""

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LinearRegression, LogisticRegression

from potluck.core.asks import Kind
from potluck.core.errors import DataError
from potluck.core.plan import Data, Model, Split, Target, Training
from potluck.core.rounds import Abort, Cause
from potluck.dp.mechanism import mechanism
from potluck.learning.check import check
from potluck.learning.loops import TrainTask, build
from potluck.learning.models import linear
from potluck.learning.models.kinds.linear import IDENTITY
from potluck.learning.models.kinds.logistic import LOGIT
from potluck.learning.models.linear import largest
from potluck.learning.training import method
from support.learning.sums import answer, frames, gridded, make, number, replaced, run


def pooled(tables):
    return np.vstack([t.features for t in tables.values()]), np.concatenate([t.target for t in tables.values()])


def binary(rows, wide=23):
    """Values fill a small part of what is declared, so encoded coefficients are large; a plan with every default."""
    rng = np.random.default_rng(5)
    x = rng.uniform(0, 1, (rows, wide))
    margin = (x - 0.5) @ np.linspace(-4, 4, wide)
    names = [f"x{i}" for i in range(wide)]
    frame = pd.DataFrame(x, columns=names).assign(y=(rng.random(rows) < 1 / (1 + np.exp(-margin))).astype(int))
    columns = {name: number(0, 10) for name in names}
    spec = make(
        data=Data(columns=columns, target=Target(column="y", positive=("1",))),
        model=Model(kind="logistic", l2=0.0),
        training=Training(method="newton", rounds=9),
    )
    return spec, frames(spec, frame.iloc[: rows // 3], frame.iloc[rows // 3 :])


def straight(rows=900, declared=100.0, steps="newton", l2=0.0, **more):
    """A number that follows two columns whose values fill one part in `declared` of their range."""
    rng = np.random.default_rng(6)
    x = rng.uniform(0, 1, (rows, 2))
    frame = pd.DataFrame(x, columns=["a", "b"])
    frame["t"] = 0.2 + 0.4 * x[:, 0] - 0.3 * x[:, 1] + 0.01 * rng.normal(size=rows)
    columns = {"a": number(0, declared), "b": number(0, declared), "t": number(-1, 1)}
    spec = make(
        data=Data(columns=columns, target=Target(column="t")),
        model=Model(kind="linear", l2=l2),
        training=Training(method=steps, **more),
    )
    return spec, frames(spec, frame.iloc[:400], frame.iloc[400:])


@pytest.mark.parametrize("rows", [5_000, pytest.param(30_000, marks=pytest.mark.slow)])
def test_many_rows_with_large_coefficients_are_scikit_learns_fit(rows):
    spec, tables = binary(rows)
    found = run(build(spec), tables, grid=True)
    fit = LogisticRegression(C=np.inf, solver="newton-cholesky", tol=1e-12, max_iter=200).fit(*pooled(tables))
    expected = np.concatenate([fit.intercept_, fit.coef_[0]])
    assert np.abs(expected).max() > 16
    assert np.abs(found.model.weights - expected).max() < 1e-6
    assert found.warnings == ()


def test_control_a_coefficient_beyond_eight_stopped_that_fit(monkeypatch):
    monkeypatch.setattr(method, "WIDEST", 8.0)
    with pytest.raises(Abort) as caught:
        run(build(binary(3000)[0]), binary(3000)[1], grid=True)
    assert caught.value.cause is Cause.RANGE


@pytest.mark.parametrize("declared", [20.0, 1e3])
def test_a_linear_fit_with_large_coefficients_is_scikit_learns(declared):
    spec, tables = straight(declared=declared)
    found = run(build(spec), tables, grid=True)
    fit = LinearRegression().fit(*pooled(tables))
    expected = np.concatenate([[fit.intercept_], fit.coef_])
    assert np.abs(expected).sum() > 8
    assert np.abs(found.model.weights - expected).max() < 1e-6 * np.abs(expected).max()


def test_metrics_of_a_linear_fit_with_large_coefficients_are_opened():
    spec, tables = straight()
    spec = replaced(spec, data=replaced(spec.data, split=Split(test=0.3)))
    held = frames(spec, *[pd.DataFrame({"a": [0.1 * i], "b": [9.0 * i], "t": [0.2]}) for i in (1, 2)])
    outcome = build(spec).lead()
    ask = next(outcome)
    while ask.kind is not Kind.EVALUATE:
        ask = outcome.send(gridded(ask, build(spec), tables))
    for table in held.values():
        table.test[:] = True
    with pytest.raises(StopIteration) as stop:
        outcome.send(gridded(ask, build(spec), held))
    assert stop.value.value.metrics.rmse > 1


def test_control_a_bound_that_does_not_follow_the_weights_stops_the_site(monkeypatch):
    spec, tables = straight()
    weights = np.array([40.0, 30.0, 30.0])
    ask = build(spec).ask(Kind.TRAIN, 1, weights.tobytes())
    assert gridded(ask, build(spec), tables).part("gradient").values.size == 3
    monkeypatch.setattr(linear, "room", lambda which, weights: 8.0)
    monkeypatch.setattr("potluck.learning.training.newton.room", lambda which, weights: 8.0)
    ask = build(spec).ask(Kind.TRAIN, 1, np.array([0.0, 90.0, 0.0]).tobytes())
    with pytest.raises(Abort) as caught:
        gridded(ask, build(spec), tables)
    assert caught.value.cause is Cause.RANGE


@pytest.mark.parametrize("steps", ["newton", "gradient"])
def test_a_server_that_announces_huge_weights_breaks_no_grid(steps):
    """Up to the bound a sum is what floats give; beyond it the site stops, and says why."""
    spec, tables = straight(steps=steps)
    task = build(spec)
    weights = np.array([3e8, -9e8, 1e9])
    ask = task.ask(Kind.TRAIN, 1, weights.tobytes())
    on_grid, floats = gridded(ask, task, tables), answer(ask, task, tables)
    for name in (block.name for block in ask.blocks):
        one, other = on_grid.part(name).values, floats.part(name).values
        assert np.abs(one - other).max() <= 1e-9 * max(1.0, np.abs(other).max()), name
    assert max(block.high for block in ask.blocks if block.name == "gradient") == 2.0**32
    for lie in (1.0000001e9, -1e10, 1e300):
        with pytest.raises(Abort) as caught:
            task.ask(Kind.TRAIN, 1, np.array([0.0, lie, 0.0]).tobytes())
        assert caught.value.cause is Cause.RANGE
    for lie in (np.inf, np.nan):
        with pytest.raises(Abort) as caught:
            task.ask(Kind.TRAIN, 1, np.array([0.0, lie, 0.0]).tobytes())
        assert caught.value.cause is Cause.TERMS


def test_a_grid_follows_the_announced_weights_and_nothing_else():
    """Small models keep the steps of before, so their bytes stay."""
    spec, _ = straight()

    def grid(*weights):
        return mechanism(spec, build(spec).ask(Kind.TRAIN, 1, np.array(weights).tobytes())).grid.parts

    gradient, gram = grid(0.0, 0, 0)[:2]
    assert gradient.high == 8.0 * 2 * spec.data.max_rows
    assert grid(0.0, 3, 3.5)[:2] == grid(-1.0, 1, 1)[:2] == (gradient, gram)
    assert grid(0.0, 3, 5)[0].high == grid(0.0, 15, 0)[0].high / 2 == 2 * gradient.high
    assert grid(0.0, 3, 5)[1] == gram


def test_no_residual_is_beyond_its_bound_and_the_bound_is_a_power_of_two():
    rng = np.random.default_rng(1)
    for _ in range(200):
        weights = rng.normal(size=5) * 10.0 ** rng.integers(-3, 9)
        bound = largest(IDENTITY, weights)
        assert np.frexp(bound)[0] == 0.5
        corner = np.concatenate([[1.0], np.sign(weights[1:])]) * np.sign(weights[0] or 1)
        corner = np.abs(corner) * np.sign(weights)  # the row at which the prediction is largest
        assert abs(corner @ weights) + 1 <= bound <= 2.01 * (1 + np.abs(weights).sum())
    assert largest(IDENTITY, np.array([3.0, 4.0])) == 16.0  # 8 lies within the rounding of a margin
    assert largest(IDENTITY, np.array([3.0, 3.5])) == 8.0
    assert largest(LOGIT, np.array([1e9, 1e9])) == 1.0


def test_range_beside_newton_and_gradient_is_ignored_and_said_so():
    for steps in ("newton", "gradient"):
        spec, _ = straight(steps=steps)
        assert not any(line.startswith("training.range") for line in check(spec)[1])
        spec, tables = straight(steps=steps, range=0.01, rate=0.3)
        (line,) = (line for line in check(spec)[1] if line.startswith("training.range"))
        assert "is ignored" in line
        run(build(spec), tables, grid=True)
    spec, _ = straight(steps="average", range=0.01)
    assert not any(line.startswith("training.range") for line in check(spec)[1])


def test_steps_that_go_up_are_an_error_and_not_a_model_of_large_coefficients():
    spec, tables = straight(declared=1.0, steps="gradient", rate=2.5, rounds=8)
    with pytest.raises(Abort) as caught:
        run(build(spec), tables, grid=True)
    assert "a lower training.rate" in caught.value.detail
    spec, tables = straight(declared=1.0, steps="gradient", rate=0.5, rounds=400)
    assert run(build(spec), tables, grid=True).warnings == ()


def test_logistic_steps_that_go_up_are_a_warning():
    spec, tables = binary(600, 3)
    spec = replaced(spec, training=Training(method="gradient", rate=60.0, rounds=9))
    (line,) = run(build(spec), tables, grid=True).warnings
    assert line.startswith("gradient descent has gone up")


def test_without_a_ridge_gradient_descent_goes_to_scikit_learns_fit():
    spec, tables = straight(declared=1.0, steps="gradient", rate=0.8, rounds=400)
    fit = LinearRegression().fit(*pooled(tables))
    found = run(TrainTask(spec), tables, grid=True).model.weights
    assert np.abs(found - np.concatenate([[fit.intercept_], fit.coef_])).max() < 1e-6


def test_a_matrix_that_only_the_grid_makes_regular_is_singular():
    """Rows are cut off by a step each, in every entry: together more than a step a row."""
    spec, tables = straight()
    for table in tables.values():
        table.features[:, 1] = table.features[:, 0]
    with pytest.raises(DataError, match=r"singular: (intercept, )?a, b determine one another"):
        run(build(spec), tables, grid=True)


def test_coefficients_that_the_grid_blurs_are_said_to_be():
    spec, tables = straight(declared=1e5)
    found = run(build(spec), tables, grid=True)
    fit = LinearRegression().fit(*pooled(tables))
    assert np.abs(found.model.weights[1:] / fit.coef_ - 1).max() > 1e-5  # what the warning is about
    (line,) = found.warnings
    assert "rounding of the sums" in line
    assert run(build(straight(declared=1e3)[0]), straight(declared=1e3)[1], grid=True).warnings == ()
