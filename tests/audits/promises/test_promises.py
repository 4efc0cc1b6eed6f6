"""Audits catch every bug of a closed list by name, and say nothing against a mechanism that keeps its promise."""

import pytest

from potluck.audits.promises import audits, charged, paired
from potluck.audits.promises.promise import Bound, Effort
from support.promises.bugs import BUGS, a_share_of_noise
from support.promises.inside import INSIDE
from support.promises.later import LATER
from support.promises.noises import MORE, no_clip_of_a_unit, one_row_too_many
from support.promises.plans import MECHANISMS, broken, found, plan
from support.promises.runs import RUNS, no_entropy
from support.promises.tried import TRIED

QUICK = (
    "half noise",
    "a seed of the plan draws",
    "charge after release",
    "one site has no noise",
    "an accountant that errs",
    "noise of a step",
    "rows inside the range are not clipped",
    "written later",
)
"""One or more of each audit."""
EVERY = BUGS | MORE | LATER | RUNS | TRIED | INSIDE


@pytest.mark.parametrize("name", [one if one in QUICK else pytest.param(one, marks=pytest.mark.slow) for one in EVERY])
def test_each_bug_is_caught_by_name(name, monkeypatch):
    bug, keys, audit, what = EVERY[name]
    spec = plan(**keys).spec
    right = found(spec, audit, trials=20)
    assert audit == "paired" or (what in right and right[what].held is not False)
    bug(monkeypatch)
    assert what in broken(spec, audit, trials=1_500)


def test_noise_is_as_large_as_said_within_three_percent_and_what_is_smaller_by_four_is_caught(monkeypatch):
    """Of 20,000 numbers 3 % are six standard deviations; seeded."""
    spec = plan(rounds=1).spec
    right = found(spec, "noise")["noise: training"]
    assert right.held
    assert right.found == pytest.approx(1, abs=0.03)
    a_share_of_noise(monkeypatch, 0.96)
    assert "noise: training" in broken(spec, "noise")


