"""Weights and rows at the ends of what is accepted, where the engine's own encoding gives up or overflows."""

import numpy as np
import pytest

from potluck.he.predict.protection import Predicting
from support.he.prediction import Room, meeting, net, plain, rows


@pytest.fixture(scope="module")
def predicting(he_engine):
    made = Predicting()
    yield made
    made.close()


def close(predicting, mode, made, features):
    scored = Room(predicting, meeting(mode, len(features)), made, features).scored()
    assert np.abs(scored.margins - plain(made, features)).max() <= scored.bound
    return scored


@pytest.mark.parametrize(
    "size", [1e-300, *(pytest.param(s, marks=pytest.mark.slow) for s in (1e-12, 1e-9, 1e-6, 1e-4))]
)
@pytest.mark.parametrize(
    ("widths", "activation", "mode"),
    [
        ((5, 1), "", "batch"),
        pytest.param((5, 1), "", "single", marks=pytest.mark.slow),
        pytest.param((3, 2, 1), "square", "batch", marks=pytest.mark.slow),
        pytest.param((3, 2, 1), "square", "single", marks=pytest.mark.slow),
    ],
)
def test_weights_that_round_to_nothing_are_scored_as_nothing(predicting, widths, activation, mode, size):
    made = net(widths, activation, seed=1, size=size)
    close(predicting, mode, made, rows(made, 2))


@pytest.mark.slow
@pytest.mark.parametrize("activation", ["relu", "tanh"])
def test_fitted_networks_with_tiny_weights_are_scored_too(predicting, activation):
    made = net((3, 2, 1), activation, seed=1, size=1e-7)
    close(predicting, "batch", made, rows(made, 2))


@pytest.mark.parametrize("mode", ["batch", "single"])
@pytest.mark.parametrize(
    "value",
    [
        pytest.param(0.0, marks=pytest.mark.slow),
        pytest.param(5.6e-17, marks=pytest.mark.slow),
        pytest.param(-1e-13, marks=pytest.mark.slow),
        1e-320,
        1.0,
        pytest.param(-1.0, marks=pytest.mark.slow),
    ],
)
def test_a_row_in_the_middle_of_every_range_is_scored(predicting, mode, value):
    made = net((4, 2), seed=3)
    close(predicting, mode, made, np.full((1, 4), value))


@pytest.mark.parametrize("mode", ["batch", "single"])
@pytest.mark.parametrize(
    "size", [pytest.param(1e2, marks=pytest.mark.slow), pytest.param(1e4, marks=pytest.mark.slow), 2e5]
)
def test_large_weights_are_scored_within_a_bound_that_grows_with_them(predicting, mode, size):
    made = net((6, 1), seed=4, size=size)
    scored = close(predicting, mode, made, rows(made, 3))
    assert scored.bound < size * 1e-4


@pytest.mark.parametrize("mode", ["batch", "single"])
def test_one_weight_far_above_the_others_does_not_drown_them(predicting, mode):
    made = net((4, 1), seed=5)
    made.layers[0].weights[0, 2] = 1e4
    scored = close(predicting, mode, made, rows(made, 4))
    assert scored.bound < 1
