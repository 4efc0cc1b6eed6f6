"""Ditto against its paper written out: the common model is that of plain averaging, and each site has its own."""

import numpy as np
import pytest

from potluck.core.asks import Answer, Kind
from potluck.core.plan import PrivacyPlan, Training
from potluck.core.rounds import Abort, Cause
from potluck.core.stages import Opened
from potluck.dp.mechanism import guarded, mechanism
from potluck.dp.reveal import reveal
from potluck.learning.check import check
from potluck.learning.evaluation.evaluate import exact
from potluck.learning.loops import build
from potluck.learning.models.model import model
from potluck.learning.training.local import words
from potluck.learning.training.trained import own_of
from potluck.testing.draws import seeded
from support.learning.batches import batches
from support.learning.sums import heart, hospitals, replaced, run
from support.learning.tiny import pooled, tiny

LOCAL = {"method": "average", "local": "ditto", "steps": 13, "batch": 32, "rate": 0.3, "mu": 0.5}


def ditto(**more):
    return heart(training=Training(**LOCAL | more))


def stepped(spec, weights, step, side, sites, pulled=None):
    """So many steps down the mean loss, the ridge, and mu/2 times the squared distance from a model."""
    how, (x, y) = spec.training, side
    free = np.concatenate([[0.0], np.ones(len(weights) - 1)])
    rows = np.column_stack([np.ones(len(x)), x])
    for some in batches(how, step, len(y)):
        error = 1 / (1 + np.exp(-(rows[some] @ weights))) - y[some]
        down = rows[some].T @ error / len(some) + spec.model.l2 / (sites * len(y)) * free * weights
        weights = weights - how.rate * (down + (0 if pulled is None else how.mu * (weights - pulled)))
    return weights


@pytest.mark.parametrize("mu", [0.01, 0.5, 3.0])
def test_it_is_the_papers_algorithm(mu):
    spec = ditto(rounds=3, mu=mu)
    tables = hospitals(spec)
    sides = [pooled({"": one}) for one in tables.values()]
    w = np.zeros(sides[0][0].shape[1] + 1)
    own = [w] * len(sides)
    for step in range(3):
        own = [stepped(spec, v, step, side, 4, w) for v, side in zip(own, sides, strict=True)]
        moved = [stepped(spec, w, step, side, 4) for side in sides]
        w = np.average(moved, axis=0, weights=[len(y) for _, y in sides])
    found = run(build(spec), tables)
    assert np.abs(found.model.weights - w).max() < 1e-12
    for one, v in zip(tables.values(), own, strict=True):
        mine = own_of(spec, one)
        assert np.abs(mine.model.weights - v).max() < 1e-12
        assert mine.metrics == exact(model(spec, mine.model.weights), [one])
        assert mine.metrics.rows == one.test.sum() > 0


def test_the_common_model_is_that_of_plain_averaging():
    plain, own = ditto(local="plain", mu=Training(method="average").mu, rounds=2), ditto(rounds=2)
    assert run(build(own), hospitals(own)).model.digest() == run(build(plain), hospitals(plain)).model.digest()


def test_a_stronger_pull_keeps_own_models_nearer_to_the_common_one():
    found = []
    for mu in (0.001, 0.5, 3.0):
        spec = ditto(rounds=6, mu=mu)
        tables = hospitals(spec)
        common = run(build(spec), tables).model.weights
        found.append(sum(np.linalg.norm(own_of(spec, one).model.weights - common) for one in tables.values()))
    assert found[0] > found[1] > found[2]


def test_a_site_without_rows_to_train_on_has_no_model_of_its_own():
    spec = ditto(rounds=2)
    tables = hospitals(spec)
    whole = tables["switzerland"]
    object.__setattr__(whole, "test", np.ones(len(whole.test), dtype=bool))
    run(build(spec), tables)
    assert own_of(spec, whole) is None
    assert own_of(spec, tables["va"]) is not None


