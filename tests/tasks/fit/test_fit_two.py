"""A fit between two compute parties: the same model, one part each, and what a plan is told of it."""

import os
import signal

import numpy as np
import pytest

import potluck
from potluck.api.local.explain import explain
from potluck.api.network.asked import Asked
from potluck.api.network.composed import Composed
from potluck.core.party import Party, Role, site
from potluck.core.plan import digest
from potluck.core.rounds import Abort, Cause, RoundId
from potluck.drivers.memory import Memory
from potluck.drivers.once import together
from potluck.learning.data.columns import Columns, read
from potluck.learning.training.fit_linear import Regression
from potluck.mpc import dealing
from potluck.mpc.engine import Engine
from potluck.owner.requests import Request, State
from potluck.tasks.fit.halves import Brought, RoundContext, fitting, halves
from potluck.tasks.fit.local import uploaded
from potluck.tasks.matching.alignment import Tools, read_keys
from support.parties.fit_scene import frames, newton, plan, pooled, result, sat

BOTH = ["alpha", "beta"]
ALPHA, BETA = (Party(Role.COMPUTE, name) for name in BOTH)


def two(owners=2, **more):
    return plan(owners, **{"protect": {"with": "share", "compute": BOTH}, **more})


def plain_fit(given, owners=2):
    """The weights of the pooled fit on the training rows."""
    whole = pooled(given, owners)
    train = whole[whole.fold == "train"]
    x = np.column_stack([np.ones(len(train)), *(train[f"x{n}"] for n in range(2 * owners))])
    return newton(x, train.y.to_numpy(), np.ones(len(train)), 1.0)


# --- The round, with a stand-in for the engine ---


@pytest.mark.parametrize("owners", [2, 3])
def test_two_give_the_model_of_the_pooled_columns(owners):
    given = frames(owners=owners)
    found = result(two(owners), given)
    assert np.abs(found.model.weights - plain_fit(given, owners)).max() < 1e-4
    assert found.metrics.rows == (pooled(given, owners).fold == "test").sum()


def test_one_of_the_two_gets_a_seed_and_the_other_eight_bytes_a_number():
    given = frames(rows=240)
    _, post = sat(two(), given)
    sizes = {
        move.to: move.size
        for move in post.transcript.moves
        if move.label.step == "fit/input" and move.sender == site("o1")
    }
    rows = len(pooled(given))
    assert sizes[BETA] - sizes[ALPHA] >= 8 * 3 * rows  # two features, and which rows it keeps
    assert sizes[ALPHA] < 8 * rows


@pytest.mark.parametrize("names", [BOTH, [*BOTH, "gamma"]])
def test_an_owner_that_deals_another_number_of_parts_is_named(monkeypatch, names):
    """Both parts of two would be its columns; one of three is not what the engine takes."""
    right = dealing.held
    less = (lambda parts, rank: parts[:2]) if len(names) == 2 else (lambda parts, rank: (parts[rank],))

    def change(party, half):
        if party != site("o1"):
            return half
        return wrapped(half)

    def wrapped(half):
        inbox = None
        while True:
            dealing.held = less
            try:
                exchange = half.send(inbox)
            except StopIteration as stop:
                return stop.value
            finally:
                dealing.held = right
            inbox = yield exchange

    made = plan(protect={"with": "share", "compute": names})
    desks, _ = sat(made, frames(rows=60), change=change)
    assert {desks[one].abort.party for one in made.spec.compute} == {site("o1")}
    assert all("o1: malformed message" in desks[one].abort.detail for one in made.spec.compute)
    assert desks[site("o0")].result is None


def test_an_owner_whose_numbers_are_out_of_range_is_named_by_two(monkeypatch):
    right = Regression.shared

    def beyond(self, owner, columns):
        if owner == "o1":
            columns = Columns(columns.features * 3, columns.keep, columns.target, columns.train)
        return right(self, owner, columns)

    monkeypatch.setattr(Regression, "shared", beyond)
    with pytest.raises(Abort) as caught:
        result(two(), frames())
    assert (caught.value.cause, caught.value.party) == (Cause.RANGE, site("o1"))


