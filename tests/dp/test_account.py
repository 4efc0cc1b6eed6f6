"""The accountant, against published values, other definitions of the same thing, and the sums it prices."""

import json
import math

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import optimize

from potluck.core.asks import Kind
from potluck.core.rounds import Abort
from potluck.core.wire import dump, load
from potluck.dp import account, loss, noise
from potluck.dp.account import Cost, calibrate, calibrate_steps, promise, spent
from potluck.dp.events import Concentrated, DiscreteGauss, Gauss, Laplace, RandomisedResponse, SampledGauss
from potluck.dp.loss import epsilon
from potluck.dp.mechanism import mechanism
from potluck.testing.draws import seeded
from support.dp.by_definition import discrete, gauss_delta, hockey_stick
from support.dp.examples import gradient, histogram, mixture, plan
from support.places import ROOT

VECTORS = ROOT / "vectors" / "dp"
KINDS = {
    kind.__name__: kind for kind in (Gauss, SampledGauss, Laplace, DiscreteGauss, RandomisedResponse, Concentrated)
}


def rows(name):
    found = json.loads((VECTORS / name).read_text())["rows"]
    return [pytest.param(row, id=row["name"]) for row in found]


def events(row):
    return [KINDS[event.pop("kind")](**event) for event in json.loads(json.dumps(row["events"]))]


@pytest.mark.parametrize("row", rows("epsilon.json"))
def test_known_answers(row):
    for method in ("pld", "rdp"):
        if row[method] is not None:
            found = epsilon(events(row), row["delta"], method, row["neighbours"])
            assert found == pytest.approx(row[method], abs=row["tolerance"]), method


@pytest.mark.parametrize("row", rows("epsilon_bad_events.json"))
def test_what_cannot_be_accounted_is_an_error_and_not_a_number(row):
    with pytest.raises(ValueError):
        epsilon(events(row), row["delta"], row["method"], row["neighbours"])


@pytest.mark.parametrize("row", json.loads((VECTORS / "noise.json").read_text())["rows"])
def test_known_samples(row):
    assert noise.gaussian(row["sigma"], 12, seeded(*row["seed"])).tolist() == row["samples"]


@pytest.mark.parametrize(
    ("event", "neighbours"),
    [
        pytest.param(Gauss(4.0), loss.NEIGHBOURS, marks=pytest.mark.slow),
        (SampledGauss(3.0, 0.5), loss.NEIGHBOURS),
        pytest.param(SampledGauss(3.0, 0.5), loss.REPLACE, marks=pytest.mark.slow),
        (Laplace(5.0), loss.NEIGHBOURS),
        pytest.param(DiscreteGauss(20.0, 5), loss.NEIGHBOURS, marks=pytest.mark.slow),
        pytest.param(RandomisedResponse(1.0, 4), loss.REPLACE, marks=pytest.mark.slow),
    ],
)
def test_a_count_of_three_is_three_releases(event, neighbours):
    found = epsilon([msgspec.structs.replace(event, count=3)], 1e-6, "pld", neighbours)
    assert found == pytest.approx(epsilon([event] * 3, 1e-6, "pld", neighbours), rel=2e-3)
    assert found > 1.3 * epsilon([event], 1e-6, "pld", neighbours)


@settings(max_examples=4)
@given(st.floats(2, 20), st.integers(1, 40), st.sampled_from([1e-5, 1e-8]))
def test_renyi_accounting_is_never_tighter_than_the_loss_distribution(sigma, count, delta):
    event = Gauss(sigma, count)
    assert epsilon([event], delta, "rdp") >= epsilon([event], delta, "pld") - 1e-3


@pytest.mark.parametrize(("budget", "delta", "sensitivity"), [(1.0, 1e-6, 8), (4.0, 1e-5, 1), (0.3, 1e-4, 3)])
def test_the_calibrated_histogram_holds_by_definition_and_a_little_less_noise_does_not(budget, delta, sensitivity):
    enough = calibrate(budget, delta, 1) * sensitivity
    sigma = calibrate_steps(budget, delta, 1, sensitivity, enough)
    assert hockey_stick(discrete(sigma), sensitivity, budget) <= delta
    assert hockey_stick(discrete(sigma * 0.999), sensitivity, budget) > delta
    assert sigma < enough


@pytest.mark.parametrize("budget", [0.1, 1.0, 3.0, 8.0])
@pytest.mark.parametrize("count", [1, 20])
def test_calibrated_noise_is_never_below_the_least_and_at_most_15_percent_above(budget, count):
    ratio = calibrate(budget, 1e-5, count)
    least = optimize.brentq(lambda z: gauss_delta(z, budget) - 1e-5, 0.05, 100) * math.sqrt(count)
    assert least < ratio < 1.15 * least
    assert epsilon([Concentrated(account.rho(ratio), count)], 1e-5, "rdp") <= budget
    assert epsilon([Concentrated(account.rho(ratio * (1 - 2e-6)), count)], 1e-5, "rdp") > budget