def test_an_own_model_that_runs_away_stops_the_site():
    spec = ditto(rounds=40, rate=0.01, mu=1000.0)  # rate times mu is 10: each step throws it further away
    with pytest.raises(Abort) as caught:
        run(build(spec), hospitals(spec))
    assert caught.value.cause is Cause.RANGE
    assert any("from 2 on" in line for line in check(spec)[1])


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"training": {"aggregation": "krum"}}, 'training.local: "ditto" go with the mean alone'),
    ],
)
def test_what_it_does_not_go_with_is_refused(given, said):
    spec = tiny(**LOCAL)
    for table, keys in given.items():
        changed = replaced(getattr(spec, table), **keys) if isinstance(keys, dict) else keys
        spec = replaced(spec, **{table: changed})
    assert any(line.startswith(said) for line in check(spec)[0])


HIDDEN = [
    PrivacyPlan(noise="site", unit="row", epsilon=4.0, delta=1e-5, clip=1.0),
    PrivacyPlan(noise="site", unit="site", epsilon=4.0, delta=1e-5, clip=1.0),
]


def noisy(privacy, **more):
    """A plan of rounds of steps, with noise."""
    return replaced(
        ditto(rounds=2, expected_rows=600, **({"batch": None} if privacy.unit == "row" else {}) | more), privacy=privacy
    )


def rounds_of(spec, tables):
    """[(common model, what each site sends)] of every round, with the draws of a test, and the model at the end."""
    task = build(spec)
    lead, found = task.lead(), []
    ask = next(lead)
    while ask.kind is Kind.TRAIN:
        bound = mechanism(spec, ask)
        sent = []
        for name, table in tables.items():
            draw = seeded(name, ask.step)
            sent.append(guarded(bound, task.contribute(ask, table, draw), draw).words)
        found.append((np.frombuffer(ask.state), sent))
        opened = Opened(sum(sent[1:], sent[0]), frozenset(spec.sites))
        answer = Answer(reveal(bound.at_reveal(opened, seeded("server")), bound.grid), bound.grid)
        try:
            ask = lead.send(answer)
        except StopIteration:
            break
    return found


@pytest.mark.parametrize("privacy", HIDDEN, ids=["row", "site"])
def test_with_noise_what_leaves_does_not_read_what_stays(privacy):
    """The same words of every round, where the site's own model is what it is, gone, or run away: nothing is told."""
    assert check(noisy(privacy))[0] == []
    found = []
    for keys in ({}, {"local": "plain", "mu": Training(method="average").mu}, {"mu": 1e9}):
        spec = noisy(privacy, **keys)
        tables = hospitals(spec)
        found.append([sent for _, sent in rounds_of(spec, tables)])
        own = own_of(spec, tables["va"])
        assert (own is None) == ("local" in keys)
    assert np.array_equal(found[0], found[1])
    assert np.array_equal(found[0], found[2])


@pytest.mark.parametrize("privacy", HIDDEN, ids=["row", "site"])
def test_with_noise_own_models_are_the_papers_beside_the_common_one_as_it_was_announced(privacy):
    spec = noisy(privacy, rate=0.05)
    tables = hospitals(spec)
    announced = [common for common, _ in rounds_of(spec, tables)]
    how = replaced(spec, training=replaced(spec.training, batch=32))
    for table in tables.values():
        x, y = pooled({"": table})
        v, free = np.zeros(x.shape[1] + 1), np.concatenate([[0.0], np.ones(x.shape[1])])
        rows = np.column_stack([np.ones(len(x)), x])
        for step, common in enumerate(announced):
            for some in batches(how.training, step, len(y)):
                error = 1 / (1 + np.exp(-(rows[some] @ v))) - y[some]
                down = rows[some].T @ error / len(some) + spec.model.l2 / 600 * free * v
                v = v - 0.05 * (down + 0.5 * (v - common))
        assert np.abs(own_of(spec, table).model.weights - v).max() < 1e-12
    assert any("what stays at a site has no noise, and epsilon does not count it" in line for line in check(spec)[1])
    assert any("It has no noise" in line for line in words(spec))
