"""Banded sums: the noise they leave against known answers and dense matrices; what sums cost whoever asks for which of
them, and how often, against each group's own account."""

import math
from collections import Counter
from dataclasses import replace
from itertools import accumulate

import dp_accounting
import numpy as np
import pytest
from dp_accounting.rdp import RdpAccountant
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.linalg import sqrtm, toeplitz
from scipy.optimize import minimize
from scipy.signal import lfilter

from potluck.core.asks import UNIT, Ask, Band, Block, Kind, coefficients, solved
from potluck.core.errors import PlanError
from potluck.core.plan import Federation, PrivacyPlan, Protect, Training
from potluck.core.rounds import CHARGE, Abort, Cause, Record
from potluck.core.wire import dump, load
from potluck.dp.account import NEIGHBOURS, Cost, spent
from potluck.dp.banded import joined, left, overdrawn, squares, taken, weight
from potluck.dp.composition import RunCosts
from potluck.dp.events import Banded, Concentrated, zcdp
from potluck.dp.mechanism import mechanism
from potluck.owner.budget import Budget
from potluck.owner.entries import cost
from support.examples import examples
from support.learning.sums import make

CLIP, DELTA, SUMS = 0.7, 1e-5, 40


def test_noise_of_prefix_sums_is_the_known_one():
    """For 500 sums, of which a unit's turn is in 10. Without correlation it is sqrt(10 (500 + 1) / 2)."""
    one, many = Band(1, 500), Band(32, 500)
    assert left(one)[1] * math.sqrt(10) == pytest.approx(50.05, abs=0.005)
    # The best of all Toeplitz matrices with 32 bands has 12.08.
    assert left(many)[1] * math.sqrt(10 * math.fsum(squares(many))) == pytest.approx(12.08, rel=0.003)


@pytest.mark.parametrize(("band", "sums"), [(1, 5), (4, 3), (7, 40), (32, 100)])
def test_it_is_that_of_the_dense_matrices(band, sums):
    column = np.zeros(sums)
    column[:band] = (np.array(coefficients(Band(band, sums))) / UNIT)[:sums]
    noise = np.tril(np.ones((sums, sums))) @ np.linalg.inv(toeplitz(column, np.zeros(sums)))
    assert left(Band(band, sums))[0] == pytest.approx(np.linalg.norm(noise[-1]))
    assert left(Band(band, sums))[1] == pytest.approx(np.linalg.norm(noise) / math.sqrt(sums))


def test_coefficients_are_those_of_the_root_of_prefix_sums():
    root = sqrtm(np.tril(np.ones((24, 24)))).real
    assert coefficients(Band(24, 24)) == tuple(np.rint(UNIT * root[:, 0]).astype(int))
    for sums in (1024, 10**6, 2**40):
        found = coefficients(Band(1024, sums))
        assert found[0] == UNIT
        assert all(np.diff(found) <= 0)


@pytest.mark.slow
@pytest.mark.parametrize(("groups", "turns"), [(4, 8), (8, 30), (32, 16), (32, 60), (64, 10)])
def test_no_other_coefficients_of_as_many_bands_do_better_by_two_per_cent(groups, turns):
    """Against a search over all of them."""
    of = Band(groups, groups * turns)

    def noise(by):
        found = lfilter([1.0], by, np.ones(of.sums))
        return math.sqrt(np.cumsum(found**2).mean() * (by @ by))

    ours = np.array(coefficients(of)) / UNIT
    start = -np.log(ours[1:] / ours[:-1])
    best = minimize(lambda falls: noise(np.append(1.0, np.exp(-np.cumsum(np.abs(falls))))), start)
    assert best.fun <= noise(ours) <= 1.02 * best.fun
    assert noise(ours) == pytest.approx(left(of)[1] * math.sqrt(math.fsum(squares(of))))


