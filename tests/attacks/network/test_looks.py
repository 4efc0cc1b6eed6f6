"""A lying server and looks at validation rows: one more kind of exact sum, at models that it chooses.

What holds of other exact sums holds of a look: it is one of the plan's, on one model, over the sites of the first look,
however often and in whatever order the server asks, and it tells nothing of a row that another sum tells.
"""

import numpy as np
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
from potluck.core.rounds import Abort, Cause
from potluck.core.wire import dump
from potluck.learning.training.method import WIDEST
from potluck.parties.admission import tries
from potluck.tasks.announcement import Announcement
from potluck.tasks.sums import halves
from support.hostile.announced import Federated, at_sites, causes, steps

PLAN = Plan(
    version=1,
    name="test",
    purpose="test",
    task="train",
    federation=Federation(sites=("a", "b", "c", "d"), corrupt=1, dropouts=1),
    data=Data(
        columns={"x": Column(kind="number", low=0, high=10), "y": Column(kind="category", values=("0", "1"))},
        target=Target(column="y", positive=("1",)),
        split=Split(test=0.3, validation=0.3),
    ),
    protect=Protect(scheme="mask"),
    privacy=PrivacyPlan(noise="none"),
    model=Model(kind="logistic"),
    training=Training(method="gradient", rounds=10, evaluate_every=4),
)
NEVER = replace(PLAN, training=replace(PLAN.training, evaluate_every=None))
A, B, C, D = PLAN.sites
MODEL = (0.5, 0.5)


def told(plan, step, weights=MODEL):
    """Why site a takes no part in a look; SILENT: it does, and the other sites were told of nothing."""
    federated = Federated(plan)
    said = dump(Announcement(digest(plan), Kind.VALIDATE, step, np.array(weights, "<f8").tobytes()))
    found = causes(federated.told(1, {A: said}))
    assert ("mask/advertise" in steps(federated, 1)) == (found == {"a": Cause.SILENT})
    return found["a"]


@pytest.mark.parametrize("step", [-1, 3, 2**63 - 1])
def test_a_site_takes_no_look_that_its_plan_has_not(step):
    assert told(PLAN, step) is Cause.TERMS
    assert [told(PLAN, one) for one in range(3)] == [Cause.SILENT] * 3  # the control: after rounds 4, 8 and 10
    assert told(NEVER, 0) is Cause.TERMS


@pytest.mark.parametrize(
    ("weights", "cause"),
    [((0.5,), Cause.TERMS), ((np.nan, 0.5), Cause.TERMS), ((np.inf, 0.5), Cause.TERMS), ((0, 2 * WIDEST), Cause.RANGE)],
)
def test_a_site_takes_no_look_at_what_is_no_model_of_the_plan(weights, cause):
    assert told(PLAN, 0, weights) is cause


def looked(federated, number, step=0, weights=MODEL, absent=()):
    return federated.summed(number, federated.ask(step, weights, Kind.VALIDATE), absent)


def test_a_look_is_at_one_model_only_whatever_the_round():
    federated = Federated(PLAN)
    first = looked(federated, 1)[SERVER].result
    again = looked(federated, 2, weights=(0.5, 0.25))
    assert at_sites(again) == dict.fromkeys("abcd", Cause.REPLAY)
    assert "mask/advertise" not in steps(federated, 2)
    third = looked(federated, 3)[SERVER].result
    assert np.array_equal(first.release.values, third.release.values)


@pytest.mark.parametrize(("step", "weights"), [(0, MODEL), (1, MODEL), (1, (0.5, 0.5 + 1e-12))])
def test_two_looks_over_different_sites_do_not_give_one_sites_rows_away(step, weights):
    federated = Federated(PLAN)
    assert looked(federated, 1)[SERVER].abort is None
    second = looked(federated, 2, step, weights, absent=[D])
    assert second[SERVER].result is None
    assert second[A].abort.cause is Cause.REPLAY


def test_control_where_looks_are_not_held_to_the_first_ones_sites_one_sites_rows_show(monkeypatch):
    honest = halves.terms

    def loose(plan, round_, ask, privacy, file=b""):
        found = honest(plan, round_, ask, privacy, file)
        return type(found)(*(f"{round_.number:064x}" if name == "once" else getattr(found, name)
                             for name in found.__dataclass_fields__))  # fmt: skip

    monkeypatch.setattr(halves, "terms", loose)
    federated = Federated(PLAN)
    whole = looked(federated, 1)[SERVER].result.release.values
    rest = looked(federated, 2, step=1, absent=[D])[SERVER].result.release.values
    assert (whole - rest)[:-1].sum() == federated.tables[D].validation.sum() > 0


def test_looks_may_come_in_any_order_and_open_what_they_would_in_theirs():
    """A site cannot know how training went: what the order of asks changes is nothing that it adds."""
    ordered, turned = Federated(PLAN), Federated(PLAN)
    found = [looked(ordered, number, number - 1)[SERVER].result.release.values for number in (1, 2, 3)]
    back = [looked(turned, number, 3 - number)[SERVER].result.release.values for number in (1, 2, 3)]
    assert np.array_equal(found, back[::-1])


def test_no_row_counts_in_sums_of_two_kinds():
    """So that no difference of a look and another sum is a row, nor one site's part where their sites differ."""
    federated = Federated(PLAN)
    kinds = (Kind.TRAIN, Kind.VALIDATE, Kind.EVALUATE)
    counted = {}
    for number, kind in enumerate(kinds, 1):
        answer = federated.summed(number, federated.ask(0, (0.0, 0.0), kind))[SERVER].result
        name = "rows" if kind is Kind.TRAIN else "cells"
        counted[kind] = answer.part(name).values.sum()
    assert all(counted.values())
    assert sum(counted.values()) == sum(table.rows for table in federated.tables.values())


def test_a_site_counts_how_often_a_look_is_begun():
    def step(number):
        return tries.step_of(PLAN, dump(Announcement(digest(PLAN), Kind.VALIDATE, number, b"")))

    assert [step(number) for number in range(3)] == ["validate/0", "validate/1", "validate/2"]
    with pytest.raises(Abort, match="no such step"):
        step(3)