def test_two_that_compiled_different_programs_end_the_round_and_nobody_is_alone_with_it():
    with pytest.raises(Abort) as caught:
        result(two(), frames(), salt={ALPHA: b"another"})
    assert (caught.value.cause, caught.value.party) == (Cause.TERMS, None)


STEPS = ["fit/keys", "fit/held", "fit/ready", "fit/link", "fit/run", "fit/faults", "fit/result"]


@pytest.mark.parametrize("step", STEPS)
def test_one_of_two_that_is_gone_is_named_and_nobody_waits_for_ever(step):
    desks, _ = sat(two(), frames(rows=60), vanish=lambda party, _round, at: party == BETA and at == step)
    aborts = [desk.abort for party, desk in desks.items() if desk.abort and party != BETA]
    assert all(desk.done for party, desk in desks.items() if party != BETA)
    assert any(abort.party == BETA for abort in aborts)


# --- What is said of it ---


def test_two_are_warned_of_the_cost_and_three_are_not():
    errors, warnings = two().problems()
    assert errors == []
    assert any("two compute parties take" in line and "name a third" in line for line in warnings)
    assert not any("two compute parties" in line for line in plan().problems()[1])


@pytest.mark.parametrize(
    ("names", "words"),
    [
        (["alpha"], "two or three parties compute a fit, the plan has 1"),
        (["a", "b", "c", "d"], "two or three parties compute a fit, the plan has 4"),
        (["alpha", "alpha"], "one is there twice. hint: name 2 different parties"),
        (["alpha", "server"], "may not compute"),
        (["alpha", " "], "a name is empty"),
    ],
)
def test_who_cannot_compute_is_refused(names, words):
    errors, _ = plan(protect={"with": "share", "compute": names}).problems()
    assert any(words in line for line in errors), errors


def test_trees_are_refused_between_two_by_name():
    trees = {"model": {"kind": "trees", "depth": 2, "bins": 4}, "training": {"method": "boosting", "rounds": 2}}
    assert any("trees are grown by three compute parties" in line for line in two(**trees).problems()[0])
    assert not any("three compute parties" in line for line in plan(**trees).problems()[0])


def test_owners_who_are_all_that_compute_are_warned_of():
    made = plan(protect={"with": "share", "compute": ["o0", "o1"]})
    assert any("o0 and o1 are owners and together all who compute" in line for line in made.problems()[1])


def seen(made, *coalition):
    """By whom and of what; of a coalition, by what alone."""
    rows = explain(made, list(coalition)).rows()
    return {row["of"] if coalition else (row["party"], row["of"]): row for row in rows}


def test_one_of_two_sees_a_share_and_both_see_every_column():
    made = two(3)
    assert seen(made)["alpha", "o2's columns"]["form"] == "share"
    assert "all of alpha, beta collude" in seen(made)["alpha", "o2's columns"]["breaks_if"]
    assert "alpha and beta together open every column" in seen(made)["alpha", "o2's columns"]["note"]
    columns = [f"o{owner}'s columns" for owner in range(3)]
    assert [seen(made, "alpha", "beta")[of]["form"] for of in columns] == ["plain"] * 3
    assert [seen(made, "alpha", "o0")[of]["form"] for of in columns] == ["plain", "share", "share"]


def test_an_owner_that_computes_opens_everything_with_the_other_one():
    made = plan(3, protect={"with": "share", "compute": ["o0", "beta"]})
    assert made.problems()[0] == []
    assert seen(made, "o0", "beta")["o2's columns"]["form"] == "plain"
    assert seen(made, "o0", "o1")["o2's columns"]["form"] != "plain"


def test_an_owner_that_is_asked_is_told_that_both_together_open_everything():
    request = Request("r", "a" * 64, b"{}", "hospitals", 0.0, State.PENDING, ())
    told = Asked(request, two().spec, 0, 0.0, Composed(), "o1", False).together
    assert "alpha, beta compute, and together could open everything" in told


