"""Statistics of several rounds: what is announced, what a row may add, and that plans without them are as they were."""

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import potluck
from potluck.core.asks import Kind
from potluck.core.plan import PrivacyPlan, Statistic
from potluck.core.rounds import Abort, Cause
from potluck.core.stages import GridBlock
from potluck.dp.account import spent
from potluck.dp.mechanism import mechanism
from potluck.learning.loops import build
from potluck.learning.statistics.course import Added, Asked, Layout, pack
from potluck.learning.statistics.regressions.effects import FLAGS
from potluck.learning.statistics.statistics import courses
from support.learning.rossi import COLUMNS, FEATURES, by_age, rossi
from support.learning.sums import category, frames, gridded, number, run, stats

BOTH = (
    Statistic(
        name="odds",
        kind="regression",
        family="binomial",
        target="ill",
        features=("x", "c", "x:c"),
        rounds=12,
        errors="hc0",
    ),
    Statistic(name="rows", kind="count", by="c"),
    Statistic(
        name="line",
        kind="regression",
        family="gaussian",
        target="x",
        features=("c",),
        rounds=2,
        errors="cluster",
        cluster="k",
    ),
    Statistic(name="rate", kind="regression", family="poisson", target="k", features=("x", "c"), rounds=12, offset="o"),
    Statistic(name="risk", kind="cox", time="x", event="ill", features=("c", "k"), strata="c", bins=7, rounds=10),
    Statistic(
        name="aid",
        kind="effect",
        method="aipw",
        treatment="ill",
        outcome="x",
        features=("c", "o"),
        clip=0.05,
        rounds=12,
    ),
)
MADE = {
    "x": number(-2, 10, "flag"),
    "c": category("u", "v", "w", missing="flag"),
    "ill": category("0", "1", missing="flag"),
    "k": number(0, 5, "flag"),
    "o": number(-1, 1, "flag"),
}


def rows(seed, n=60):
    draw = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "x": draw.normal(4, 3, n).round(2),
            "c": draw.choice(["u", "v", "w", "?", ""], n),
            "ill": draw.choice(["0", "1", ""], n),
            "k": draw.integers(0, 5, n),
            "o": draw.normal(0, 0.5, n).round(2),
        }
    )


def plan(*wanted, **more):
    return stats(MADE, *(wanted or BOTH), **more)


def test_fits_go_on_as_long_as_they_need_beside_statistics_of_one_sum():
    spec = plan()
    asked = []

    class Watched(type(build(spec))):
        def _asked(self, step, states):
            asked.append((step, tuple(states)))
            return super()._asked(step, states)

    found = run(Watched(spec), frames(spec, rows(0), rows(1)), grid=True)
    steps = [one for one in dict.fromkeys(asked) if one[1]]
    assert steps[0] == (0, ("odds", "line", "rate", "risk", "aid"))
    assert [step for step, _ in steps] == list(range(len(steps)))
    assert (
        len(steps)
        == max(found.results[name].rounds for name in ("odds", "line", "rate", "risk", "aid"))
        < spec.sums
        == 12
    )
    assert "line" not in steps[2][1]
    assert list(found.results) == [one.name for one in BOTH]
    assert found.results["rows"].value == 2 * 60 - sum((one["c"] == "").sum() for one in (rows(0), rows(1)))


def test_a_server_that_comes_back_asks_for_the_same_sums_again():
    spec = plan()
    tables, task, asked = frames(spec, rows(0), rows(1)), build(spec), []

    def gone_through(answers):
        lead, said = task.lead(), []
        try:
            said.append(next(lead))
            while True:
                known = answers[len(said) - 1] if len(said) <= len(answers) else gridded(said[-1], task, tables)
                answers[len(said) - 1 :] = answers[len(said) - 1 :] or [known]
                said.append(lead.send(known))
        except StopIteration as stop:
            asked.append(said)
            return stop.value.document()

    opened = []
    found = gone_through(opened)
    assert len(opened) == len(asked[0]) > 3
    assert gone_through(opened[:3]) == found  # the rest is asked for anew
    assert asked[1] == asked[0]
    assert asked[0][2].state