@pytest.mark.parametrize("wrong", [False, True])
def test_what_groups_gave_comes_back_bit_by_bit_unless_a_coefficient_is_wrong_by_one(wrong):
    draw, band = np.random.default_rng(1), 5
    given_, found = draw.integers(-(10**6), 10**6, (30, 3)), []
    of = Band(band, 30)
    by = [*coefficients(of)[:-1], coefficients(of)[-1] + wrong]
    for t in range(30):
        total = sum(by[j] * given_[t - j] for j in range(min(band, t + 1))) / UNIT
        found.insert(0, solved(total, found[: band - 1], of))
    off = np.abs(np.array(found)[::-1] - given_).max()
    assert off > 1 if wrong else off < 1e-5


def dearest(band, numbers):
    """The most that a group's units lose, group by group, as the proof says it."""
    each = [(one / UNIT) ** 2 for one in coefficients(Band(band, SUMS))]
    return max(math.fsum(each[(number - 1 - group) % band] for number in numbers) for group in range(band))


def charges(band, numbers, most=math.inf, rho=0.01):
    return [Banded(rho, band, SUMS, number, most, times) for number, times in Counter(numbers).items()]


@settings(max_examples=examples(60), deadline=None)
@given(st.integers(1, 9), st.lists(st.integers(1, 40), max_size=60))
def test_sums_cost_the_dearest_group_whichever_were_taken_and_however_often(band, numbers):
    found = taken(charges(band, numbers))
    assert found == pytest.approx(dearest(band, numbers) if numbers else 0)
    (event,) = joined(charges(band, numbers, 1e9)) if numbers else [Concentrated(0.0)]
    assert zcdp(event) == pytest.approx(0.01 * found)


@settings(max_examples=examples(60), deadline=None)
@given(st.integers(1, 9), st.lists(st.integers(1, SUMS), max_size=8))
def test_a_run_and_any_sums_run_again_are_within_what_noise_is_made_for(band, again):
    most = weight(Band(band, SUMS), len(again))
    numbers = sorted([*range(1, SUMS + 1), *again])
    for upto in range(1, len(numbers) + 1):
        assert dearest(band, numbers[:upto]) <= most + 1e-9
        assert not overdrawn(charges(band, numbers[:upto], most))
    assert dearest(band, range(1, SUMS + 1)) == pytest.approx(weight(Band(band, SUMS), 0))


def test_a_charge_by_the_sums_number_alone_would_be_too_little():
    """What the ledger would say if each sum cost what it costs group 0: a server that lets sums fail would be ahead."""
    band, numbers = 8, [8, 8, 8]
    naive = math.fsum(squares(Band(band, SUMS))[(number - 1) % band] for number in numbers)
    assert dearest(band, numbers) > 3 * naive
    assert taken(charges(band, numbers)) == pytest.approx(dearest(band, numbers))


def test_sums_beyond_what_the_plan_pays_for_are_seen():
    most = weight(Band(4, SUMS), 1)
    assert not overdrawn(charges(4, [1, 1, *range(2, SUMS + 1)], most))
    assert overdrawn(charges(4, [1] * SUMS, most))  # no more than the plan has, of one group alone
    assert zcdp(joined(charges(4, [1] * SUMS, most))[0]) == pytest.approx(0.01 * most)


def test_a_ledger_admits_no_sum_by_which_a_group_would_lose_more(tmp_path):
    """A server that has one round run again as often as the plan has rounds: a count of sums alone would allow it."""
    made = planned(sums=20, redo=2).cost
    with Budget(tmp_path / "ledger.sqlite") as ledger:
        ledger.begin("run", "plan", b"0" * 32, "row", DELTA, 0.0)
        most = math.floor(made.event.most)
        assert most < made.releases
        records = [Record(f"{CHARGE}run/{number}", dump(made)) for number in range(made.releases)]
        ledger.write(*records[:most])
        with pytest.raises(Abort) as caught:
            ledger.write(records[most])
        assert caught.value.cause is Cause.BUDGET
        assert ledger.spent() <= 2.0


