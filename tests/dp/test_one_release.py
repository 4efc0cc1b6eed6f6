"""What is computed here and not by dp-accounting is what it says, to the last bit; and so is the definition."""

import math
import subprocess
import sys

import dp_accounting
import pytest
from dp_accounting.pld.privacy_loss_mechanism import DiscreteGaussianPrivacyLoss
from dp_accounting.rdp import RdpAccountant
from hypothesis import given
from hypothesis import strategies as st

from potluck.dp.events import Concentrated, DiscreteGauss, Gauss, rho
from potluck.dp.loss import epsilon
from potluck.dp.renyi import DENSE
from support.dp.by_definition import discrete, hockey_stick

DELTAS = st.floats(-12, -2).map(lambda power: 10**power)


@given(st.floats(-9, 2).map(lambda power: 10**power), DELTAS)
def test_gaussian_sums_lose_what_dp_accounting_says(once, delta):
    accountant = RdpAccountant(list(DENSE))
    accountant.compose(dp_accounting.ZCDpEvent(once))
    assert epsilon([Concentrated(once)], delta, "rdp") == accountant.get_epsilon(delta)


def test_several_events_are_one_of_all_their_rho():
    events = [Gauss(4.0, 3), DiscreteGauss(20.0, 5, 2), Concentrated(0.01, 7)]
    whole = 3 * rho(4.0) + 2 * rho(4.0) + 7 * 0.01
    assert epsilon(events, 1e-6, "rdp") == pytest.approx(epsilon([Concentrated(whole)], 1e-6, "rdp"), rel=1e-12)
    assert epsilon([], 1e-6, "rdp") == 0


@given(st.integers(1, 300), st.floats(-0.8, 1.3).map(lambda power: 10**power), DELTAS)
def test_a_release_of_whole_steps_loses_what_dp_accounting_says(sensitivity, ratio, delta):
    sigma = sensitivity * ratio
    found = epsilon([DiscreteGauss(sigma, sensitivity)], delta)
    theirs = DiscreteGaussianPrivacyLoss(sigma, sensitivity)
    if math.isinf(found):
        assert theirs.get_delta_for_epsilon(1e6) > delta
    else:
        assert theirs.get_delta_for_epsilon(found) <= delta < theirs.get_delta_for_epsilon(found * (1 - 2e-9))


@pytest.mark.parametrize(("sigma", "sensitivity"), [(0.7, 1), (5.0, 3), (40.0, 7), (3.0, 9)])
def test_a_release_of_whole_steps_loses_what_the_definition_says(sigma, sensitivity):
    found = epsilon([DiscreteGauss(sigma, sensitivity)], 1e-6)
    assert hockey_stick(discrete(sigma), sensitivity, found) <= 1e-6 * (1 + 1e-9)
    assert hockey_stick(discrete(sigma), sensitivity, found * (1 - 1e-6)) > 1e-6


def test_noise_that_hardly_reaches_over_the_sensitivity_keeps_no_epsilon():
    assert epsilon([DiscreteGauss(1.0, 100)], 1e-6) == math.inf


def test_plans_of_gaussian_sums_load_no_accountant():
    code = """
import sys
from potluck.dp.account import calibrate, calibrate_steps
enough = calibrate(1.0, 1e-5, 20)
calibrate_steps(1.0, 1e-5, 1, 1, enough)
print(*{"scipy", "dp_accounting"} & set(sys.modules))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []
