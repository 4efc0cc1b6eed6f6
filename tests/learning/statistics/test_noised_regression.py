"""Regressions with noise: intervals cover the population's coefficients, and what is drowned is refused."""

import numpy as np
import pytest

from potluck.core.plan import PrivacyPlan, Statistic
from potluck.dp.mechanism import mechanism
from potluck.learning.loops import build
from potluck.learning.statistics.regressions import noised
from potluck.learning.statistics.regressions.noised import covariance
from potluck.learning.statistics.statistics import courses
from potluck.learning.statistics.sums import Part
from support.learning.sums import category, number, stats

COLUMNS = {
    "x": number(-3, 3),
    "z": number(0, 10),
    "g": category("no", "yes"),
    "y": number(-20, 20),
    "b": category("0", "1"),
}
TRUTH = {"intercept": -0.5, "x": 0.4, "z": 0.1, "g=yes": 0.6}
FAMILIES = {"gaussian": ("y", 1), "binomial": ("b", 3)}


RARE = TRUTH | {"intercept": -4.5, "z": 0.15}
"""Some 4 % of outcomes."""


def plan(family, epsilon, unit="row", rounds=None, **more):
    target, usual = FAMILIES[family]
    rounds = rounds or usual
    one = Statistic(
        name="one", kind="regression", family=family, target=target, features=("x", "z", "g"), rounds=rounds, **more
    )
    privacy = PrivacyPlan(noise="reveal", unit=unit, epsilon=epsilon, delta=1e-5)
    return stats(COLUMNS, one, privacy=privacy)


def rows(draw, n, truth=TRUTH):
    x, z, g = draw.uniform(-2, 2, n), draw.uniform(1, 9, n), draw.integers(0, 2, n).astype(float)
    eta = truth["intercept"] + truth["x"] * x + truth["z"] * z + truth["g=yes"] * g
    y = eta + draw.normal(0, 3, n)
    return {"x": x, "z": z, "g": g, "y": y, "b": (draw.uniform(size=n) < 1 / (1 + np.exp(-eta))).astype(float)}


def stds(spec):
    """The noise in each number of each round."""
    bound = mechanism(spec, next(build(spec).lead()))
    return bound.real(bound.sigma)[0]


def fitted(spec, columns, draw, std):
    """One run of the course, in floats."""
    (course,) = courses(spec).values()
    lead = course.lead()
    state, step = next(lead), 0
    while True:
        layout = course.layout(step, state)
        total = sum((one.values.sum(axis=0) for one in course.add(step, state, columns)), np.zeros(layout.size))
        try:
            state = lead.send(Part(total + draw.normal(0, std, layout.size), np.full(layout.size, std), 2.0**-40))
            step += 1
        except StopIteration as stop:
            return stop.value


def coverage(family, n, epsilon, times, seed=0, truth=TRUTH, rounds=None):
    """How often each interval holds the population's coefficient, of runs that were not refused, and how many were."""
    spec, draw = plan(family, epsilon, rounds=rounds), np.random.default_rng(seed)
    std, held, refused = stds(spec), [], 0
    for _ in range(times):
        found = fitted(spec, rows(draw, n, truth), draw, std)
        if found.coefficients is None:
            refused += 1
            continue
        held.append([one.low <= truth[name] <= one.high for name, one in found.coefficients.items()])
    return np.mean(held, axis=0) if held else None, refused / times


@pytest.mark.parametrize(
    ("family", "n", "epsilon"), [("gaussian", 2000, 3.0), pytest.param("binomial", 4000, 3.0, marks=pytest.mark.slow)]
)
def test_intervals_hold_the_populations_coefficients(family, n, epsilon):
    held, refused = coverage(family, n, epsilon, 150)
    assert refused < 0.1
    assert (held > 0.89).all()
    assert held.mean() < 0.995


@pytest.mark.slow
@pytest.mark.parametrize("family", list(FAMILIES))
@pytest.mark.parametrize(("n", "epsilon"), [(1000, 3.0), (5000, 1.0), (5000, 3.0), (20000, 1.0)])
def test_intervals_hold_the_populations_coefficients_at_every_size(family, n, epsilon):
    held, refused = coverage(family, n, epsilon, 600)
    if refused < 0.5:
        assert (held > 0.92).all()
        assert (held < 0.985).all()


