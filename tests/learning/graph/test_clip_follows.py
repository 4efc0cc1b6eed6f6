"""A clip that follows the median norm of units (Andrew et al. 2021): what opens beside the gradient, at which price,
and where the clip goes."""

from dataclasses import replace
from importlib.util import find_spec
from itertools import pairwise

import numpy as np
import pytest

if find_spec("torch") is None:
    pytest.skip("the networks extra is missing", allow_module_level=True)

import potluck
from potluck.core.asks import Block
from potluck.core.errors import PlanError
from potluck.core.fixed import decode
from potluck.core.rounds import Abort, Cause
from potluck.dp import mechanism as mechanisms
from potluck.dp.account import calibrate, calibrate_sampled
from potluck.dp.mechanism import guarded, mechanism
from potluck.tasks.sums import halves
from potluck.testing.draws import seeded
from support.dp import fixed_draws
from support.graph import hidden
from support.graph.noised import KEPT, Scene

pytestmark = pytest.mark.torch
FOLLOWS = {"clip_follows": "median"}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return hidden.made(tmp_path_factory.mktemp("graphs"), "perceptron")


def scene(made, clip=1.0, **keys):
    return Scene(made[1], privacy={**FOLLOWS, "clip": clip, **keys.pop("privacy", {})}, **keys)


def opened(one, table):
    """(gradient [d], short) of a site, without noise."""
    bound = replace(one.bound, word="reveal")
    words = guarded(bound, one.task.contribute(one.ask, table, seeded("a")), seeded("a")).words
    values = decode(words, bound.grid)
    return values[:-1], values[-1]


@pytest.mark.parametrize("clip", [0.05, 0.6, 40.0])
def test_beside_clipped_gradients_stands_how_many_are_within_the_clip(made, clip):
    """Against torch's vmap: half a count for each row within, less half for each beyond."""
    one = scene(made, clip)
    for table in one.tables.values():
        units = hidden.gradients(made[0], table)
        lengths = np.linalg.norm(units, axis=1)
        gradient, short = opened(one, table)
        assert short == ((lengths <= clip) - 0.5).sum()
        assert np.linalg.norm(gradient - hidden.clipped(units, clip)) <= KEPT * len(units) * clip


def test_a_person_counts_once_with_all_of_its_rows(made):
    keys = {"unit": "person", "rows_per_person": 3}
    one = scene(made, 0.9, privacy=keys, data={"person": "who"}, each=3)
    table = one.tables["a"]
    units = hidden.gradients(made[0], table)
    who = table.person[table.train]
    persons = np.array([units[who == each].sum(axis=0) for each in np.unique(who)])
    assert opened(one, table)[1] == ((np.linalg.norm(persons, axis=1) <= 0.9) - 0.5).sum()


@pytest.mark.parametrize("batch", [None, pytest.param(30, marks=pytest.mark.slow)])
def test_the_count_costs_a_hundredth_and_noise_is_half_a_per_cent_more(made, batch):
    """z' = (z^-2 - (2 sigma_b)^-2)^(-1/2) for noise z of a sum without the count, sigma_b of the count (theorem 1)."""
    one = scene(made, batch=batch) if batch else scene(made)
    gradient, count = one.bound.real(one.bound.share)
    bare = calibrate(8.0, 1e-5, 2) if batch is None else calibrate_sampled(8.0, 1e-5, 2, batch / 135)
    z, sigma_b = gradient * np.sqrt(2), count * np.sqrt(2)  # two of three shares are sure
    assert z == pytest.approx((bare**-2 - (2 * sigma_b) ** -2) ** -0.5, rel=1e-3)
    assert z / bare == pytest.approx(1 / np.sqrt(0.99), rel=1e-3)
    # What one unit can move at most, whichever way, counts in all as one sensitivity.
    assert (1.0 / z) ** 2 + (0.5 / sigma_b) ** 2 <= bare**-2 * (1 + 1e-9)


