"""Optimizers: plain steps are what they were, a state comes back after a crash, and who takes no steps says so."""

import numpy as np
import pytest

from potluck.core.errors import PlanError
from potluck.core.plan import Training
from potluck.learning.check import check
from potluck.learning.loops import build
from potluck.learning.training.fit_check import check as check_fit
from potluck.learning.training.optimizer import SGD
from support.docs.variants import added
from support.learning.columns import plan
from support.learning.sums import answer, heart, hospitals


def test_a_plain_step_is_rate_times_gradient_to_the_bit():
    total, rate = np.array([0.1, -3.0, 7e-9]), 0.3
    move, state = SGD.step(total, 7.0, rate, SGD.begin(3))
    assert move.tolist() == (rate * total / 7.0).tolist()
    assert not len(state)


def test_the_state_at_the_server_comes_back_when_the_loop_is_replayed():
    with added("optimizer"):
        spec = heart(training=Training(method="gradient", rounds=5, optimizer="momentum"))
        tables, answers, states = hospitals(spec), [], []
        lead = build(spec).lead()
        ask = next(lead)
        for _ in range(5):
            states.append(ask.state)
            answers.append(answer(ask, build(spec), tables))
            ask = lead.send(answers[-1])
        again = build(spec).lead()
        replayed = next(again)
        for known, state in zip(answers, states, strict=True):
            assert replayed.state == state
            replayed = again.send(known)
        assert replayed.state == ask.state


def test_a_method_that_takes_no_steps_warns_and_a_fit_refuses():
    with added("optimizer"):
        _, warnings = check(heart(training=Training(method="newton", optimizer="momentum")))
        assert any("training.optimizer: is ignored: newton takes no steps" in line for line in warnings)
        made = plan(training__method="gradient", training__optimizer="momentum")
        assert any("training.optimizer: programs on shares take plain steps" in line for line in check_fit(made.spec))
    with pytest.raises(PlanError, match=r"does not know 'momentum'.*known: sgd"):
        plan(training__optimizer="momentum")
