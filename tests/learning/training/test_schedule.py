"""Rates that change over the rounds: what the formulas say, and what it does to steps."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from potluck.core.plan import Training
from potluck.learning.check import check
from potluck.learning.loops import build
from potluck.learning.training.rates import advice, warnings
from potluck.learning.training.schedule import factor, mean
from support.learning.sums import heart, hospitals, run
from support.learning.tiny import pooled


def factors(**keys):
    spec = Training(method="gradient", **keys)
    return [factor(spec, number) for number in range(spec.rounds)]


def test_factors_are_those_of_the_formulas():
    assert factors(rounds=3) == [1.0, 1.0, 1.0]
    assert factors(rounds=4, warmup=2) == [0.5, 1.0, 1.0, 1.0]
    half = math.sqrt(0.5)
    assert factors(rounds=4, schedule="cosine") == pytest.approx([1, (1 + half) / 2, 0.5, (1 - half) / 2], abs=1e-9)
    assert factors(rounds=6, warmup=2, schedule="cosine")[:2] == [0.5, 1.0]
    assert factors(rounds=6, warmup=2, schedule="cosine")[2:] == factors(rounds=4, schedule="cosine")


@given(st.integers(1, 400), st.integers(0, 399), st.sampled_from(["constant", "cosine"]))
def test_factors_are_above_nothing_and_at_most_one_and_whole_parts(rounds, warmup, schedule):
    found = factors(rounds=rounds, warmup=min(warmup, rounds - 1), schedule=schedule)
    assert all(0 < one <= 1 and (one * 2**30).is_integer() for one in found)
    spec = Training(method="gradient", rounds=rounds, warmup=min(warmup, rounds - 1), schedule=schedule)
    assert mean(spec) == pytest.approx(np.mean(found))


@pytest.mark.parametrize("keys", [{"schedule": "cosine"}, {"warmup": 3}, {"schedule": "cosine", "warmup": 2}])
def test_gradient_descent_takes_each_round_at_its_rate(keys):
    spec = heart(training=Training(method="gradient", rounds=7, rate=0.5, **keys))
    tables = hospitals(spec)
    x, y = pooled(tables)
    x, w = np.column_stack([np.ones(len(x)), x]), np.zeros(x.shape[1] + 1)
    free = np.concatenate([[0.0], np.ones(x.shape[1] - 1)])
    for one in factors(rounds=7, **keys):
        w = w - 0.5 * one * (x.T @ (1 / (1 + np.exp(-(x @ w))) - y) + free * w) / len(y)
    assert np.abs(run(build(spec), tables).model.weights - w).max() < 1e-12


def test_sites_step_at_the_rate_of_the_round():
    """One batch of all rows and one epoch are full-batch descent, at each round's rate."""
    keys = {"rounds": 6, "rate": 0.5, "schedule": "cosine", "warmup": 2}
    average = heart(training=Training(method="average", batch=10_000, **keys))
    gradient = heart(training=Training(method="gradient", **keys))
    tables = hospitals(average)
    first, second = (run(build(spec), tables).model.weights for spec in (average, gradient))
    assert np.abs(first - second).max() < 1e-12


def test_short_last_steps_do_not_pass_for_an_arrival():
    spec = heart(training=Training(method="gradient", rounds=10, schedule="cosine"))
    assert any("has not arrived" in line for line in run(build(spec), hospitals(spec)).warnings)


def test_a_rate_that_falls_must_be_higher_to_get_anywhere():
    def told(rate, **keys):
        spec = heart(training=Training(method="gradient", rounds=10, rate=rate, **keys))
        return any("too low" in line for line in warnings(spec, advice(spec)))

    edge = advice(heart(training=Training(method="gradient"))).rate / 10
    assert (told(edge * 0.9), told(edge * 1.1)) == (True, False)
    assert told(edge * 1.1, schedule="cosine")


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({"method": "gradient", "rounds": 5, "warmup": 5}, "training.warmup: leaves no round"),
        ({"method": "newton", "schedule": "cosine"}, "training.schedule: is ignored"),
        ({"method": "newton", "warmup": 2}, "training.warmup: is ignored"),
    ],
)
def test_what_cannot_be_or_changes_nothing_is_told(keys, said):
    errors, pauses = check(heart(training=Training(**keys)))
    assert any(line.startswith(said) for line in [*errors, *pauses])
    assert bool(errors) == ("leaves" in said)