def test_blocks_cannot_share_more_than_a_sum_costs(made):
    one = scene(made)
    dear = tuple(replace(block, cost=0.6) for block in one.ask.blocks)
    with pytest.raises(ValueError, match="more than a sum costs"):
        mechanism(one.spec, replace(one.ask, blocks=dear))
    assert all(isinstance(block, Block) for block in one.ask.blocks)


@pytest.mark.slow
def test_a_clip_goes_where_half_of_the_rows_are_within(made, monkeypatch):
    """From far above and from far below, without noise, to the median norm of the rows at the present model."""
    monkeypatch.setattr(mechanisms, "runs", lambda sigma, size, draw, window=32: [(0, np.zeros(size, np.int64))])
    ends = []
    for clip in (20.0, 0.02):
        plan = hidden.plan(
            made[1], word="clear", rounds=150, rate=1e-6, privacy={**FOLLOWS, "noise": "site", "clip": clip}
        )
        found = potluck.run(plan, hidden.frames(60))
        clips = found.document["clips"]
        assert (len(clips), clips[0]) == (150, clip)
        assert all(0.9 <= after / before <= 1.11 for before, after in pairwise(clips))
        ends.append(clips[-1])
    one = scene(made)
    median = np.median(
        np.concatenate([np.linalg.norm(hidden.gradients(made[0], t), axis=1) for t in one.tables.values()])
    )
    assert ends == pytest.approx([median, median], rel=0.1)


def test_a_clip_that_cannot_be_is_refused_whoever_announces_it(made):
    one = scene(made)
    for clip in (-1.0, 0.0, 1e30, np.nan, np.inf):
        state = np.append(np.frombuffer(one.ask.state)[:-1], clip).astype("<f8").tobytes()
        with pytest.raises(Abort) as caught:
            one.task.ask(one.ask.kind, 1, state)
        assert caught.value.cause in (Cause.TERMS, Cause.RANGE)
    # Another clip that can be is as noised as the plan owes: noise goes with it.
    state = np.append(np.frombuffer(one.ask.state)[:-1], 8.0).astype("<f8").tobytes()
    other = mechanism(one.spec, one.task.ask(one.ask.kind, 1, state))
    assert other.cost == one.bound.cost
    assert other.real(other.share)[0] == pytest.approx(8 * one.bound.real(one.bound.share)[0], rel=1e-6)
    assert other.real(other.share)[1] == pytest.approx(one.bound.real(one.bound.share)[1], rel=1e-6)


@pytest.mark.parametrize("word", ["mask", *(pytest.param(one, marks=pytest.mark.slow) for one in ("share", "tee"))])
def test_protections_open_the_same_and_the_path_is_in_what_the_run_says(made, word, monkeypatch, tmp_path):
    monkeypatch.setattr(halves, "contribution", fixed_draws.contribution)
    keys = {"privacy": {**FOLLOWS, "noise": "site"}, "rounds": 3}
    clear, other = (
        potluck.run(hidden.plan(made[1], word=one, **keys), hidden.frames(60), out=tmp_path / one)
        for one in ("clear", word)
    )
    assert clear.document["model"]["digest"] == other.document["model"]["digest"]
    clips = other.document["clips"]
    assert clips == clear.document["clips"]
    assert len(set(clips)) == 3
    assert "followed the median" in (tmp_path / word / "report.html").read_text()


def test_where_it_does_not_hold_it_is_refused_by_name(made):
    assert potluck.check(hidden.plan(made[1], privacy=FOLLOWS)).errors == []
    linear = hidden.plan(None, privacy=FOLLOWS).set("model", {"kind": "logistic"})
    average = {"method": "average", "steps": 2}
    for plan in (linear, hidden.plan(made[1], privacy={**FOLLOWS, "noise": "site"}, **average)):
        with pytest.raises(PlanError, match=r"privacy\.clip_follows: clips follow the norms of a network's gradients"):
            plan.require()
