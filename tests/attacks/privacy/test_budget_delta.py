"""A coordinator whose plans have tiny epsilons and large deltas: the plain sum says nothing, what it learns is a lot.

With noise for (1e-9, 1e-3) a plan hides a unit but for one chance in a thousand. A million of them are charged .001
added up; at a delta of 1e-5 they come to 7.9 (`tests/dp/test_composition.py`). Caps compare what is composed.
"""

import threading
from collections.abc import Sequence

import msgspec
import pytest

from potluck.api.network.inbox import inbox
from potluck.core.asks import Kind
from potluck.core.rounds import CHARGE, Abort, Cause, Record
from potluck.core.wire import dump
from potluck.dp.account import NEIGHBOURS, Cost, calibrate, event_of
from potluck.dp.composition import RunCosts
from potluck.owner import requests
from potluck.owner.budget import Budget
from potluck.owner.tally import Tally
from potluck.tasks.catalog import planned
from support.hostile.asked import answer, policy
from support.parties import across, scene
from support.parties.across import Across

EPSILON, DELTA, NOW = 1e-9, 1e-3, 1_700_000_000.0
TINY = Cost(
    2, Kind.TRAIN, "row", NEIGHBOURS, "shared", *event_of(calibrate(EPSILON, DELTA, 1), 1.0, 0.0, False), DELTA, 1
)
CAP = 0.02
MOST = 40


@pytest.fixture
def plain(monkeypatch):
    """The mend taken out: caps compare the runs' own epsilons, added up."""

    def added(tally: Tally, delta: float, since=None, run="", instead: Sequence[RunCosts] = (), cap=None) -> float:
        tally._follow()
        runs = [one for closed in tally._closed.values() for one in closed.runs]
        runs += [one for name, one in tally._open.items() if name != run]
        costs = [one.charged() for one in runs] + [*instead]
        return sum(one.alone(one.delta) for one in costs if one.costs)

    monkeypatch.setattr(Tally, "composed", added)


def asked_for(budget: Budget) -> int:
    """How many such plans are charged before one is refused; of the refused one nothing is written."""
    for number in range(MOST):
        run = f"run {number}"
        budget.rejoin(run, "a plan", bytes(32), "row", DELTA, NOW)
        before = budget.head()
        try:
            budget.write(Record(f"{CHARGE}{run}/1", dump(TINY)))
        except Abort as stop:
            assert (stop.cause, "composed at delta 1e-05" in stop.detail) == (Cause.BUDGET, True)
            assert budget.head() == before
            return number
        budget.finish(run)
    return MOST


@pytest.mark.parametrize("which", ["cap", "yearly"])
def test_a_coordinator_cannot_hide_what_it_learns_in_the_deltas_of_many_plans(tmp_path, which):
    with Budget(tmp_path / "ledger.sqlite", **{which: CAP}, clock=lambda: NOW) as budget:
        charged = asked_for(budget)
        assert 0 < charged < MOST
        assert budget.composed() <= CAP * (1 + 1e-9)
        assert RunCosts("row", DELTA, {TINY: charged + 1}).composed(1e-5) > CAP
        assert budget.spent() <= MOST * EPSILON  # what was compared before


def test_control_the_plain_sum_lets_every_such_plan_pass(tmp_path, plain):
    with Budget(tmp_path / "ledger.sqlite", yearly=CAP, clock=lambda: NOW) as budget:
        assert asked_for(budget) == MOST
        assert budget.composed() <= MOST * EPSILON


@pytest.fixture(scope="module")
def founded(tmp_path_factory):
    return across.found(tmp_path_factory.mktemp("delta"))


@pytest.fixture
def fed(founded, tmp_path, monkeypatch):
    monkeypatch.setattr(
        requests, "IDLE", MOST
    )  # the cap has to stop them, and not the person who would be asked by then
    return Across(across.copy(founded, tmp_path / "f"))


def small(number: int):
    """The plan, each time under another name: any number of them is asked for."""
    spec = scene.plan(privacy=scene.SHARED | {"epsilon": 1e-3, "delta": DELTA}).spec
    return msgspec.structs.replace(spec, name=f"plan {number}")


