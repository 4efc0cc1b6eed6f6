"""Federated averaging against plain SGD, written out."""

import numpy as np
import pandas as pd
import pytest

from potluck.core.plan import Federation, Training
from potluck.core.rounds import Abort, Cause
from potluck.core.seeded import generator
from potluck.learning.check import check
from potluck.learning.loops import build
from potluck.secret.random import system
from support.learning.sums import answer, frames, heart, hospitals, replaced, run
from support.learning.tiny import noised, pooled, rows, tiny


def plain_sgd(spec, w, step, x, y, expected):
    """Local steps as the plan's reference says them: mean log-loss plus l2/(2 expected) |w|^2, intercept free."""
    how = spec.training
    rows_ = np.column_stack([np.ones(len(x)), x])
    free = np.concatenate([[0.0], np.ones(x.shape[1])])
    for epoch in range(how.epochs):
        order = generator(how.seed, "average", step, epoch).permutation(len(y))
        for start in range(0, len(y), how.batch):
            batch = order[start : start + how.batch]
            error = 1 / (1 + np.exp(-(rows_[batch] @ w))) - y[batch]
            w = w - how.rate * (rows_[batch].T @ error / len(batch) + spec.model.l2 / expected * free * w)
    return w


def test_one_site_alone_is_plain_sgd():
    spec = heart(
        federation=Federation(sites=("cleveland",)), training=Training(method="average", rounds=3, epochs=2, batch=16)
    )
    tables = {"cleveland": hospitals(heart())["cleveland"]}
    x, y = pooled(tables)
    w = np.zeros(x.shape[1] + 1)
    for step in range(3):
        w = plain_sgd(spec, w, step, x, y, len(y))
    assert np.abs(run(build(spec), tables).model.weights - w).max() < 1e-12


@pytest.mark.parametrize("expected", [None, 500])
def test_several_sites_are_averaged_by_rows(expected):
    spec = heart(training=Training(method="average", rounds=2, batch=32, expected_rows=expected))
    tables = hospitals(spec)
    w = np.zeros(tables["va"].features.shape[1] + 1)
    for step in range(2):
        parts, counts = [], []
        for table in tables.values():
            x, y = pooled({"": table})
            parts.append(plain_sgd(spec, w, step, x, y, expected or 4 * len(y)))
            counts.append(len(y))
        w = np.average(parts, axis=0, weights=counts)
    assert np.abs(run(build(spec), tables).model.weights - w).max() < 1e-12


def test_one_full_batch_a_round_is_full_batch_gradient_descent():
    """Weighted by rows, the sites' penalties add up to the pooled one."""
    average = heart(training=Training(method="average", rounds=9, epochs=1, batch=10_000, rate=0.9))
    gradient = heart(training=Training(method="gradient", rounds=9, rate=0.9))
    tables = hospitals(average)
    first, second = (run(build(spec), tables).model.weights for spec in (average, gradient))
    assert np.abs(first - second).max() < 1e-12


def prox_steps(spec, w, step, x, y):
    """FedProx as its paper says it: so many steps down the mean loss, the ridge and mu/2 |w - common|^2."""
    how, common, taken, epoch = spec.training, w, 0, 0
    rows_ = np.column_stack([np.ones(len(x)), x])
    free = np.concatenate([[0.0], np.ones(x.shape[1])])
    while True:
        order = generator(how.seed, "average", step, epoch).permutation(len(y))
        epoch += 1
        for start in range(0, len(y), how.batch):
            if taken == how.steps:
                return w
            batch = order[start : start + how.batch]
            error = 1 / (1 + np.exp(-(rows_[batch] @ w))) - y[batch]
            down = rows_[batch].T @ error / len(batch) + spec.model.l2 / (4 * len(y)) * free * w
            w = w - how.rate * (down + (how.mu * (w - common) if how.local == "prox" else 0))
            taken += 1


@pytest.mark.parametrize(("local", "mu"), [("plain", 0.01), ("prox", 0.01), ("prox", 3.0)])
def test_sites_take_so_many_steps_and_are_held_to_the_common_model(local, mu):
    spec = heart(training=Training(method="average", rounds=2, rate=0.1, batch=32, steps=13, local=local, mu=mu))
    tables = hospitals(spec)  # of 3 to 7 batches an epoch: steps end within one
    w = np.zeros(tables["va"].features.shape[1] + 1)
    for step in range(2):
        sides = [pooled({"": table}) for table in tables.values()]
        w = np.average([prox_steps(spec, w, step, x, y) for x, y in sides], axis=0, weights=[len(y) for _, y in sides])
    assert np.abs(run(build(spec), tables).model.weights - w).max() < 1e-12