def test_an_owner_uploads_half_of_what_it_does_for_three():
    """Of three parts the one that is no seed goes to two parties, of two to one."""
    assert 2 * uploaded(two().spec, 200) == uploaded(plan().spec, 200) > 0


# --- With the engine ---


@pytest.mark.slow
def test_a_small_fit_by_two_is_that_by_three_within_the_fixed_points_error(mpc_engine, tmp_path):
    given = frames(rows=120)
    runs = [
        potluck.run(made, given, out=tmp_path / f"run{number}", ledger=tmp_path / f"ledger{number}")
        for number, made in enumerate((plan(training__rounds=4), two(training__rounds=4)))
    ]
    three, both = (run.model.weights for run in runs)
    assert np.abs(three - both).max() < 1e-3
    counts = [run.document["metrics"]["federated"] for run in runs]
    assert counts[0]["rows"] == counts[1]["rows"]
    assert abs(counts[0]["auc"] - counts[1]["auc"]) < 0.01


@pytest.mark.slow
def test_a_line_by_two_is_that_by_three(mpc_engine, tmp_path):
    given, weights = frames(rows=120, number=True), []
    for number, made in enumerate((plan(), two())):
        made = made.set("model", {"kind": "linear", "l2": 2.0})
        made = made.set("data.target", {"column": "y"})
        made = made.set("data.columns.y", {"kind": "number", "low": -1, "high": 1, "owner": "o0"})
        run = potluck.run(made, given, out=tmp_path / f"run{number}", ledger=tmp_path / f"ledger{number}")
        weights.append(run.model.weights)
    assert np.abs(weights[0] - weights[1]).max() < 1e-3


def round_of(made, given, engines):
    spec = made.spec
    brought = {
        one: Brought(read_keys(given[one.name], spec, one.name), read(given[one.name], spec, one.name), Tools())
        for one in spec.sites
    }
    memory = Memory((*spec.sites, *spec.compute), digest(spec))
    context = RoundContext(spec, RoundId("a run", 1))
    return together(context.round, halves(context, brought, engines, memory.seat), memory)[fitting(context).to[0]]


@pytest.mark.slow
def test_an_owner_out_of_range_is_found_between_two(mpc_engine, tmp_path, monkeypatch):
    right = Regression.shared

    def beyond(self, owner, columns):
        if owner == "o1":
            features = columns.features.copy()
            features[7, 1] = 1.01
            columns = Columns(features, columns.keep, columns.target, columns.train)
        return right(self, owner, columns)

    monkeypatch.setattr(Regression, "shared", beyond)
    with pytest.raises(Abort) as caught:
        potluck.run(two(training__rounds=1), frames(rows=60), out=tmp_path / "run", ledger=tmp_path / "ledger")
    assert (caught.value.cause, caught.value.party) == (Cause.RANGE, site("o1"))


class Dying(Engine):
    """An engine that is killed at a step."""

    def __init__(self, at):
        super().__init__(5.0, protocol="CHEETAH")
        self.at = at

    def link(self, *about):
        return self._killed(super().link(*about), "link")

    def execute(self, *about):
        return self._killed(super().execute(*about), "run")

    def _killed(self, pending, at):
        if at == self.at:
            os.kill(self.pid, signal.SIGKILL)
        return pending


@pytest.mark.slow
@pytest.mark.parametrize("at", ["link", "run"])
def test_of_two_whose_engine_dies_ends_the_round(mpc_engine, at):
    made, given = two(training__rounds=1, federation__patience=5.0), frames(rows=60)
    engines = {ALPHA: Engine(5.0, protocol="CHEETAH"), BETA: Dying(at)}
    try:
        with pytest.raises(Abort) as caught:
            round_of(made, given, engines)
    finally:
        for engine in engines.values():
            engine.close()
    assert caught.value.cause is Cause.ENGINE
    assert caught.value.party in (BETA, None)