def answers(fed, many: int) -> list[tuple[str, tuple[str, ...]]]:
    """What site a says to plan after plan, each of which is charged in full where it is granted."""
    said = []
    with fed.site("a", threading.Event()) as one:
        for number in range(many):
            run = f"{number:032x}"
            spoken = answer(fed, one, small(number), run)
            said.append((spoken.verdict, spoken.codes))
            if spoken.verdict == "granted":
                for cost, times in planned(small(number)).costs.items():
                    for sum_ in range(times):
                        one._ledger.write(Record(f"{CHARGE}{run}/{cost.phase.value}{sum_}", dump(cost)))
    return said


def test_a_site_denies_the_plan_that_would_exceed_the_year_before_it_reads_a_row(fed):
    policy(fed, "a", ("epsilon_per_year = inf", "epsilon_per_year = 0.015"))
    said = answers(fed, 12)
    granted = said.count(("granted", ()))
    assert 0 < granted < 12
    assert said[granted:] == [("denied", ("epsilon_per_year",))] * (12 - granted)


@pytest.mark.slow
def test_control_the_plain_sum_grants_more_of_them_than_the_cap_is_worth(fed, plain):
    policy(fed, "a", ("epsilon_per_year = inf", "epsilon_per_year = 0.015"))
    assert answers(fed, 12) == [("granted", ())] * 12


@pytest.mark.parametrize(
    "redo", [pytest.param(0, marks=pytest.mark.slow), 1, *(pytest.param(n, marks=pytest.mark.slow) for n in (2, 3))]
)
def test_a_plan_that_redoes_rounds_is_granted_where_the_year_has_room_for_its_promise(fed, redo, monkeypatch):
    """One-coordinate sums are calibrated by their own distribution; by Renyi they come to more than was promised."""
    policy(
        fed,
        "a",
        ("epsilon_per_year = inf", "epsilon_per_year = 1.0"),
        ("epsilon_per_plan = inf", "epsilon_per_plan = 1.0"),
    )
    spec = scene.plan(privacy=scene.SHARED | {"epsilon": 1.0, "delta": 1e-5, "redo": redo}).spec
    whole = planned(spec)
    assert any(cost.counted for cost in whole.costs)
    assert whole.composed(1e-5) <= 1.0 + 1e-9
    with fed.site("a", threading.Event()) as one:
        assert answer(fed, one, spec, f"{1:032x}").verdict == "granted"
        for cost, times in whole.costs.items():
            for sum_ in range(times):
                one._ledger.write(Record(f"{CHARGE}{1:032x}/{cost.phase.value}{sum_}", dump(cost)))
        assert 0.5 < one._ledger.composed() <= 1.0 + 1e-9
    monkeypatch.setattr(RunCosts, "alone", lambda run, delta: float("inf"))  # the control: by Renyi alone
    assert whole.composed(1e-5) > 1.0


def test_a_larger_delta_of_the_owners_choice_makes_epsilon_smaller_and_is_asked_for_aloud(fed):
    policy(fed, "a", ("epsilon_per_year = inf", "epsilon_per_year = 0.015\ndelta = 1e-3"))
    assert answers(fed, 12) == [("granted", ())] * 12


def test_the_inbox_opens_the_ledger_twice_however_many_plans_wait(fed, monkeypatch):
    policy(fed, "a", ('rule = "policy"', 'rule = "person"'))
    with fed.site("a", threading.Event()) as one:
        for number in range(3):
            assert answer(fed, one, small(number), f"{number:032x}").verdict == "pending"
    opened, open_ = [], Budget.__init__
    monkeypatch.setattr(Budget, "__init__", lambda *given, **more: opened.append(given) or open_(*given, **more))
    waiting = inbox(fed.folder / "a")
    assert len(waiting) == 3
    assert all(0 < one.year.then < 1 for one in waiting)
    assert len(opened) == 2  # to judge what waits by the policy of now, and to show what it costs
