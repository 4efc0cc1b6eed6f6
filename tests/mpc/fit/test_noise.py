"""Noise inside the engine's gradient steps: rows clipped on shares, the noise of all added, nothing else opened."""

import math

import numpy as np
import pytest

from potluck.core.fitting import Take
from potluck.dp.noise_on_shares import UNIT, sensitivity
from potluck.mpc.fit import parts as fit_parts
from potluck.mpc.replicated import PARTIES, held
from potluck.secret.random import system
from support.mpc.spu_rig import compiled, ran

pytestmark = pytest.mark.slow
ROWS, WIDTH, ROUNDS = 60, 5, 6
NUMBERS = {"kind": "logistic", "method": "gradient", "rounds": ROUNDS, "l2": 0.5, "rate": 1.5, "train": ROWS,
           "test": 0, "features": [3, 1], "target": 1, "batch": ROWS, "divisor": 64, "clip": 0.75,
           "noises": 3, "least": 0}  # fmt: skip
ONE = NUMBERS | {"rounds": 1, "l2": 0.0, "rate": 1.0, "divisor": 1}
"""One step of the whole sum: the weights are minus the noised sum, to the step's digits."""
MARGIN = 1 - 2.0**-7
"""Bounds are smaller by so much, whatever the engine's roots are wrong by."""


def table(seed=0, rows=ROWS):
    draw = np.random.default_rng(seed)
    x = np.rint(draw.uniform(-1, 1, (rows, WIDTH - 1)) / UNIT) * UNIT
    return x, (draw.random(rows) < 0.5).astype(np.int64), (draw.random(rows) < 0.9).astype(np.int64)


def fitted(engines, numbers, x, y, keep, noise):
    """The opened coefficients, and what is said beside them. noise [parties, rounds, width]: in whole steps."""
    programs = compiled(engines, "ABY3", "regression", numbers)
    arrays = [x[:, :3], keep, x[:, 3:], np.ones(len(y), np.int64), y, *(noise * UNIT)]
    takes = [Take(0, one.kind, one.shape) for one in programs[0].takes]
    parts = fit_parts.dealt(takes, arrays, b"a test", system)
    shares = [fit_parts.shares(takes, held(parts, rank), b"a test") for rank in range(PARTIES)]
    results = ran(engines, programs, list(zip(*shares, strict=True)))
    gives = programs[0].gives
    said = engines[0].opened("ABY3", gives[2], results[2]).view(np.int64)
    return engines[0].opened("ABY3", gives[1], results[1]), said.tolist()


def clipped(numbers, x, y, keep, weights):
    """[n, width] gradients of rows whose norms are at most the clip, in plain."""
    rows = np.column_stack([np.ones(len(x)), x])
    margins = rows @ weights
    rest = (1 / (1 + np.exp(-margins)) if numbers["kind"] == "logistic" else margins) - y
    most = MARGIN * numbers["clip"] / np.linalg.norm(rows, axis=1)
    return (np.clip(rest, -most, most) * keep)[:, None] * rows


def descended(numbers, x, y, keep, noise):
    weights = np.zeros(WIDTH)
    for fresh in noise.sum(axis=0) * UNIT:
        slope = clipped(numbers, x, y, keep, weights).sum(axis=0) + fresh
        weights = weights - numbers["rate"] / numbers["divisor"] * (slope + numbers["l2"] * np.array([0, *weights[1:]]))
    return weights


def none(rounds=ROUNDS):
    return np.zeros((PARTIES, rounds, WIDTH))


@pytest.mark.parametrize("clip", [0.1, 0.75, 40.0])
def test_without_noise_steps_are_those_of_clipped_rows(aby3, clip):
    numbers, rows = NUMBERS | {"clip": clip}, table()
    weights, said = fitted(aby3, numbers, *rows, none())
    wanted = descended(numbers, *rows, none())
    assert np.abs(weights - wanted).max() < 1e-3
    assert said == [1, 0, 0, 0]


def test_the_noise_of_all_parties_and_rounds_is_in_the_coefficients(aby3):
    noise = np.rint(np.random.default_rng(3).normal(size=(PARTIES, ROUNDS, WIDTH)) * 2.0**20)
    rows = table()
    weights, _ = fitted(aby3, NUMBERS | {"clip": 40.0}, *rows, noise)
    wanted = descended(NUMBERS | {"clip": 40.0}, *rows, noise)
    assert np.abs(wanted - descended(NUMBERS | {"clip": 40.0}, *rows, none())).max() > 0.1
    assert np.abs(weights - wanted).max() < 2e-3


@pytest.mark.parametrize("kind", ["logistic", "linear"])
@pytest.mark.parametrize("clip", [1 / 64, 1.0])
def test_no_row_moves_a_sum_by_more_than_its_sensitivity(aby3, kind, clip):
    """Rows at corners, with the largest residual; one alone, so that the sum is its gradient."""
    numbers = ONE | {"clip": clip, "train": 1, "batch": 1, "kind": kind}
    target = np.array([1]) if kind == "logistic" else np.array([1.0])
    for x in (np.ones((1, 4)), -np.ones((1, 4)), np.zeros((1, 4)), table(1)[0][:1]):
        weights, _ = fitted(aby3, numbers, x, target, np.ones(1, np.int64), none(1))
        assert np.linalg.norm(weights) <= sensitivity(clip, WIDTH) + 16 * UNIT * math.sqrt(WIDTH)
        # A tenth of it may be the steps of a small clip.
        assert np.linalg.norm(weights) > 0.9 * min(clip, np.linalg.norm([1, *x[0]]) / (2 if kind == "logistic" else 1))


def test_a_dropped_row_moves_nothing(aby3):
    x, y, _ = table(2)
    keep = np.ones(ROWS, np.int64)
    keep[7] = 0
    other = x.copy()
    other[7] = 1.0
    found = [fitted(aby3, NUMBERS, one, y, keep, none())[0] for one in (x, other)]
    assert np.abs(found[0] - found[1]).max() < 1e-4