@pytest.mark.slow
def test_of_too_few_pairs_of_runs_nothing_is_said_but_how_much_longer_would_do():
    spec = plan(rounds=1).spec
    little = found(spec, "paired", trials=paired.FEWEST // 4)
    assert {(one.held, one.words.split(": ")[1]) for one in little.values()} == {
        (None, "about 4 times the minutes have them")
    }
    assert paired.too_few(0).endswith("more are needed")
    assert "2 times the minutes" in paired.too_few(paired.FEWEST - 1)


def test_a_source_of_randomness_with_a_fixed_seed_is_caught_by_name(monkeypatch, tmp_path):
    spec = plan(rounds=1).spec
    assert found(spec, "randomness")["randomness"].held
    no_entropy(monkeypatch, tmp_path)
    assert "randomness" in broken(spec, "randomness")


@pytest.mark.parametrize("name", ["site", pytest.param("statistics", marks=pytest.mark.slow)])
def test_a_mechanism_that_keeps_its_promise_is_not_accused_and_bounds_stay_below_it(name):
    every = found(plan(**MECHANISMS[name]).spec, trials=200 if name == "site" else 500)
    assert not [one for one in every.values() if one.held is False]
    assert all(one.lower_bound <= one.claimed for one in every.values() if isinstance(one, Bound))
    assert {one.split(":")[0] for one in every} >= {"noise", "sensitivity", "charges", "one run", "paired"}


@pytest.mark.slow
@pytest.mark.parametrize("training", [{"standardize": True}, {"method": "average", "steps": 2, "local": "ditto"}])
def test_plans_whose_rounds_differ_are_audited_as_far_as_can_be(training):
    every = found(plan(many=5, **training).spec, trials=500)
    assert not [one for one in every.values() if one.held is False]
    assert every["noise: training"].held
    assert every["sensitivity: training"].held
    assert every["charges: training"].held


@pytest.mark.parametrize(
    ("rounds", "band", "redo"),
    [pytest.param(8, 3, 1, marks=pytest.mark.slow), (6, 3, 3), pytest.param(70, 3, 2, marks=pytest.mark.slow)],
)
def test_groups_that_are_run_again_pay_for_the_dearest_turn(rounds, band, redo):
    spec = plan(many=5, rounds=rounds, band=band, redo=redo).spec
    seen = charged._all(audits.scene(spec, 0))
    assert seen.held, seen.words
    assert seen.expected * 0.9 < seen.found <= seen.expected * charged.CLOSE


@pytest.mark.slow
@pytest.mark.parametrize(("epsilon", "least"), [(1.0, 0.2), (2.0, 0.8), (4.0, 2.2), (8.0, 5.0)])
def test_pairs_come_near_to_what_is_claimed_and_show_half_the_noise(epsilon, least, monkeypatch):
    spec = plan(epsilon=epsilon, many=3).spec
    right = found(spec, "paired", trials=10_000)["paired: training"]
    assert right.held
    assert least <= right.lower_bound <= epsilon
    a_share_of_noise(monkeypatch, 1 / 2)
    wrong = found(spec, "paired", trials=10_000)["paired: training"]
    assert not wrong.held or epsilon < 2
    assert wrong.lower_bound > right.lower_bound


def test_one_run_shows_noise_that_is_hardly_there(monkeypatch):
    spec = plan(many=300, wide=3, rounds=2).spec
    assert found(spec, "one run")["one run: training"].held is not False
    a_share_of_noise(monkeypatch, 1 / 10)
    assert broken(spec, "one run") == {"one run: training"}


@pytest.mark.slow
@pytest.mark.parametrize("epsilon", [1.0, 2.0, 4.0])
def test_one_run_of_two_thousand_canaries_shows_a_tenth_of_the_noise(epsilon, monkeypatch):
    spec = plan(many=2_000, wide=3, epsilon=epsilon, rounds=20).spec
    assert found(spec, "one run")["one run: training"].held is not False
    a_share_of_noise(monkeypatch, 1 / 10)
    assert broken(spec, "one run") == {"one run: training"}


def test_what_cannot_be_audited_is_said_by_name():
    few = found(plan(many=3).spec, "one run")
    assert {name: one.held for name, one in few.items()} == {"one run: training": None, "one run: metrics": None}
    assert "no room" in few["one run: training"].words
    texts = plan()
    texts = texts.set("data.columns.*", {"kind": "number", "low": 0, "high": 1})
    spec = texts.spec
    assert "pattern" in audits.scene(spec, 0).why
    assert found(spec, "charges", "sensitivity")["charges: training"].held is None


def test_what_takes_long_is_said_before_and_what_is_late_is_left_out():
    said = []
    effort = Effort(0.1, until=0.0, tell=said.append)
    effort.forecast("pairs", 1_000_000, 10**13, lambda: None)
    effort.forecast("pairs", 100, 10**13, lambda: None)
    assert len(said) == 1
    assert said[0].startswith("10,000,000,000,000 pairs, of 1,000,000 numbers each, would take ")
    assert effort.late(1_000_000)
    assert not effort.late(100)
    assert not Effort(0.1).late(1_000_000)


DAYS = {
    "day": {"kind": "date", "format": "%Y-%m-%d"},
    "x": {"kind": "number", "low": 0, "high": 10},
    "z": {"kind": "category", "values": ["a", "b", "c"]},
}
PERSONS = {"noise": "site", "unit": "person", "epsilon": 2.0, "delta": 1e-5}
BESIDE = {
    "of two tables": {"data.join": {"table": "labs", "on": "who", "columns": ["x"]}},
    "of persons of many rows": {
        "data.columns": DAYS,
        "data.reduce": {"order": "day", "columns": {"x": {"kind": "mean"}, "z": {"kind": "last"}}},
        "privacy": PERSONS,
    },
}


@pytest.mark.parametrize(
    "name", [pytest.param(one, marks=[pytest.mark.slow] * (one == "of two tables")) for one in BESIDE]
)
def test_statistics_of_rows_that_are_made_of_several_are_audited(name, monkeypatch):
    seen = plan(task="statistics", many=8, unit="person")
    for key, value in BESIDE[name].items():
        seen = seen.set(key, value)
    seen.require()
    one = found(seen.spec, "sensitivity")["sensitivity: statistics"]
    assert one.held
    assert one.found > 0.99
    no_clip_of_a_unit(monkeypatch)
    assert broken(seen.spec, "clip") == {"clip: statistics"}
    if name == "of two tables":
        one_row_too_many(monkeypatch)
        assert broken(seen.spec, "sensitivity") == {"sensitivity: statistics"}


REDUCED = {
    "data.columns": {
        "day": {"kind": "date", "format": "%Y-%m-%d"},
        "weight": {"kind": "number", "low": 30, "high": 200},
        "y": {"kind": "category", "values": ["0", "1"]},
    },
    "data.reduce": {"order": "day", "columns": {"weight": {"kind": "mean"}, "y": {"kind": "last"}}},
    "privacy": {"noise": "site", "unit": "person", "epsilon": 2.0, "delta": 1e-5, "clip": 0.5, "evaluation": 0.5},
}


def test_persons_of_many_rows_are_made_up_as_a_model_takes_them():
    visits = plan(unit="person", many=3)
    for key, value in REDUCED.items():
        visits = visits.set(key, value)
    visits.require()
    one = found(visits.spec, "sensitivity")["sensitivity: training"]
    assert one.held
    assert one.found > 0.99


@pytest.mark.slow
@pytest.mark.torch
@pytest.mark.parametrize("unit", ["row", "person"])
def test_pictures_are_made_up_where_rows_have_nothing_else(unit, tmp_path):
    from torch import nn

    from support.files import pictures

    alone = nn.Sequential(nn.Flatten(), nn.Linear(64, 1))
    graph = pictures.graph(tmp_path / "net.graph", alone, {"input": pictures.SHAPE})
    seen = plan(many=3, word="mask", noise="shared", unit=unit).set("data.max_rows", 200)
    seen = seen.set("data.columns", {"input": pictures.IMAGE, "y": pictures.SIDE})
    seen = seen.set("model", {"kind": "network", "graph": str(graph)})
    every = found(seen.spec, trials=500)
    assert not [one for one in every.values() if one.held is False]
    assert every["sensitivity: training"].found > 0.9
    assert every["sites' noise: training"].held
    assert every["charges: training"].held
