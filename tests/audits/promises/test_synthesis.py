"""Audits of made-up rows: a forgotten part of the sensitivity is caught by name, also where no site looks at its rows;
and nothing is said against the mechanism as it is."""

import math

import pytest

from potluck.learning.statistics.course import Asked
from potluck.learning.synthesis.tables import Tables
from support.promises.inside import inner_bins_count_three_times
from support.promises.plans import broken, found
from support.synthesis.ward import MADE, plan

WHAT = "sensitivity: statistics"


def pairs_are_forgotten(patch):
    """Noise is made for single columns alone, which are counted by the target."""

    def norm(tables):
        target = [axis.name for axis in tables.axes].index(MADE["target"])
        return math.sqrt(sum(one.weight**2 for one in tables.each if one.sides[-1].axis == target))

    patch.setattr(Tables, "norm", property(norm))


def nobody_looks(patch):
    """Sites take whatever their rows add."""
    steps = Asked.steps
    patch.setattr(
        Asked, "steps", lambda self, part, columns, *, clip, few=0: steps(self, part, columns, clip=False, few=few)
    )


@pytest.mark.slow
def test_pairs_that_are_left_out_of_the_sensitivity_are_caught(monkeypatch):
    spec = plan().spec
    assert found(spec, "sensitivity")[WHAT].held
    pairs_are_forgotten(monkeypatch)
    assert broken(spec, "sensitivity")
    nobody_looks(monkeypatch)
    assert WHAT in broken(spec, "sensitivity")


@pytest.mark.slow
def test_rows_of_inner_bins_that_count_three_times_are_caught(monkeypatch):
    nobody_looks(monkeypatch)
    spec = plan().spec
    assert found(spec, "sensitivity")[WHAT].held
    inner_bins_count_three_times(monkeypatch)
    assert broken(spec, "sensitivity")


@pytest.mark.slow
@pytest.mark.parametrize("unit", ["row", "person"])
def test_nothing_is_said_against_a_synthesis(unit):
    privacy = {"noise": "site", "unit": unit, "epsilon": 2.0, "delta": 1e-6}
    spec = plan("clear", privacy | ({"rows_per_person": 2} if unit == "person" else {}))
    if unit == "person":
        spec = spec.set("data.person", "who")
    every = found(spec.spec, trials=500)
    assert not [one for one in every.values() if one.held is False]
    assert every["noise: statistics"].held
    assert every[WHAT].held