@pytest.mark.parametrize("shares", [2, 3, 6])
@pytest.mark.parametrize("sigma", [0.4, 0.55])
def test_a_sum_of_shares_is_as_close_to_one_discrete_gaussian_as_the_bound_says(shares, sigma):
    total = one = discrete(sigma)
    for _ in range(shares - 1):
        total = np.convolve(total, one)
    middle = len(total) // 2
    x = np.arange(-middle, middle + 1)
    whole = np.exp(-(x**2) / (2 * shares * sigma**2))
    near = np.abs(x) <= 4 * sigma * math.sqrt(shares)
    ratio = np.log(total / (whole / whole.sum()))[near]
    slack = account.shares_slack(shares, sigma)
    assert 1e-4 < np.abs(ratio).max() <= slack / 2


def test_shares_of_four_steps_cost_nothing_that_a_float_could_hold():
    assert account.shares_slack(1) == 0
    assert 0 < account.shares_slack(1000) < 1e-60


COSTS = [
    (plan(), gradient(), 20),
    (plan("site"), gradient(), 20),
    (plan(redo=3), gradient(), 23),
    (plan(unit="person", evaluation=0.2, person="who"), gradient(), 20),
    (plan(unit="person", evaluation=0.2, person="who"), histogram(Kind.EVALUATE), 1),
    (plan("reveal"), histogram(Kind.EVALUATE), 1),
    (plan("reveal", redo=2), histogram(Kind.EVALUATE), 3),
    (plan(task="statistics"), histogram(), 1),
    (plan(task="statistics"), mixture(), 1),
]


@pytest.mark.parametrize(("a_plan", "ask", "count"), COSTS)
def test_all_planned_releases_of_a_phase_spend_what_it_was_given(a_plan, ask, count):
    cost = mechanism(a_plan, ask).cost
    given_ = 1.0
    if a_plan.privacy.evaluation:
        given_ = 0.2 if ask.kind is Kind.EVALUATE else 0.8
    assert cost.releases == count
    assert given_ * 0.99 < spent([cost] * count, a_plan.privacy.delta) <= given_
    assert spent([cost] * (count + 1), a_plan.privacy.delta) > given_


def cost(kind, a_plan):
    ask = gradient() if kind is Kind.TRAIN else histogram(kind)
    return mechanism(a_plan, ask).cost


def test_rows_pay_for_the_dearer_of_training_and_metrics():
    rows_plan = plan()
    both = [cost(Kind.TRAIN, rows_plan)] * 20 + [cost(Kind.EVALUATE, rows_plan)]
    assert 0.99 < spent(both, 1e-6) <= 1


def test_persons_pay_for_training_and_metrics_together():
    persons = plan(unit="person", evaluation=0.2, person="who")
    train, metrics = cost(Kind.TRAIN, persons), cost(Kind.EVALUATE, persons)
    assert train.delta + metrics.delta == pytest.approx(1e-6)
    assert spent([train] * 20 + [metrics], 1e-6) == pytest.approx(spent([train] * 20, 1e-6) + spent([metrics], 1e-6))
    assert 0.99 < spent([train] * 20 + [metrics], 1e-6) <= 1


def test_nothing_costs_nothing_and_less_than_planned_costs_less():
    assert spent([], 1e-6) == 0
    one = cost(Kind.TRAIN, plan())
    assert 0 < spent([one], 1e-6) < spent([one] * 10, 1e-6) < 0.9


def test_costs_at_a_larger_delta_or_of_two_units_do_not_add_up():
    one = cost(Kind.TRAIN, plan())
    with pytest.raises(ValueError, match="delta"):
        spent([one], 1e-7)
    with pytest.raises(ValueError, match="units"):
        spent([one, msgspec.structs.replace(one, unit="site")], 1e-6)


def test_a_promise_is_the_plans_epsilon():
    assert promise(plan(epsilon=2.5)) == 2.5
    assert promise(plan("none")) is None


def test_a_cost_travels_as_bytes_and_a_damaged_one_is_refused():
    one = cost(Kind.TRAIN, plan())
    assert load(dump(one), Cost) == one
    for bad in (
        b"",
        dump(one)[:-1],
        dump(msgspec.structs.replace(one, version=1)),
        dump(msgspec.structs.replace(one, neighbours="replace-one")),
        dump(msgspec.structs.replace(one, word="none")),
    ):
        with pytest.raises(Abort):
            load(bad, Cost)