def test_a_plan_without_fits_asks_for_what_it_always_did():
    spec = plan(Statistic(name="rows", kind="count"), Statistic(name="mean", kind="mean", column="x"))
    assert spec.sums == 1
    (ask,) = [next(build(spec).lead())]
    assert (ask.kind, ask.step, ask.state) == (Kind.STATISTICS, 0, b"")
    assert [(block.name, block.size) for block in ask.blocks] == [("rows", 1), ("mean", 2)]
    for step, state in ((1, b""), (0, b"\0"), (1, b"\0")):
        with pytest.raises(Abort) as stopped:
            build(spec).ask(Kind.STATISTICS, step, state)
        assert stopped.value.cause is Cause.TERMS


def state_of(spec, **changed):
    every = courses(spec)
    return pack({name: changed.get(name, one.start()) for name, one in every.items()}, tuple(every))


def test_a_site_takes_no_state_that_cannot_be():
    spec = plan()
    task, good = build(spec), state_of(spec)
    assert task.ask(Kind.STATISTICS, 3, good).state == good
    sizes = {name: len(one.start()) for name, one in courses(spec).items()}
    wild = {"odds": 51.0, "rate": 51.0, "risk": 51.0, "line": 1e7, "aid": 2.0}
    hostile = [
        b"",
        b"\0" * 5,
        good + b"\0",
        good[:-1],
        b"\2" + good[1:],
        b"\1" * 5,
        *(state_of(spec, **{name: np.full(sizes[name], bad)}) for name in sizes for bad in (np.nan, np.inf, -np.inf)),
        *(state_of(spec, **{name: np.full(sizes[name], far)}) for name, far in wild.items()),
    ]
    for state in hostile:
        with pytest.raises(Abort) as stopped:
            task.ask(Kind.STATISTICS, 3, state)
        assert stopped.value.cause is Cause.TERMS
    for step in (-1, spec.sums):
        with pytest.raises(Abort):
            task.ask(Kind.STATISTICS, step, good)
    with pytest.raises(Abort):
        task.ask(Kind.STATISTICS, 0, good)  # the first state is the plan's
    with pytest.raises(Abort):
        task.ask(Kind.TRAIN, 1, good)


NOISY = PrivacyPlan(noise="shared", unit="row", epsilon=1.0, delta=1e-5)
NOISED = (
    Statistic(name="odds", kind="regression", family="binomial", target="ill", features=("x", "c", "x:c"), rounds=3),
    Statistic(name="line", kind="regression", family="gaussian", target="x", features=("c", "k"), rounds=1),
)
HOSTILE = st.sampled_from([-1e300, -50.0, -2.0, 0.0, 1.0, 4.9999, 10.0, 1e300, np.nan])
CODES = st.sampled_from([-1.0, 0.0, 1.0, 2.0, np.nan])


@given(
    st.lists(st.tuples(HOSTILE, CODES, CODES, HOSTILE, HOSTILE), min_size=1, max_size=6),
    st.integers(0, 2**31),
    st.booleans(),
)
def test_no_row_adds_more_than_its_bound_whatever_it_holds_and_wherever_sums_are_asked(held, seed, noisy):
    spec = plan(*(NOISED if noisy else BOTH), **({"privacy": NOISY} if noisy else {}))
    columns = dict(zip(("x", "c", "ill", "k", "o"), np.array(held).T, strict=True))
    draw = np.random.default_rng(seed)
    for name, course in courses(spec).items():
        for step in (0, 1):
            state = draw.normal(0, draw.choice([0.0, 1.0, 5.0]), len(course.start()))
            if name == "aid":
                state[:FLAGS] = 1  # all sums are asked
            try:
                layout = course.layout(step, state)
            except Abort:
                continue
            for one in course.add(step, state, columns):
                times = np.ones(len(one.values)) if one.rows is None else one.rows
                assert (np.abs(one.values) <= layout.high * times[:, None]).all()
                assert (np.linalg.norm(one.values, axis=1) <= layout.norm * times * (1 + 1e-12)).all()
                ends = np.atleast_1d(one.at) + one.values.shape[1]
                assert (ends <= layout.size).all()


