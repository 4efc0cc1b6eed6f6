"""Noise of a fit in secret: what is drawn, and whether it is enough; three faults, each caught by name."""

from dataclasses import replace

import pytest

import potluck
from potluck.audits.promises import on_shares
from potluck.dp import noise_on_shares
from potluck.learning.training.fit_linear import Regression
from support.parties.fit_scene import plan

PRIVACY = {"noise": "reveal", "unit": "row", "epsilon": 2.0, "delta": 1e-5, "clip": 1.0}
STEPS = {"method": "gradient", "rounds": 12, "rate": 1.0, "expected_rows": 200}


def found(**privacy):
    return {one.name: one.held for one in potluck.audit(plan(2, training=STEPS, privacy=PRIVACY | privacy)).all}


def half_of_it(patch):
    whole = on_shares.gaussian
    patch.setattr(on_shares, "gaussian", lambda sigma, size, draw: whole(sigma / 2, size, draw))


def in_one_step_alone(patch):
    whole = Regression.recipe

    def recipe(self, train, test):
        made = whole(self, train, test)
        return replace(made, noise=replace(made.noise, shape=(1, made.noise.shape[1])))

    patch.setattr(Regression, "recipe", recipe)


def reckoned_for_one_step(patch):
    calibrate = noise_on_shares.calibrate
    patch.setattr(
        noise_on_shares, "calibrate", lambda epsilon, delta, count, extra: calibrate(epsilon, delta, 1, extra)
    )


@pytest.mark.parametrize("redo", [0, 2])
def test_right_noise_is_enough_and_what_is_not_looked_at_is_said(redo):
    said = found(redo=redo)
    assert said.pop("program") is None
    assert set(said) >= {"noise: fit", "fresh noise: fit", "charges: fit"}
    assert set(said.values()) == {True}


@pytest.mark.parametrize(
    ("bug", "name"),
    [
        (half_of_it, "noise: fit"),
        (in_one_step_alone, "charges: fit"),
        pytest.param(reckoned_for_one_step, "charges: fit", marks=pytest.mark.slow),
    ],
)
def test_each_fault_is_caught_by_name(bug, name, monkeypatch):
    bug(monkeypatch)
    assert found()[name] is False
