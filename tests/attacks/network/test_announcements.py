"""A lying server's announcements: another plan, another step, another model, another model to each site.

A site derives everything but the model from its own plan. What does not fit ends before any row is touched.
"""

import dataclasses

import numpy as np
import pytest
from msgspec.structs import replace

from potluck.core.asks import Kind
from potluck.core.fixed import decode
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
from potluck.core.rounds import Cause, Exchange, Parcel, RoundId
from potluck.core.wire import dump
from potluck.dp.mechanism import mechanism
from potluck.learning.loops import build
from potluck.learning.training.method import WIDEST
from potluck.tasks.announcement import Announcement
from potluck.tasks.sums.halves import contribution, join, lead, terms
from support.hostile.announced import Federated, at_sites, body, causes, steps

PLAN = Plan(
    version=1,
    name="test",
    purpose="test",
    task="train",
    federation=Federation(sites=("a", "b", "c", "d"), corrupt=1, dropouts=1),
    data=Data(
        columns={
            "x": Column(kind="number", low=0, high=10),
            "y": Column(kind="category", values=("0", "1")),
        },
        target=Target(column="y", positive=("1",)),
        split=Split(test=0.5),
    ),
    protect=Protect(scheme="mask"),
    privacy=PrivacyPlan(noise="none"),
    model=Model(kind="logistic"),
    training=Training(method="gradient", rounds=3),
)
NOISED = replace(
    PLAN,
    privacy=PrivacyPlan(noise="shared", unit="row", epsilon=1.0, delta=1e-5, clip=1.0),
    training=Training(method="gradient", rounds=3, expected_rows=40),
)
A, B, C, D = PLAN.sites


@pytest.mark.parametrize(
    "changed",
    [
        {"privacy": PrivacyPlan(noise="none")},
        {"federation": Federation(sites=("a", "b", "c", "d"), corrupt=0, dropouts=1)},
        {"data": replace(NOISED.data, split=Split(test=0.5, seed=1))},
        {"training": replace(NOISED.training, rounds=4)},
    ],
)
def test_a_server_that_runs_another_plan_is_refused_by_every_site(changed):
    federated = Federated(NOISED)
    other = body(federated.ask(), replace(NOISED, **changed))
    desks = federated.told(1, dict.fromkeys(NOISED.sites, other))
    assert causes(desks) == dict.fromkeys("abcd", Cause.TERMS)
    assert "mask/advertise" not in steps(federated, 1)


BAD = {
    "a step beyond the plan": (Kind.TRAIN, 3, np.zeros(2)),
    "a step before the first": (Kind.TRAIN, -1, np.zeros(2)),
    "a huge step": (Kind.TRAIN, 2**63 - 1, np.zeros(2)),
    "a second evaluation": (Kind.EVALUATE, 1, np.zeros(2)),
    "a sum of another task": (Kind.STATISTICS, 0, np.zeros(2)),
    "another first model": (Kind.TRAIN, 0, np.array([0.0, 1e-9])),
    "minus zero as first model": (Kind.TRAIN, 0, np.array([-0.0, 0.0])),
    "a longer model": (Kind.TRAIN, 1, np.zeros(3)),
    "no model": (Kind.TRAIN, 1, np.zeros(0)),
    "a model that is not finite": (Kind.TRAIN, 1, np.array([np.nan, 0.0])),
    "an infinite model": (Kind.EVALUATE, 0, np.array([np.inf, 0.0])),
}


@pytest.mark.parametrize("plan", [PLAN, NOISED], ids=["exact", "noised"])
@pytest.mark.parametrize("what", BAD)
def test_a_site_answers_no_sum_that_its_plan_has_not(plan, what):
    kind, step, weights = BAD[what]
    federated = Federated(plan)
    said = dump(Announcement(digest(plan), kind, step, weights.astype("<f8").tobytes()))
    desks = federated.told(1, {A: said})
    assert causes(desks) == {"a": Cause.TERMS}
    assert "mask/advertise" not in steps(federated, 1)


def test_a_model_that_no_fit_comes_to_is_refused_without_noise():
    federated = Federated(PLAN)

    def told(weight: float):
        said = dump(Announcement(digest(PLAN), Kind.TRAIN, 1, np.array([0.0, weight]).astype("<f8").tobytes()))
        return causes(federated.told(1, {A: said}))

    assert told(2 * WIDEST) == {"a": Cause.RANGE}
    assert told(WIDEST) == {"a": Cause.SILENT}  # the others were told of nothing: the site goes on without them


@pytest.mark.parametrize(
    "hostile",
    [b"", b"\xc0", b"\x94", b"\xdd\xff\xff\xff\xff", b"\xc6\xff\xff\xff\xff", b"\x91" * 5000, b"\xd4\x00\x00"],
    ids=["empty", "nil", "cut", "long list", "long bytes", "deep", "extension"],
)
def test_hostile_bytes_are_an_abort_and_no_crash(hostile):
    assert causes(Federated(PLAN).told(1, {A: hostile})) == {"a": Cause.MALFORMED}


@pytest.mark.parametrize("plan", [PLAN, NOISED], ids=["exact", "noised"])
def test_a_server_that_shows_two_models_to_two_groups_opens_nothing(plan):
    federated = Federated(plan)
    one, other = federated.ask(1, (0.5, 0.5)), federated.ask(1, (0.5, -0.5))
    context, seat = federated.context(1), federated.memory.seat

    def server():
        # It leads a round on one model, but tells c and d of the other.
        half = lead(context, one, seat(SERVER))
        first = next(half)
        label = first.label
        yield Exchange(label, send={**first.send, **{p: Parcel(label, body(other, plan)) for p in (C, D)}})
        exchange = half.send(None)
        while True:
            inbox = yield exchange
            exchange = half.send(inbox)

    halves = {p: join(context, federated.tables[p], seat(p)) for p in plan.sites}
    desks = federated.memory.round(context.round, {SERVER: server(), **halves})
    assert desks[SERVER].result is None
    assert not any(desk.done and desk.abort is None for party, desk in desks.items() if party != SERVER)
    assert "mask/input" not in steps(federated, 1)


