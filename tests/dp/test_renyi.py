"""Runs whose units were drawn, beside others: what dp-accounting says of the same events, and a cap that holds."""

import math

import dp_accounting
import pytest
from dp_accounting.rdp import RdpAccountant
from hypothesis import given, settings
from hypothesis import strategies as st

from potluck.core.asks import Kind
from potluck.dp.account import NEIGHBOURS, Cost, calibrate_sampled, event_of
from potluck.dp.composition import NOTHING, Loss, RunCosts, composed
from potluck.dp.events import Gauss, SampledGauss, rho
from potluck.dp.loss import epsilon
from potluck.dp.renyi import ORDERS, divergence, epsilon_at, moments, order
from support.examples import examples

DELTA = 1e-5


def sampled(sigma=1.5, q=0.05, releases=100, unit="row", phase=Kind.TRAIN) -> Cost:
    return Cost(2, phase, unit, NEIGHBOURS, "shared", SampledGauss(sigma, q), 0.0, 1e-6, releases)


def plain(sigma, unit="row", phase=Kind.TRAIN, releases=100) -> Cost:
    return Cost(2, phase, unit, NEIGHBOURS, "shared", *event_of(sigma, 1.0, 0.0, False), 1e-6, releases)


def run(*costs, unit="row") -> RunCosts:
    return RunCosts(unit, 1e-6, {one: one.releases for one in costs})


def together(*runs, cap=None, delta=DELTA) -> float:
    losses = {}
    for one in runs:
        losses[one.unit] = losses.get(one.unit, NOTHING) + one.loss()
    return composed(losses, delta, runs[0] if len(runs) == 1 else None, cap)


EVENTS = st.tuples(st.floats(0.8, 20.0), st.floats(0.001, 0.9), st.integers(1, 200))


@settings(max_examples=examples(18))
@given(st.lists(EVENTS, min_size=2, max_size=3), st.lists(st.floats(5.0, 200.0), max_size=2))
def test_runs_compose_as_dp_accounting_composes_their_events_at_whole_orders(drawn, others):
    accountant = RdpAccountant(ORDERS)
    for sigma, q, times in drawn:
        accountant.compose(dp_accounting.PoissonSampledDpEvent(q, dp_accounting.GaussianDpEvent(sigma)), times)
    for sigma in others:
        accountant.compose(dp_accounting.GaussianDpEvent(sigma), 100)
    runs = [run(sampled(*one)) for one in drawn] + [run(plain(sigma)) for sigma in others]
    assert together(*runs) == pytest.approx(accountant.get_epsilon(DELTA), rel=1e-6, abs=1e-9)


@pytest.mark.parametrize(
    "cap",
    [
        pytest.param(None, marks=pytest.mark.slow),
        pytest.param(1.0, marks=pytest.mark.slow),
        3.0,
        pytest.param(8.0, marks=pytest.mark.slow),
    ],
)
def test_what_is_composed_is_never_less_than_what_is_lost(cap):
    runs = [run(sampled(3.0, 0.1, 50)), run(sampled(2.0, 0.02, 200)), run(plain(40.0, releases=10))]
    events = [SampledGauss(3.0, 0.1, 50), SampledGauss(2.0, 0.02, 200), Gauss(40.0, 10)]
    truth = epsilon(events, DELTA)
    assert truth <= together(*runs, cap=cap)
    if cap is None:
        assert together(*runs) <= 1.25 * truth


def test_between_whole_orders_what_is_kept_is_above_the_divergence():
    for sigma, q in ((1.0, 0.01), (2.0, 0.3), (0.7, 0.001)):
        exact = RdpAccountant([2.5, 7.3, 30.5])
        exact.compose(dp_accounting.PoissonSampledDpEvent(q, dp_accounting.GaussianDpEvent(sigma)))
        kept = moments(SampledGauss(sigma, q))
        for at, found in zip((2.5, 7.3, 30.5), exact.rdp, strict=True):
            assert found <= divergence(kept, at)
            assert divergence(kept, at) <= 1.2 * found or sigma < 1  # there it rises thirtyfold from 7 to 8
    assert divergence(kept, 513.0) == math.inf
    assert Loss(0.0, 0.0, 0.0, kept, rho(0.7)).divergence(1000.0) == 1000.0 * rho(0.7)  # as if all were in the sum


