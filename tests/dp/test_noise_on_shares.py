"""Noise inside a computation: it costs what noise at reveal costs, and all but one party draw enough of it."""

import math
from fractions import Fraction

import numpy as np
import pytest
from msgspec.structs import replace

from potluck.core.asks import Ask, Block, Kind
from potluck.core.errors import PlanError
from potluck.core.plan import Data, Federation, Model, Plan, PrivacyPlan, Protect, Training
from potluck.dp.account import spent
from potluck.dp.events import zcdp
from potluck.dp.mechanism import mechanism
from potluck.dp.noise import gaussian
from potluck.dp.noise_on_shares import SLACK, UNIT, inside, sensitivity
from potluck.secret.random import system

WIDTH = 24


def plan(**keys):
    """A fit of 24 coefficients with noise. keys: of [privacy]."""
    table = {"noise": "reveal", "unit": "row", "epsilon": 1.0, "delta": 1e-5, "clip": 1.0} | keys
    return Plan(
        version=1, name="noise", purpose="test", task="fit", federation=Federation(sites=("a", "b"), server="curious"),
        data=Data(), protect=Protect(scheme="share"), privacy=PrivacyPlan(**table), model=Model(kind="logistic"),
        training=Training(method="gradient", rounds=30, expected_rows=1000),
    )  # fmt: skip


def by_rows(fitted):
    """The same promise of a plan that trains by rows, whose noise comes on when a sum is opened."""
    return mechanism(
        replace(fitted, task="train"), Ask(Kind.TRAIN, 0, (Block("gradient", WIDTH, 1.0, 1.0, 10_000),), b"")
    )


@pytest.mark.parametrize("epsilon", [0.1, 1.0, 8.0])
def test_a_fit_costs_what_as_many_sums_by_rows_cost(epsilon):
    wanted = plan(epsilon=epsilon)
    here, there = inside(wanted, WIDTH), by_rows(wanted)
    assert spent([here.cost], 1e-5) <= epsilon
    assert spent([here.cost], 1e-5) == pytest.approx(spent([there.cost] * 30, 1e-5), rel=1e-4)
    assert zcdp(here.cost.event) == pytest.approx(30 * zcdp(there.cost.event), rel=2e-4)


def test_two_of_three_shares_make_the_promise_and_all_make_half_as_much_again():
    one = inside(plan(), WIDTH)
    assert 2 * Fraction(one.share) ** 2 >= Fraction(one.sigma) ** 2
    assert 3 * one.share**2 == pytest.approx(1.5 * one.sigma**2)


def test_noise_is_of_the_clip_and_of_what_fixed_point_adds():
    assert sensitivity(1.0, WIDTH) > 1.0 + SLACK * math.sqrt(WIDTH) * UNIT
    one, two = inside(plan(), WIDTH), inside(plan(clip=2.0), WIDTH)
    assert one.sigma * UNIT > math.sqrt(30 / (2 * zcdp(one.cost.event))) * sensitivity(1.0, WIDTH) * (1 - 1e-12)
    assert 1.99 < two.sigma / one.sigma < 2
    assert one.cost == two.cost


def test_a_party_that_draws_nothing_cannot_bring_the_noise_below_its_promise():
    one = inside(plan(), WIDTH)
    drawn = sum(gaussian(one.share, 20_000, system).astype(float) for _ in range(2))
    assert np.std(drawn) > 0.97 * one.sigma  # four standard deviations of what 20000 draws may be off


def test_each_try_that_is_paid_for_costs_a_whole_fit():
    again = inside(plan(redo=1), WIDTH)
    assert again.cost.releases == 2
    assert again.sigma > inside(plan(), WIDTH).sigma
    assert spent([again.cost] * 2, 1e-5) <= 1.0 < spent([inside(plan(), WIDTH).cost] * 2, 1e-5)


def test_noise_that_the_steps_are_too_coarse_for_is_refused():
    with pytest.raises(PlanError, match="too fine for the steps") as caught:
        inside(plan(epsilon=1e9, clip=1e-4), WIDTH)
    assert caught.value.where == "privacy.clip"
