"""The mean of the last half of the models: what it is, who says so, and that nothing changes without it."""

import msgspec
import numpy as np
import pytest

from potluck.core.plan import Model, PrivacyPlan, Training
from potluck.dp.account import promise
from potluck.learning.check import check
from potluck.learning.loops import build
from potluck.learning.models.summary import summary
from potluck.learning.training.fit_check import check as check_fit
from support.learning.columns import plan
from support.learning.sums import answer, heart, hospitals, run


def averaged(rounds=7, iterates="averaged", **keys):
    return heart(training=Training(method="gradient", rounds=rounds, iterates=iterates, **keys))


def iterates(spec, tables):
    """The models after each round, by the sums that follow: those of a longer run."""
    more = heart(training=msgspec.structs.replace(spec.training, rounds=spec.training.rounds + 1, iterates="last"))
    lead, found = build(more).lead(), []
    ask = next(lead)
    for _ in range(spec.training.rounds):
        ask = lead.send(answer(ask, build(more), tables))
        found.append(np.frombuffer(ask.state))
    return found


@pytest.mark.parametrize(("rounds", "last"), [(1, 1), (2, 1), (7, 4), (8, 4)])
@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_it_is_the_mean_of_the_models_after_the_last_half_of_the_rounds(rounds, last, optimizer):
    spec = averaged(rounds, optimizer=optimizer, rate=0.5)
    tables = hospitals(spec)
    found, every = run(build(spec), tables), iterates(spec, tables)
    np.testing.assert_allclose(found.model.weights, np.mean(every[-last:], axis=0), rtol=1e-12, atol=1e-15)


def test_metrics_are_those_of_the_mean():
    spec = averaged()
    tables, task = hospitals(spec), build(spec)
    lead = task.lead()
    ask = next(lead)
    while ask.kind.value == "train":
        ask = lead.send(answer(ask, task, tables))
    with pytest.raises(StopIteration) as stop:
        lead.send(answer(ask, task, tables))
    assert np.frombuffer(ask.state).tolist() == stop.value.value.model.weights.tolist()


def test_what_stands_beside_the_model_says_so_and_else_nothing_does():
    told = []
    for word in ("averaged", "last"):
        spec = averaged(iterates=word)
        found = run(build(spec), hospitals(spec))
        one = found.model
        notes = summary(one.digest(), one.kind, one.weights, one.encoding, one.target, found.basis).notes
        told.append(sum("the mean of those after each of the last half" in note for note in notes))
        assert (b"iterates" in found.basis.dump()) == (word == "averaged")
    assert told == [1, 0]


@pytest.mark.slow
def test_a_mean_far_from_the_last_model_has_not_arrived_where_that_one_has():
    model = Model(kind="logistic", l2=30.0)
    last, mean = (
        msgspec.structs.replace(averaged(160, word, optimizer="nesterov", rate=0.5), model=model)
        for word in ("last", "averaged")
    )
    tables = hospitals(last)
    assert run(build(last), tables).basis.converged
    assert not run(build(mean), tables).basis.converged


@pytest.mark.parametrize("method", ["newton", "average"])
def test_methods_that_release_their_last_model_warn_and_a_fit_refuses(method):
    _, found = check(heart(training=Training(method=method, iterates="averaged")))
    assert any("training.iterates: is ignored" in line for line in found)
    made = plan(training__method="gradient", training__iterates="averaged")
    assert any("training.iterates: programs on shares" in line for line in check_fit(made.spec))


@pytest.mark.parametrize(
    ("optimizer", "rate", "strength", "rounds", "arrived"),
    [
        pytest.param("sgd", 0.8, 30.0, 800, True, marks=pytest.mark.slow),
        pytest.param("sgd", 0.8, 30.0, 200, False, marks=pytest.mark.slow),
        ("nesterov", 0.5, 30.0, 200, True),
        ("nesterov", 0.5, 30.0, 100, False),
        pytest.param("adam", 0.1, 30.0, 200, True, marks=pytest.mark.slow),
        pytest.param(
            "adam", 0.1, 1.0, 400, False, marks=pytest.mark.slow
        ),  # its last steps meet no flat direction: their curvature would say it has
    ],
)
def test_a_fit_is_said_to_have_arrived_where_it_is_near_the_pooled_one(optimizer, rate, strength, rounds, arrived):
    model, tables = Model(kind="logistic", l2=strength), hospitals(heart())
    best = run(build(heart(model=model)), tables).model.weights
    how = Training(method="gradient", rounds=rounds, rate=rate, optimizer=optimizer)
    found = run(build(heart(model=model, training=how)), tables)
    assert found.basis.converged == arrived
    assert (np.abs(found.model.weights - best).max() < 2e-4) == arrived


def test_noise_charges_no_more_for_a_state_or_a_mean():
    noise = PrivacyPlan(noise="shared", unit="row", epsilon=1.0, delta=1e-6, clip=1.0)
    known = set()
    for optimizer in ("sgd", "momentum", "nesterov", "adam", "yogi"):
        for word in ("last", "averaged"):
            spec = averaged(iterates=word, optimizer=optimizer, expected_rows=500)
            known.add(promise(msgspec.structs.replace(spec, privacy=noise)))
    assert len(known) == 1