def planned(epsilon=2.0, sums=20, redo=2, band=6, step=0, noise="shared"):
    spec = make(
        federation=Federation(sites=tuple("abcdef"), corrupt=2, dropouts=0),
        protect=Protect(scheme="mask"),
        privacy=PrivacyPlan(noise=noise, unit="row", epsilon=epsilon, delta=DELTA, clip=CLIP, redo=redo),
        training=Training(method="gradient", rounds=sums),
    )
    block = Block("gradient", 50, CLIP, CLIP, 6000, coarsest=1e-5)
    return mechanism(spec, Ask(Kind.TRAIN, step, (block,), b"", band=Band(band, sums)))


@pytest.mark.parametrize("epsilon", [1.0, *(pytest.param(one, marks=pytest.mark.slow) for one in (0.1, 8.0))])
@pytest.mark.parametrize("noise", ["shared", pytest.param("site", marks=pytest.mark.slow)])
@pytest.mark.parametrize(("sums", "band", "redo"), [(20, 6, 2), (30, 30, 0)])
def test_noise_keeps_the_promise_and_no_more_by_dp_accounting(epsilon, noise, sums, band, redo):
    """Group 0's sums and those that are run again at its turn, one Gaussian each, with honest shares alone."""
    bound = planned(epsilon, sums, redo, band, noise=noise)
    sigma = bound.real(bound.share)[0] * math.sqrt(4 if noise == "shared" else 1)
    accountant = RdpAccountant(1 + np.exp(np.linspace(-5, 8, 4000)))
    for number in [*range(sums), *[0] * redo]:
        moved = bound.limit.l2[0] * coefficients(Band(band, sums))[number % band] / UNIT
        accountant.compose(dp_accounting.GaussianDpEvent(sigma / moved))
    found = accountant.get_epsilon(DELTA)
    assert 0.99 * epsilon <= found <= epsilon * (1 + 1e-6)


def test_a_run_that_stops_early_or_is_whole_costs_what_was_taken():
    costs = [planned(step=step).cost for step in range(20)]
    whole = [spent(costs[: upto + 1], DELTA) for upto in range(20)]
    assert whole == sorted(whole)
    assert whole[0] < 0.9
    assert whole[-1] < 2.0
    again = spent([*costs, costs[0], costs[6]], DELTA)
    assert 0.99 * 2.0 <= again <= 2.0 * (1 + 1e-9)
    per = [sum(zcdp(event) for event in joined([one.event for one in costs[: upto + 1]])) for upto in range(20)]
    first = list(accumulate((coefficients(Band(6, 20))[number % 6] / UNIT) ** 2 for number in range(20)))
    assert per == pytest.approx([costs[0].event.rho * one for one in first])
    run = RunCosts("row", DELTA, Counter(costs))
    assert run.loss().rho == pytest.approx(per[-1])
    assert run.composed(DELTA) == pytest.approx(whole[-1])
    assert RunCosts("row", DELTA, {costs[0]: costs[0].releases}).composed(DELTA) == pytest.approx(2.0, rel=0.01)


def test_the_ledger_keeps_which_sum_it_was():
    made = planned(step=7).cost
    assert made.event.number == 8
    assert load(dump(made), Cost) == cost(dump(made), "ledger") == made
    assert (made.neighbours, made.counted, made.slack) == (NEIGHBOURS, False, 0.0)


def test_turns_and_draws_do_not_go_together():
    spec = make(
        privacy=PrivacyPlan(noise="site", unit="row", epsilon=1.0, delta=DELTA, clip=CLIP),
        training=Training(method="gradient", rounds=9),
    )
    ask = Ask(Kind.TRAIN, 0, (Block("gradient", 5, CLIP, CLIP, 100),), b"", band=Band(4, 9))
    mechanism(spec, ask)  # the control
    with pytest.raises(PlanError, match="have their turns are not drawn"):
        mechanism(spec, replace(ask, chance=(1, 4)))