@pytest.mark.slow
def test_a_fit_of_rare_outcomes_that_has_not_settled_is_refused_and_settles_in_more_rounds(monkeypatch):
    held, refused = coverage("binomial", 20000, 3.0, 30, truth=RARE, rounds=6)
    assert refused < 0.1
    assert held.min() > 0.8
    held, refused = coverage("binomial", 20000, 3.0, 30, truth=RARE)
    assert (held, refused) == (None, 1.0)
    draw = np.random.default_rng(0)
    one = fitted(plan("binomial", 3.0), rows(draw, 20000, RARE), draw, stds(plan("binomial", 3.0)))
    assert (one.rounds, one.coefficients) == (3, None)
    assert "has not settled" in one.refused
    monkeypatch.setattr(noised, "LEFT", np.inf)  # a control: told all the same, its intervals would be wrong
    held, _ = coverage("binomial", 20000, 3.0, 30, truth=RARE)
    assert held.min() < 0.2


@pytest.mark.slow
@pytest.mark.parametrize("truth", [RARE, {"intercept": -1.0, "x": 1.5, "z": 0.3, "g=yes": 1.0}])
@pytest.mark.parametrize(("n", "epsilon"), [(20000, 1.0), (20000, 5.0)])
def test_intervals_hold_in_six_rounds_where_outcomes_are_rare_or_effects_strong(truth, n, epsilon):
    held, refused = coverage("binomial", n, epsilon, 300, truth=truth, rounds=6)
    assert refused < 0.5
    assert (held > 0.91).all()


@pytest.mark.parametrize("family", list(FAMILIES))
def test_a_fit_that_the_noise_drowns_is_refused_and_not_told(family):
    _, refused = coverage(family, 100, 0.5, 40)
    assert refused > 0.95
    draw = np.random.default_rng(1)
    one = fitted(plan(family, 0.5), rows(draw, 100), draw, stds(plan(family, 0.5)))
    assert one.coefficients is None
    assert "the noise drowns" in one.refused
    assert one.rounds == 1  # no further round is spent on it


def test_without_noise_in_the_sums_a_noised_fit_is_least_squares_and_newtons_steps():
    draw = np.random.default_rng(3)
    mine = rows(draw, 500)
    x = np.column_stack([np.ones(500), mine["x"], mine["z"], mine["g"]])
    found = fitted(plan("gaussian", 1.0), mine, draw, 0.0)
    expected, *_ = np.linalg.lstsq(x, mine["y"].clip(-20, 20), rcond=None)
    assert [one.value for one in found.coefficients.values()] == pytest.approx(expected.tolist(), rel=1e-9)
    left = ((mine["y"].clip(-20, 20) - x @ expected) ** 2).sum() / (500 - 4)
    errors = np.sqrt(left * np.diag(np.linalg.inv(x.T @ x)))
    assert [one.se for one in found.coefficients.values()] == pytest.approx(errors.tolist(), rel=1e-9)
    weights = np.zeros(4)
    for _ in range(3):
        mu = 1 / (1 + np.exp(-x @ weights))
        weights += np.linalg.solve((x * (mu * (1 - mu))[:, None]).T @ x, x.T @ (mine["b"] - mu))
    found = fitted(plan("binomial", 1.0), mine, draw, 0.0)
    assert [one.value for one in found.coefficients.values()] == pytest.approx(weights.tolist(), rel=1e-9)


def test_the_covariance_of_a_noised_step_is_that_of_many_drawn_ones():
    draw = np.random.default_rng(0)
    half = draw.normal(0, 1, (4, 4))
    curved, move = 400 * np.eye(4) + 40 * half @ half.T, np.array([1.0, -0.5, 0.25, 2.0])
    off, bent, times = 3.0, 2.0, 20000
    i, j = np.triu_indices(4)
    noise = np.zeros((times, 4, 4))
    noise[:, i, j] = noise[:, j, i] = draw.normal(0, bent, (times, 10))
    slopes = curved @ move + draw.normal(0, off, (times, 4)) + draw.multivariate_normal(np.zeros(4), curved, times)
    steps = np.linalg.solve(curved + noise, slopes[:, :, None])[:, :, 0]
    assert np.cov(steps.T) == pytest.approx(covariance(curved, 1.0, off, bent, move), rel=0.06, abs=2e-4)