@pytest.mark.parametrize("kind", [Kind.TRAIN, Kind.EVALUATE])
@pytest.mark.parametrize("plan", [PLAN, NOISED], ids=["exact", "noised"])
def test_a_step_is_answered_on_one_model_only_whatever_the_round(plan, kind):
    federated = Federated(plan)
    step = 1 if kind is Kind.TRAIN else 0
    opened = federated.summed(1, federated.ask(step, (0.5, 0.5), kind))
    assert opened[SERVER].abort is None
    again = federated.summed(2, federated.ask(step, (0.5, 0.25), kind))
    assert again[SERVER].abort is not None
    assert at_sites(again) == dict.fromkeys("abcd", Cause.REPLAY)
    assert "mask/advertise" not in steps(federated, 2)


def test_a_step_opened_over_four_sites_is_not_opened_again_over_three():
    federated = Federated(PLAN)
    assert federated.summed(1, federated.ask())[SERVER].abort is None
    without = federated.summed(2, federated.ask(), absent=[D])
    assert without[SERVER].abort is not None
    assert at_sites(without) == dict.fromkeys("abc", Cause.REPLAY)


def test_a_step_may_be_opened_again_over_the_same_sites_and_says_the_same():
    federated = Federated(PLAN)
    first, second = (federated.summed(number, federated.ask())[SERVER].result for number in (1, 2))
    assert np.array_equal(first.release.values, second.release.values)


def test_a_round_number_is_used_once():
    federated = Federated(NOISED)
    assert federated.summed(1, federated.ask())[SERVER].abort is None
    again = federated.summed(1, federated.ask())
    assert at_sites(again) == dict.fromkeys("abcd", Cause.REPLAY)


def test_terms_differ_wherever_the_sum_differs():
    def digest_of(plan=NOISED, run="run", number=1, step=1, weights=(0.5, 0.5), kind=Kind.TRAIN):
        ask = build(plan).ask(kind, step, np.array(weights, dtype="<f8").tobytes())
        return terms(plan, RoundId(run, number), ask, mechanism(plan, ask)).digest

    several = [
        digest_of(),
        digest_of(run="other"),
        digest_of(number=2),
        digest_of(step=2),
        digest_of(weights=(0.5, 0.25)),
        digest_of(step=0, kind=Kind.EVALUATE),
        digest_of(replace(NOISED, privacy=replace(NOISED.privacy, epsilon=2.0))),
        digest_of(replace(NOISED, privacy=replace(NOISED.privacy, noise="site"))),
        digest_of(replace(NOISED, federation=replace(NOISED.federation, corrupt=0))),
    ]
    assert len(set(several)) == len(several)


def test_the_honest_sum_is_the_sites_sum():
    """The control: with no attack, what opens is what the sites contributed."""
    federated = Federated(PLAN)
    ask = federated.ask(1, (0.5, 0.5))
    bound = mechanism(PLAN, ask)
    opened = federated.summed(1, ask)[SERVER].result
    own = [
        contribution(federated.task, ask, table, bound, federated.memory.seat(one)).words
        for one, table in federated.tables.items()
    ]
    assert np.array_equal(opened.release.values, decode(sum(own[1:], own[0]), bound.grid))


@pytest.mark.parametrize("other", [(0.5, 0.5), (0.5, 0.5 + 1e-12), (-0.25, 0.75)])
def test_two_steps_over_different_sites_do_not_give_one_sites_update_away(other):
    """Differencing across steps: the server chooses the model, so without noise the sites may not change."""
    federated = Federated(PLAN)
    assert federated.summed(1, federated.ask(1, (0.5, 0.5)))[SERVER].abort is None
    second = federated.summed(2, federated.ask(2, other), absent=[D])
    assert second[SERVER].result is None
    assert second[A].abort.cause is Cause.REPLAY


def test_the_same_holds_where_the_server_adds_the_noise_itself():
    central = replace(
        NOISED,
        privacy=replace(NOISED.privacy, noise="reveal"),
        federation=replace(NOISED.federation, server="curious"),
    )
    federated = Federated(central)
    assert federated.summed(1, federated.ask(1, (0.5, 0.5)))[SERVER].abort is None
    assert federated.summed(2, federated.ask(2, (0.5, 0.5)), absent=[D])[SERVER].result is None


def test_with_noise_at_the_sites_every_sum_is_charged_so_the_sites_may_change():
    federated = Federated(NOISED)
    assert federated.summed(1, federated.ask(1, (0.5, 0.5)))[SERVER].abort is None
    assert federated.summed(2, federated.ask(2, (0.5, 0.5)), absent=[D])[SERVER].abort is None


def test_an_absent_site_stays_out_of_a_noise_free_run_and_the_rest_go_on():
    federated = Federated(PLAN)
    for number in (1, 2):
        assert federated.summed(number, federated.ask(number, (0.5, 0.5)), absent=[D])[SERVER].abort is None


def test_a_party_that_adds_other_noise_has_other_terms():
    ask = build(NOISED).ask(Kind.TRAIN, 1, np.array((0.5, 0.5), dtype="<f8").tobytes())
    bound = mechanism(NOISED, ask)
    quiet = dataclasses.replace(bound, share=(1e-9,))
    agreed = [terms(NOISED, RoundId("run", 1), ask, one).digest for one in (bound, quiet)]
    assert agreed[0] != agreed[1]
