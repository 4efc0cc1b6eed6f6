"""Rates from the plan alone: the bound holds for all rows, its steps never go up, and only far rates are warned of."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from potluck.core.plan import Column, Model, PrivacyPlan, Training
from potluck.learning.loops import build
from potluck.learning.models.layers import design
from potluck.learning.training.methods import OPTIMIZERS
from potluck.learning.training.rates import advice, usual_rate, warnings
from support.examples import examples
from support.learning.sums import category, frames, heart, make, number, replaced, run
from support.learning.tiny import pooled

GRADIENT = Training(method="gradient", rounds=20, expected_rows=300)
NOISE = PrivacyPlan(noise="shared", unit="row", epsilon=1.0, delta=1e-6, clip=1.0)


def spec(training=GRADIENT, **model):
    columns = {
        "x": number(0, 10),
        "z": number(-1, 1, missing="flag"),
        "c": category("u", "v", "w", missing="flag"),
        "k": Column(kind="category", values=("p", "q"), reference="p", missing="drop"),
        "y": category("0", "1"),
    }
    base = make(training=training, model=Model(kind="logistic", **model))
    return replaced(base, data=replaced(base.data, columns=columns, split=None))


def table(draw_from, rows):
    """Any rows of these columns, at the ends of their ranges more often than not."""
    draw = np.random.default_rng(draw_from)
    return pd.DataFrame(
        {
            "x": draw.choice([0, 10, 3.3], rows),
            "z": draw.choice([-1, 1, np.nan], rows),
            "c": draw.choice(["u", "v", "w", ""], rows),
            "k": draw.choice(["p", "q"], rows),
            "y": np.arange(rows) % 2,
        }
    )


@settings(max_examples=examples(60))
@given(st.integers(0, 10_000), st.integers(2, 30), st.floats(0, 100))
def test_no_rows_are_steeper_than_the_bound(seed, rows, l2):
    training = replaced(GRADIENT, expected_rows=rows)
    plan = spec(training, l2=l2)
    x, y = pooled(frames(plan, table(seed, rows), table(seed + 1, 2)))
    x, y = x[:rows], y[:rows]
    matrix = design(x)
    penalised = np.diag([0.0, *np.ones(x.shape[1])])
    curvature = np.linalg.eigvalsh(matrix.T @ matrix / 4 / len(y) + l2 / rows * penalised).max()
    assert curvature <= advice(plan).curvature * (1 + 1e-12)


def test_the_bound_counts_the_intercept_each_column_and_the_ridge():
    found = advice(spec(l2=6.0))
    assert found.curvature == pytest.approx((1 + 4) / 4 + 6 / 300)
    assert found.rate == pytest.approx(1 / found.curvature)
    assert found.longest == pytest.approx(2 / found.curvature)
    assert advice(spec(replaced(GRADIENT, expected_rows=None), l2=6.0)).curvature == pytest.approx(5 / 4)


@pytest.mark.parametrize("word", ["sgd", "momentum", "nesterov"])
def test_the_longest_rate_is_where_a_quadratic_begins_to_diverge(word):
    one = OPTIMIZERS.of(word)

    def far(rate):
        error, state = np.array([1.0]), one.begin(1)
        for _ in range(2000):
            move, state = one.step(5.0 * error, 1.0, rate, state)
            error = error - move
        return abs(float(error[0]))

    assert far(0.99 * one.longest / 5.0) < 1e-3
    assert far(1.01 * one.longest / 5.0) > 1e3


def test_steps_at_the_recommended_rate_never_go_up():
    plan = spec(replaced(GRADIENT, rounds=1, expected_rows=None))
    rate, tables = advice(plan).rate, frames(plan, table(1, 40), table(2, 40))
    x, y = pooled(tables)
    matrix, losses = design(x), []
    for rounds in range(1, 12):
        at = replaced(plan, training=replaced(plan.training, rounds=rounds, rate=rate))
        weights = run(build(at), tables).model.weights
        margins = matrix @ weights
        losses.append(np.logaddexp(0, margins).sum() - y @ margins + (weights[1:] ** 2).sum() / 2)
    assert (np.diff([len(y) * np.log(2), *losses]) < 0).all()


@pytest.mark.parametrize(
    ("optimizer", "rate", "word"),
    [
        ("sgd", 1.0, None),
        ("sgd", 100.0, "may diverge: with these columns rates below 1.6 are safe"),
        ("sgd", 0.001, "too low for 20 rounds"),
        ("momentum", 0.5, None),
        ("momentum", 100.0, "may diverge"),
        ("momentum", 0.001, "too low"),
        ("momentum", 0.01, None),
        ("nesterov", 3.0, "may diverge"),
        ("adam", 0.4, None),
        ("adam", 5.0, "is far from 0.4"),
        ("yogi", 0.01, "is far from 0.4"),
    ],
)
def test_only_rates_that_are_far_off_are_warned_of(optimizer, rate, word):
    plan = spec(replaced(GRADIENT, rate=rate, optimizer=optimizer), l2=0.0)
    found = list(warnings(plan, advice(plan)))
    assert len(found) == (word is not None)
    assert word is None or (word in found[0] and ". hint: " in found[0])


def test_the_usual_rate_follows_the_optimizer_the_loss_and_the_noise():
    def usual(optimizer, kind="logistic", **more):
        plan = make(training=Training(method="gradient", optimizer=optimizer), model=Model(kind=kind), **more)
        return usual_rate(plan)

    assert usual("sgd") == usual("sgd", "linear") == 1.0
    assert (usual("momentum"), usual("momentum", "linear")) == (0.5, 0.1)
    assert (usual("adam"), usual("adam", "linear"), usual("adam", privacy=NOISE)) == (0.4, 0.05, 0.1)
    assert usual_rate(make(training=Training(method="average", optimizer="adam"))) == 0.1
    assert usual_rate(make(training=Training(method="newton", optimizer="adam"))) == 1.0


def test_methods_without_such_steps_get_no_advice():
    assert advice(heart(training=Training(method="newton"))) is None
    assert advice(heart(training=Training(method="average"))) is None
