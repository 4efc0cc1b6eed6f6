"""A cost carries what its release was: ledgers of before are read, and sampled releases are charged by the same one."""

import math

import pytest

from potluck.core.asks import Kind
from potluck.core.errors import Refused
from potluck.core.wire import dump, load
from potluck.dp.account import NEIGHBOURS, Cost, spent
from potluck.dp.composition import RunCosts
from potluck.dp.events import (
    Concentrated,
    DiscreteGauss,
    Gauss,
    Laplace,
    RandomisedResponse,
    SampledGauss,
    rho,
    zcdp,
)
from potluck.dp.loss import epsilon
from potluck.owner.entries import cost

SUM = (
    "9b01a5747261696ea3726f77b16164642d6f722d72656d6f76652d6f6e65a6736861726564c2cb3ff0000000000000cb4034000000000000"
    "cb3f50624dd2f1a9fccb3eb0c6f7a0b5ed8dcd03e8"
)
CELL = (
    "9b01aa73746174697374696373a6706572736f6eb16164642d6f722d72656d6f76652d6f6e65a473697465c3cb4030000000000000"
    "cb4054000000000000cb3e112e0be826d695cb3ee4f8b588e368f101"
)
"""Costs as ledgers kept them before events: twenty times the sensitivity and a slack of 1e-3; a cell of 16 steps."""


def sampled(sigma=1.1, rate=0.01, releases=500) -> Cost:
    return Cost(2, Kind.TRAIN, "row", NEIGHBOURS, "shared", SampledGauss(sigma, rate), 0.0, 1e-5, releases)


def test_the_ledger_of_before_is_read_and_means_what_it_meant():
    of_sum = Cost(2, Kind.TRAIN, "row", NEIGHBOURS, "shared", Concentrated(rho(20.0, 1e-3)), 0.0, 1e-6, 1000)
    assert cost(bytes.fromhex(SUM), "ledger") == of_sum
    of_cell = Cost(2, Kind.STATISTICS, "person", NEIGHBOURS, "site", DiscreteGauss(80.0, 16), 1e-9, 1e-5, 1)
    assert cost(bytes.fromhex(CELL), "ledger") == of_cell
    with pytest.raises(Refused, match="damaged"):
        cost(bytes.fromhex(SUM)[:-1], "ledger")


@pytest.mark.parametrize(
    "event",
    [
        Gauss(2.0),
        SampledGauss(1.1, 0.01),
        Laplace(3.0, 2),
        DiscreteGauss(4.0, 3),
        RandomisedResponse(1.0),
        Concentrated(0.1, 7),
    ],
)
def test_every_event_survives_the_ledger(event):
    made = Cost(2, Kind.TRAIN, "row", NEIGHBOURS, "site", event, 0.0, 1e-5, 1)
    assert load(dump(made), Cost) == made
    assert cost(dump(made), "ledger") == made


def test_a_run_of_sampled_releases_costs_what_the_accountant_says_of_them():
    assert spent([sampled()] * 500, 1e-5) == pytest.approx(epsilon([SampledGauss(1.1, 0.01, 500)], 1e-5))
    assert RunCosts("row", 1e-5, {sampled(): 500}).alone(1e-5) == pytest.approx(spent([sampled()] * 500, 1e-5))


def test_sampled_releases_have_no_rho_that_holds_at_all_orders():
    assert zcdp(SampledGauss(1.1, 0.01)) == math.inf
    assert RunCosts("row", 1e-5, {sampled(): 1}).loss().rho == 0
    assert math.isfinite(RunCosts("row", 1e-5, {sampled(): 1}).loss().epsilon(1e-5))


@pytest.mark.parametrize("event", [Gauss(5.0, 3), DiscreteGauss(20.0, 4), Laplace(8.0, 2)])
def test_no_event_loses_more_than_its_rho_says(event):
    assert epsilon([Concentrated(zcdp(event))], 1e-5, "rdp") >= epsilon([event], 1e-5, "pld")