class Lies:
    """A course whose rows add what they are told to."""

    def __init__(self, values):
        self.values = np.array(values)

    def start(self):
        return np.zeros(0)

    def layout(self, step, state):
        return Layout(2, high=1.0, norm=1.25)

    def add(self, step, state, columns):
        yield Added(self.values)


@pytest.mark.parametrize("clip", [True, False])
def test_rows_beyond_the_bound_of_their_kind_stop_the_site(clip):
    part = GridBlock("one", 2, 2.0**-20, 10.0)
    fits = Asked(Lies([[0.75, -1.0], [1.0, 0.75]]), 0, np.zeros(0)).steps(part, {}, clip=clip)
    assert fits.tolist() == [round(1.75 * 2**20), round(-0.25 * 2**20)]
    for values in ([[1.01, 0.0]], [[math.nan, 0.0]], [[math.inf, 0.0]], *([[[1.0, 0.9]]] if clip else ())):
        with pytest.raises(Abort) as stopped:
            Asked(Lies(values), 0, np.zeros(0)).steps(part, {}, clip=clip)
        assert stopped.value.cause is Cause.RANGE


def test_the_order_of_rows_changes_no_bit():
    spec = plan()
    some = rows(2)
    task = build(spec)
    for ask in (next(task.lead()), task.ask(Kind.STATISTICS, 1, state_of(spec))):
        bound = mechanism(spec, ask)
        words = [
            sum(one.encode(bound.grid, bound.limit).words for one in task.contribute(ask, table, None))
            for table in frames(spec, some, some.iloc[::-1].reset_index(drop=True)).values()
        ]
        assert (words[0] == words[1]).all()
        assert words[0].any()


def test_noised_rounds_are_calibrated_and_charged_together():
    spec = plan(*NOISED, Statistic(name="rows", kind="count"), privacy=NOISY, protect=plan().protect)
    assert spec.sums == 3
    task = build(spec)
    first = next(task.lead())
    later = task.ask(Kind.STATISTICS, 1, b"\1" + np.zeros(len(courses(spec)["odds"].start())).tobytes() + b"\0")
    costs = [mechanism(spec, ask).cost for ask in (first, later, later)]
    assert [cost.releases for cost in costs] == [3, 3, 3]
    assert 0.95 < spent(costs, 1e-5) <= 1.0
    assert spent(costs[:2], 1e-5) < 0.85
    alone = plan(Statistic(name="rows", kind="count"), privacy=NOISY)
    assert mechanism(alone, next(build(alone).lead())).cost.releases == 1


def everything(scheme):
    asked = [
        {"name": "odds", "kind": "regression", "family": "binomial", "target": "arrest", "features": list(FEATURES)},
        {"name": "week", "kind": "regression", "family": "gaussian", "target": "week", "features": ["fin", "age"]},
        {"name": "risk", "kind": "cox", "time": "week", "event": "arrest", "features": ["fin", "age"], "bins": 12},
        {"name": "ages", "kind": "mean", "column": "age"},
        {"name": "apart", "kind": "kmeans", "columns": ["age", "prio"], "k": 2},
        {
            "name": "aid",
            "kind": "effect",
            "method": "aipw",
            "treatment": "helped",
            "outcome": "week",
            "features": ["age", "prio"],
        },
    ]
    return potluck.Plan(
        name="all",
        purpose="fits under every protection",
        task="statistics",
        federation={"sites": ["a", "b", "c"], "server": "curious"},
        data={"columns": COLUMNS | {"helped": {"kind": "category", "values": ["0", "1"]}}, "max_rows": 500},
        protect={"with": scheme},
        privacy={"noise": "none"},
        statistics=asked,
    )


@pytest.mark.parametrize(
    "scheme", ["mask", *(pytest.param(one, marks=pytest.mark.slow) for one in ("share", "he", "tee"))]
)
def test_fits_are_the_same_under_every_protection(scheme, tmp_path):
    sites = by_age(rossi().assign(helped=rossi()["fin"]))
    plain, found = (potluck.run(everything(one), sites, out=tmp_path / one) for one in ("clear", scheme))
    assert found.document["results"] == plain.document["results"]
    assert len(found.document["rounds"]) == found.document["results"]["apart"]["rounds"] > 6
