"""What a site may add at most: honest sites stay within, and the bounds are no looser than they say."""

import math

import numpy as np
import pytest
from scipy.stats import chi2

from potluck.api.plan.plan import Plan
from potluck.core.asks import Ask, Block, Kind
from potluck.core.errors import PlanError
from potluck.core.fixed import signed
from potluck.dp.limits import BITS, limits
from potluck.dp.mechanism import Exact, mechanism
from potluck.drivers.memory import Memory
from potluck.learning.loops import build
from potluck.tasks.sums.halves import contribution

SITES = ["a", "b", "c", "d"]
NONE = {"noise": "none"}
SHARED = {"noise": "shared", "epsilon": 2.0, "delta": 1e-5, "clip": 1.0}
SITE = SHARED | {"noise": "site", "unit": "site"}


def plan(method="gradient", privacy=NONE, kind="logistic", **training):
    return Plan(
        name="p",
        purpose="test",
        task="train",
        federation={"sites": SITES, "dropouts": 1, "corrupt": 1, "server": "curious"},
        data={
            "columns": {"x": {"kind": "number", "low": -3, "high": 3}, "z": {"kind": "number", "low": -3, "high": 3}},
            "target": {"column": "y", "positive": ["1"]},
            "split": {"test": 0.3},
            "max_rows": 50,
        },
        model={"kind": kind},
        training={"method": method, "rounds": 2} | training,
        protect={"with": "share"},
        privacy=privacy,
    ).spec


def tabled(spec, rows=50):
    import pandas as pd

    from potluck.tasks.sources import tables

    rng = np.random.default_rng(1)
    frames = {}
    for name in spec.federation.sites:
        x, z = rng.choice([-3.0, 3.0], (2, rows))  # as far out as values go
        frames[name] = pd.DataFrame({"x": x, "z": z, "y": (x > 0).astype(int)})
    made = Plan.__new__(Plan)
    made.spec, made.folder = spec, None
    return tables(made, frames)


def first(spec):
    ask = next(build(spec).lead())
    return ask, mechanism(spec, ask)


CASES = {
    "gradient": plan(),
    "newton": plan("newton"),
    "average": plan("average"),
    "noised rows": plan(privacy=SHARED | {"unit": "row"}, expected_rows=100),
    "noised sites": plan("average", SITE),
}


@pytest.mark.parametrize("name", CASES)
def test_what_an_honest_site_adds_is_within_its_limits(name):
    spec, held = tabled(CASES[name])
    ask, bound = first(spec)
    found = limits(spec, ask, bound)
    assert [one.length for one in found] == [part.size for part in bound.grid.parts]
    memory = Memory(spec.sites, b"test")
    for site, table in held.items():
        words = signed(contribution(build(spec), ask, table, bound, memory.seat(site)).words)
        start = 0
        for limit in found:
            part = [int(value) for value in words[start : start + limit.length]]
            assert all(abs(value) <= limit.bound for value in part)
            assert not limit.norm or sum(value * value for value in part) <= limit.norm**2
            start += limit.length


def test_without_noise_the_bound_is_a_sites_rows_and_not_a_step_more():
    ask = Ask(Kind.TRAIN, 0, (Block("g", 3, 1.0, 2.0, 200), Block("rows", 2, 1.0, 1.0, 200, parts=1)), b"")
    bound = mechanism(plan(), ask)
    assert isinstance(bound, Exact)
    gradient, rows = limits(plan(), ask, bound)
    assert gradient.bound == 50 * int(1 / bound.grid.parts[0].step)
    assert (rows.bound, rows.norm) == (50, 0)
    odd = Ask(Kind.TRAIN, 0, (Block("g", 3, 1.0, 2.0, 201),), b"")
    assert limits(plan(), odd, mechanism(plan(), odd))[0].bound == 51 * int(
        1 / mechanism(plan(), odd).grid.parts[0].step
    )


def test_noise_leaves_room_for_its_tail_and_no_more():
    """The tail is reckoned here with the exact law of the discrete Gaussian."""
    spec = plan(privacy=SHARED | {"unit": "row"}, expected_rows=100)
    ask, bound = first(spec)
    (found,) = limits(spec, ask, bound)
    clip, sigma = bound.limit.l2[0] / bound.grid.parts[0].step, bound.share[0]
    room = found.bound - 50 * math.floor(clip)
    assert found.norm == 0
    from scipy.special import log_ndtr

    two_sides = math.log(2 * found.length) + float(log_ndtr(-room / sigma))
    assert two_sides < -40 * math.log(2)
    tighter = math.log(2 * found.length) + float(log_ndtr(-0.9 * room / sigma))
    assert tighter > -40 * math.log(2)


def test_the_norm_holds_a_site_to_its_clip_and_leaves_room_for_its_noise():
    spec = plan("average", SITE)
    ask, bound = first(spec)
    (found,) = limits(spec, ask, bound)
    clip, sigma = bound.limit.l2[0] / bound.grid.parts[0].step, bound.share[0]
    room = (found.norm - clip) / sigma
    assert chi2.sf(room**2, found.length) < 2.0**-40
    assert chi2.sf((0.8 * room) ** 2, found.length) > 2.0**-40
    assert found.norm < found.bound * math.sqrt(found.length)
    central = plan("average", SITE | {"noise": "reveal"})
    ask, bound = first(central)
    assert limits(central, ask, bound)[0].norm == math.ceil(bound.limit.l2[0] / bound.grid.parts[0].step)


@pytest.mark.parametrize("sigma", [0.6, 2.0, 50.0])
def test_the_discrete_gaussian_has_no_heavier_tails_than_the_bounds_say(sigma):
    reach = math.ceil(sigma * 12)
    x = np.arange(-reach, reach + 1)
    weight = np.exp(-(x**2) / (2 * sigma**2))
    weight /= weight.sum()
    for nats in (1.0, 5.0, BITS * math.log(2)):
        assert weight[np.abs(x) > sigma * math.sqrt(2 * nats)].sum() <= 2 * math.exp(-nats)
    for rate in (0.1, 0.4):  # E exp(rate x^2 / sigma^2) is at most the normal law's
        assert (weight * np.exp(rate * x**2 / sigma**2)).sum() <= (1 - 2 * rate) ** -0.5 * (1 + 1e-9)


def test_a_bound_that_cannot_be_checked_is_refused():
    ask = Ask(Kind.TRAIN, 0, (Block("g", 1, 1.0, 1.0, 2),), b"")
    bound = mechanism(plan(), ask)
    wide = Ask(Kind.TRAIN, 0, (Block("g", 1, 1.0, 1.0, 2**20),), b"")
    with pytest.raises(PlanError, match="too large to be checked"):
        limits(plan(), wide, bound)
