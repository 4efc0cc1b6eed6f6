"""A lying server against the sites' budgets: contributions are charged on the disk before they leave, every time.

Asked again and again, under new round numbers, on other models, over other survivors: no site gives more than the
plan paid for, and what the budget refuses never crosses the wire.
"""

import sqlite3

import numpy as np
import pandas as pd
import pytest
from msgspec.structs import replace

from potluck.core.asks import Kind
from potluck.core.party import SERVER
from potluck.core.plan import (
    Column,
    Data,
    Federation,
    Model,
    Plan,
    PrivacyPlan,
    Protect,
    Split,
    Target,
    Training,
    digest,
)
from potluck.core.rounds import Cause, RoundId
from potluck.drivers.memory import Memory, faithfully
from potluck.learning.data.table import read
from potluck.learning.loops import build
from potluck.owner.budget import Budget
from potluck.tasks.sums import protections
from potluck.tasks.sums.halves import RoundContext, join, lead

PLAN = Plan(
    version=1,
    name="test",
    purpose="test",
    task="train",
    federation=Federation(sites=("a", "b", "c", "d"), corrupt=1, dropouts=1),
    data=Data(
        columns={"x": Column(kind="number", low=0, high=10), "y": Column(kind="category", values=("0", "1"))},
        target=Target(column="y", positive=("1",)),
        split=Split(test=0.5),
    ),
    protect=Protect(scheme="mask"),
    privacy=PrivacyPlan(noise="shared", unit="row", epsilon=1.0, delta=1e-5, clip=1.0),
    model=Model(kind="logistic"),
    training=Training(method="gradient", rounds=2, expected_rows=40),
)
INPUT = {"mask": "mask/input", "clear": "clear/input"}


class Federated:
    """Sites with budgets on disk, and a server that asks for what the test says."""

    def __init__(self, plan, folder, cap=None, carry=faithfully):
        self.plan, self.task, self.protection = plan, build(plan), protections.row(plan).build(plan, None)
        rng = np.random.default_rng(3)
        frame = pd.DataFrame({"x": rng.uniform(0, 10, 20), "y": rng.integers(0, 2, 20)})
        self.tables = {one: read(frame, plan, one.name) for one in plan.sites}
        self.ledgers = {one: Budget(folder / f"{one}.sqlite", cap) for one in plan.sites}
        for ledger in self.ledgers.values():
            ledger.begin("run", plan.name, digest(plan), plan.privacy.unit, plan.privacy.delta, 0.0)
        self.memory = Memory(plan.sites, digest(plan), ledgers=self.ledgers, carry=carry)

    def summed(self, number, step, weights=(0.0, 0.0), kind=Kind.TRAIN, absent=()):
        ask = self.task.ask(kind, step, np.array(weights, dtype="<f8").tobytes())
        context = RoundContext(self.plan, self.task, self.protection, RoundId("run", number))
        seat = self.memory.seat
        halves = {one: join(context, table, seat(one)) for one, table in self.tables.items() if one not in absent}
        return self.memory.round(context.round, {SERVER: lead(context, ask, seat(SERVER)), **halves}, absent)

    def gave(self, number):
        return INPUT[self.plan.protect.scheme] in self.memory.transcript.traffic(number).steps


def refused(desks):
    return {desk.abort.cause for party, desk in desks.items() if party != SERVER and desk.abort}


@pytest.mark.parametrize(("word", "noise"), [("mask", "shared"), ("mask", "site"), ("clear", "site")])
def test_a_contribution_is_on_the_disk_as_charged_before_its_letter_leaves(tmp_path, word, noise):
    plan = replace(PLAN, protect=Protect(scheme=word), privacy=replace(PLAN.privacy, noise=noise))
    seen = []

    def carry(letter):
        if letter.label.step == INPUT[word]:
            with sqlite3.connect(tmp_path / f"{letter.sender}.sqlite") as other:
                rows = other.execute("SELECT key FROM facts WHERE key LIKE 'charge/%'").fetchall()
            other.close()
            seen.append((str(letter.sender), rows))
        return (letter,)

    federated = Federated(plan, tmp_path, carry=carry)
    assert federated.summed(1, 0)[SERVER].abort is None
    assert sorted(seen) == [(name, [("charge/run/1",)]) for name in "abcd"]