@given(st.floats(0.05, 15.0), st.floats(1e-9, 1e-3))
def test_a_cap_has_the_order_at_which_gaussian_sums_reach_it(cap, delta):
    """So a ledger in which nothing was drawn passes its cap exactly where it did."""
    at = order(cap, delta)
    most = (cap - epsilon_at(at, 0.0, delta)) / at
    for times, passes in ((1 - 1e-6, True), (1 + 1e-6, False)):
        assert (Loss(most * times).epsilon(delta) <= cap) == passes == (epsilon_at(at, most * times * at, delta) <= cap)
    assert Loss(most).epsilon(delta) == Loss(most).epsilon(delta, cap)


def test_a_cap_is_compared_at_one_order_that_was_fixed_beforehand():
    """The best of several, chosen afterwards, bounds plans that were fixed beforehand alone."""
    many = run(sampled(1.0, 0.01, 1000))
    figures = {cap: many.loss().epsilon(DELTA, cap) for cap in (0.5, 1.0, 2.0, 4.0, 10.0)}
    kept = many.loss()
    for cap, found in figures.items():
        at = order(cap, DELTA)
        assert found == pytest.approx(epsilon_at(at, divergence(kept.moments, at), DELTA))
    assert min(figures.values()) >= 0.99 * kept.epsilon(DELTA)
    assert max(figures.values()) > 1.5 * kept.epsilon(DELTA)


def test_a_run_counts_with_all_sums_that_its_plan_paid_for_however_early_it_stops():
    one = sampled()
    assert RunCosts("row", 1e-6, {one: 1}).loss() == run(one).loss()
    assert (
        RunCosts("row", 1e-6, {one: 1}).alone(DELTA)
        == run(one).alone(DELTA)
        == epsilon([SampledGauss(1.5, 0.05, 100)], 1e-6)
    )
    twice = Cost(2, Kind.STATISTICS, "row", NEIGHBOURS, "shared", *event_of(400.0, 100.0, 0.0, True), 1e-6, 4)
    begun = RunCosts("row", 1e-6, {twice: 1})  # of one coordinate: beside drawn rows all four count
    beside, whole = together(begun, run(one)), together(RunCosts("row", 1e-6, {twice: 4}), run(one))
    assert beside == whole > together(run(one), run(plain(1e6)))


def test_a_run_alone_counts_by_its_distribution_and_a_second_one_by_what_the_filter_bounds():
    sigma = calibrate_sampled(1.0, 1e-6, 100, 0.05)
    first = run(sampled(sigma))
    assert 0.99 < together(first, delta=1e-6, cap=1.0) <= 1.0
    assert first.loss().epsilon(1e-6, 1.0) > 1.05  # beyond a filter of 1: no second run, of whatever kind
    assert together(first, run(plain(1e4)), cap=1.0, delta=1e-6) > 1.0


def test_rows_are_trained_on_or_tested_on_and_persons_pay_both():
    train, test = sampled(), plain(2.0, phase=Kind.EVALUATE, releases=1)
    found = run(train, test).loss()
    for at in (2.0, 9.0, 40.0):
        parts = [run(one).loss().divergence(at) for one in (train, test)]
        assert found.divergence(at) == pytest.approx(max(parts))
    alone = [run(one).loss() for one in (train, test)]
    assert alone[0].divergence(2.0) < alone[1].divergence(2.0)
    assert alone[0].divergence(64.0) > alone[1].divergence(64.0)  # the control: which is dearer depends on the order
    both = run(sampled(unit="person"), plain(2.0, "person", Kind.EVALUATE, 1), unit="person").loss()
    assert both.divergence(9.0) == pytest.approx(sum(one.divergence(9.0) for one in alone))


def test_a_row_of_a_person_who_was_drawn_counts_as_if_all_were():
    person, row = run(sampled(20.0, unit="person"), unit="person"), run(plain(50.0))
    assert together(person, row) == pytest.approx(Loss(100 * (4 * rho(20.0) + rho(50.0))).epsilon(DELTA))
    assert together(person) < together(person, row)