def test_a_pull_to_the_common_model_keeps_sites_nearer_to_it():
    lengths = []
    for how in ({}, {"local": "prox", "mu": 1.0}, {"local": "prox", "mu": 10.0}):
        spec = heart(training=Training(method="average", rounds=1, steps=40, rate=0.05, **how))
        lengths.append(np.linalg.norm(run(build(spec), hospitals(spec)).model.weights))
    assert lengths[0] > lengths[1] > lengths[2] > 0


@pytest.mark.parametrize(
    ("training", "said"),
    [
        ({"method": "average", "steps": 5, "epochs": 2}, "training.steps: takes either"),
        ({"method": "average", "mu": 1.0}, "training.mu: is ignored"),
        ({"method": "gradient", "steps": 5}, "training.steps: is ignored"),
        ({"method": "newton", "local": "prox"}, "training.local: is ignored"),
    ],
)
def test_steps_that_nobody_takes_are_told(training, said):
    errors, warnings = check(heart(training=Training(**training)))
    assert any(line.startswith(said) for line in [*errors, *warnings])
    assert bool(errors) == ("either" in said)


@pytest.mark.parametrize(("mu", "told"), [(1 / 0.3, False), (2.01 / 0.3, True)])
def test_a_pull_that_throws_local_steps_further_away_is_told(mu, told):
    """From rate times mu = 2 on, the distance to the common model grows by every step, whatever the rows are."""
    spec = heart(training=Training(method="average", rounds=2, rate=0.3, local="prox", mu=mu, steps=200, batch=10_000))
    assert any("training.mu: times training.rate" in line for line in check(spec)[1]) == told
    try:
        run(build(spec), hospitals(spec))
        away = False
    except Abort:
        away = True
    assert away == told


def test_with_noise_every_site_weighs_one():
    spec = replaced(tiny("average", rounds=1, rate=1.0), privacy=noised("site"))
    big, small = rows(*[(9, 1, "")] * 30, (1, 0, "")), rows((1, 0, ""), (2, 1, ""))
    tables = frames(spec, big, small)
    task = build(spec)
    ask = next(task.lead())
    deltas = [np.vstack([u.values for u in task.contribute(ask, table, system)]) for table in tables.values()]
    assert [delta.shape for delta in deltas] == [(1, 2), (1, 2)]
    (block,) = ask.blocks
    assert (block.units, block.l2) == (2, 0.7)
    outcome = run(task, tables, lambda a, total: (total, np.zeros_like(total)))
    assert np.allclose(outcome.model.weights, sum(deltas)[0] / 2)
    assert outcome.metrics is None


def test_a_site_without_training_rows_adds_nothing():
    spec = tiny("average", rounds=1)
    tables = frames(spec, rows((9, 1, ""), (1, 0, ""), (1, 0, "test")), rows((3, 1, "test")))
    task = build(spec)
    ask = next(task.lead())
    assert list(task.contribute(ask, tables["b"], system)) == []
    assert answer(ask, task, tables).part("rows").values.tolist() == [1, 1]


def test_a_site_whose_steps_run_away_names_the_range():
    spec = tiny("average", rounds=1, rate=1e4)
    with pytest.raises(Abort) as caught:
        run(build(spec), frames(spec, rows((9, 1, ""), (1, 0, ""), (1, 0, "test"))))
    assert caught.value.cause is Cause.RANGE
    assert "training.range" in caught.value.detail


def test_local_steps_depend_on_plan_round_and_rows_alone():
    spec = heart(training=Training(method="average", rounds=3, batch=32))
    tables = hospitals(spec)
    task, other = build(spec), build(spec)
    ask = next(task.lead())
    first = [u.values for u in task.contribute(ask, tables["va"], system)]
    list(other.contribute(ask, tables["cleveland"], system))
    again = [u.values for u in other.contribute(ask, tables["va"], system)]
    assert np.array_equal(first[0], again[0])
    later = task.ask(ask.kind, 1, ask.state)
    assert not np.array_equal(first[0], next(iter(task.contribute(later, tables["va"], system))).values)


def test_a_number_is_averaged_too():
    spec = tiny("average", kind="linear", rounds=200, rate=0.5, l2=0.0)
    frame = pd.DataFrame({"x": np.linspace(0, 10, 60), "fold": [""] * 50 + ["test"] * 10})
    frame["y"] = 0.1 * frame["x"]
    outcome = run(build(spec), frames(spec, frame))
    assert outcome.metrics.rmse < 1e-3
    assert np.allclose(outcome.model.weights, [0, 1], atol=1e-2)