def test_a_step_asked_for_again_is_paid_for_again_and_ends_with_what_the_plan_paid_for(tmp_path):
    federated = Federated(PLAN, tmp_path)
    first = federated.plan.sites[0]
    spent = []
    for number in (1, 2):
        assert federated.summed(number, 0)[SERVER].abort is None
        spent.append(federated.ledgers[first].spent())
    assert 0 < spent[0] < spent[1] <= PLAN.privacy.epsilon
    for number, step in ((3, 0), (4, 1)):
        assert refused(federated.summed(number, step, (0.0, 0.0))) == {Cause.BUDGET}
        assert not federated.gave(number)
    assert federated.ledgers[first].spent() == spent[1]


def test_dropping_one_site_after_another_gives_a_lying_server_no_free_differences(tmp_path):
    federated = Federated(PLAN, tmp_path)
    opened = 0
    for number, gone in enumerate([(), *((one,) for one in PLAN.sites)], 1):
        opened += federated.summed(number, 0, absent=gone)[SERVER].abort is None
    assert opened == PLAN.training.rounds
    assert all(ledger.spent() <= PLAN.privacy.epsilon for ledger in federated.ledgers.values())


def test_evaluation_is_no_oracle_it_answers_one_model_once(tmp_path):
    federated = Federated(PLAN, tmp_path)
    assert federated.summed(1, 0, (0.5, 0.5), Kind.EVALUATE)[SERVER].abort is None
    assert refused(federated.summed(2, 0, (0.5, 0.5), Kind.EVALUATE)) == {Cause.BUDGET}
    assert refused(federated.summed(3, 0, (0.5, -0.5), Kind.EVALUATE)) == {Cause.REPLAY}
    assert not federated.gave(2)
    assert not federated.gave(3)


def test_a_whole_run_of_training_and_evaluation_costs_the_plans_epsilon_and_no_more(tmp_path):
    federated = Federated(PLAN, tmp_path)
    for number, (kind, step) in enumerate([(Kind.EVALUATE, 0), (Kind.TRAIN, 0), (Kind.TRAIN, 1)], 1):
        assert federated.summed(number, step, kind=kind)[SERVER].abort is None
    spent = [ledger.spent() for ledger in federated.ledgers.values()]
    assert all(0.99 * PLAN.privacy.epsilon < one <= PLAN.privacy.epsilon for one in spent)


def test_what_a_cap_refuses_never_crosses_the_wire(tmp_path):
    federated = Federated(PLAN, tmp_path, cap=0.8)
    assert refused(federated.summed(1, 0)) == set()
    assert refused(federated.summed(2, 1, (0.1, 0.1))) == {Cause.BUDGET}
    assert not federated.gave(2)


def test_a_run_that_was_never_begun_cannot_be_charged(tmp_path):
    federated = Federated(PLAN, tmp_path)
    for ledger in federated.ledgers.values():
        ledger.finish("run")
    assert refused(federated.summed(1, 0)) == {Cause.BUDGET}
    assert not federated.gave(1)


def test_two_processes_on_one_budget_do_not_both_spend(tmp_path):
    federated = Federated(PLAN, tmp_path)
    first = PLAN.sites[0]
    with Budget(tmp_path / f"{first}.sqlite") as other:
        other.begin("other", PLAN.name, digest(PLAN), "row", PLAN.privacy.delta, 1.0)
        assert federated.summed(1, 0)[SERVER].abort is None
        assert other.cut_off() == ["run"]
        with pytest.raises(Exception, match="settle"):
            other.begin("third", PLAN.name, digest(PLAN), "row", PLAN.privacy.delta, 2.0)
