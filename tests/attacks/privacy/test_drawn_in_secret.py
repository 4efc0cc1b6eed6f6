"""Rows that are drawn in secret, against who would read off the draw: letters, work, seeds, and what a run opens."""

import dataclasses
import json

import numpy as np
import pandas as pd
import pytest
from msgspec.structs import replace

import potluck
from potluck.core.asks import Answer
from potluck.core.party import SERVER
from potluck.core.plan import Data, Federation, Model, PrivacyPlan, Protect, Training, digest
from potluck.core.rounds import RoundId
from potluck.core.stages import Release
from potluck.dp.events import SampledGauss
from potluck.dp.sampling import Drawn, rate
from potluck.drivers.memory import Memory
from potluck.drivers.transcript import Transcript
from potluck.learning.check import check
from potluck.learning.data.table import read
from potluck.learning.loops import build
from potluck.learning.training import gradient
from potluck.learning.views import opened
from potluck.tasks.catalog import task_of
from potluck.tasks.sums import halves, protections
from potluck.tasks.sums.halves import RoundContext, join, lead
from potluck.testing.draws import seeded
from support.dp import fixed_draws
from support.dp.redone import thrice
from support.learning.sums import category, make, number

NOISE = PrivacyPlan(noise="shared", unit="row", epsilon=2.0, delta=1e-5, clip=1.0)


def plan(word="mask", privacy=NOISE, **training):
    keys = {"method": "gradient", "rounds": 2, "batch": 40, "expected_rows": 120} | training
    columns = {"who": number(0, 99), "x": number(0, 10), "y": category("0", "1")}
    return make(
        federation=Federation(sites=("a", "b", "c"), corrupt=1),
        data=Data(columns=columns, person="who", target=make().data.target),
        protect=Protect(scheme=word),
        privacy=privacy,
        model=Model(kind="logistic"),
        training=Training(**keys),
    )


def frame(seed, n=40):
    draw = np.random.default_rng(seed)
    x = draw.uniform(0, 10, n)
    return pd.DataFrame({"who": np.arange(n) // 2, "x": x, "y": (x + draw.normal(0, 2, n) > 5).astype(int)})


def always(which):
    """A sampler that draws all, or nobody."""

    def taken(self, given, draw):
        return given.among(lambda count: np.full(count, which)) if hasattr(given, "among") else _kept(given, which)

    return taken


def _kept(given, which):
    return type(given)(given.values * which)


def letters(word, which, monkeypatch):
    """(from, to, step, bytes) of every letter of a round in which sites drew so."""
    spec = plan(word, replace(NOISE, noise="site") if word == "clear" else NOISE)
    memory, task, protection = Memory(spec.sites, digest(spec)), build(spec), protections.row(spec).build(spec, None)
    context = RoundContext(spec, task, protection, RoundId("run", 1))
    with monkeypatch.context() as patch:
        if which is not None:
            patch.setattr(Drawn, "taken", always(which))
        tables = {one: read(frame(0), spec, one.name) for one in spec.sites}
        seats = {one: join(context, tables[one], memory.seat(one)) for one in spec.sites}
        desks = memory.round(context.round, {SERVER: lead(context, next(task.lead()), memory.seat(SERVER)), **seats})
    assert desks[SERVER].abort is None
    return [(str(one.sender), str(one.to), one.label.step, one.size) for one in memory.transcript.moves]


@pytest.mark.parametrize("word", ["clear", "mask"])
def test_letters_are_the_same_in_number_order_and_length_whoever_was_drawn(word, monkeypatch):
    none, everyone, some = (letters(word, which, monkeypatch) for which in (False, True, None))
    assert len(none) > 5
    assert sorted(none) == sorted(everyone) == sorted(some)


def bodies(which, adds, monkeypatch):
    """What is in all letters of a round with no protection around it, where noise and keys are the test's.

    adds: whether the drawn rows add anything. Rows whose numbers are none do not.
    """
    spec, found = plan("clear", replace(NOISE, noise="site")), []
    task, protection = build(spec), protections.row(spec).build(spec, None)
    memory = Memory(spec.sites, digest(spec), draw=seeded("keys"))
    context = RoundContext(spec, task, protection, RoundId("run", 1))
    table = read(frame(0), spec, "a")
    table = table if adds else dataclasses.replace(table, features=np.full_like(table.features, np.nan))
    with monkeypatch.context() as patch:
        patch.setattr(Drawn, "taken", always(which))
        patch.setattr(halves, "contribution", fixed_draws.contribution)
        patch.setattr(Transcript, "reader", lambda self, to: lambda *read: found.append((to, *read)))
        seats = {one: join(context, table, memory.seat(one)) for one in spec.sites}
        memory.round(context.round, {SERVER: lead(context, next(task.lead()), memory.seat(SERVER)), **seats})
    return sorted((one.step, str(sender), str(to), bytes(body)) for to, sender, one, body in found if sender != to)


def test_no_letter_has_a_number_that_follows_from_how_many_were_drawn(monkeypatch):
    none, everyone = (bodies(which, adds=False, monkeypatch=monkeypatch) for which in (False, True))
    assert len(none) > 5
    assert none == everyone
    assert bodies(True, adds=True, monkeypatch=monkeypatch) != everyone  # the control: what a sum is, is in them


def test_a_row_that_was_not_drawn_is_gone_through_like_others(monkeypatch):
    spec, went = plan(), []
    table, ask = read(frame(1), spec, "a"), next(build(spec).lead())

    def counted(x, off, *more):
        went.append((x.shape, len(off)))
        return clipped(x, off, *more)

    clipped = gradient.clipped
    monkeypatch.setattr(gradient, "clipped", counted)
    words = []
    for which in (False, True):
        (given,) = build(spec).contribute(ask, table, lambda size: bytes(size))
        bound = halves.mechanism(spec, ask)
        words.append(
            given.among(lambda count, which=which: np.full(count, which)).encode(bound.grid, bound.limit).words
        )
    assert went[: len(went) // 2] == went[len(went) // 2 :] != []
    assert not words[0].any()
    assert words[1].any()


@pytest.mark.parametrize("unit", ["row", "person"])
def test_the_sum_is_that_of_the_drawn_units_alone_each_as_it_is_without_drawing(unit):
    spec = plan(privacy=replace(NOISE, unit=unit))
    ask, bound = next(build(spec).lead()), halves.mechanism(spec, next(build(spec).lead()))
    everyone = frame(2)
    coins = np.random.default_rng(3).integers(0, 2, 20 if unit == "person" else 40).astype(bool)
    draw = lambda size: np.where(coins, 0, 2**64 - 1).astype("<u8").tobytes()  # noqa: E731
    kept = coins[everyone["who"]] if unit == "person" else coins
    plain = replace(spec, training=replace(spec.training, batch=None))
    whole = halves.mechanism(plain, next(build(plain).lead()))

    def words(table, bound, draw):
        silent = dataclasses.replace(bound, word="reveal")
        return halves.guarded(silent, build(plain).contribute(ask, read(table, plain, "a"), draw), draw).words

    assert bound.grid == whole.grid
    assert (words(everyone, bound, draw) == words(everyone[kept], whole, draw)).all()
    assert not (words(everyone, whole, draw) == words(everyone[kept], whole, draw)).all()


def test_a_sum_asked_for_again_is_drawn_again_and_charged_as_another(tmp_path, monkeypatch):
    spec = plan(rounds=1)
    spec = replace(spec, privacy=replace(NOISE, redo=1))
    took = []

    def noted(self, given, draw):
        return taken(self, given, lambda size: took.append(draw(size)) or took[-1])

    taken = Drawn.taken
    monkeypatch.setattr(Drawn, "taken", noted)
    _, ledgers = thrice(spec, {one.name: read(frame(0), spec, one.name) for one in spec.sites}, tmp_path)
    assert len(set(took)) == len(took) == 9  # three sites, three sums, no coins twice
    for charged, spent in ledgers:
        assert len(charged) == 2
        assert {(type(one.event), one.event.rate, one.releases) for one in charged} == {
            (SampledGauss, rate(40, 120), 2)
        }
        assert spent <= 2.0


def lines(**more):
    return [*check(plan(**more))[0], ""]


REFUSED = {
    "privacy.unit": ({"privacy": replace(NOISE, unit="site")}, "training.batch: a site that was not drawn would show"),
    "reveal": ({"privacy": replace(NOISE, noise="reveal")}, "training.batch: the server opens the sum before it adds"),
    "seed": ({"seed": 7}, "training.seed: with noise rows are drawn in secret"),
    "expected_rows": ({"expected_rows": None}, "training.expected_rows: is missing: with noise"),
    "too many": ({"batch": 121}, "training.batch: 121 is more than training.expected_rows (120)"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_would_show_who_was_drawn_is_refused_by_name(case):
    keys, said = REFUSED[case]
    assert [line for line in lines(**keys) if line.startswith(said)], lines(**keys)
    assert len(lines(**keys)) == 2
    assert lines() == [""]  # the control


def test_in_an_enclave_the_noise_may_be_the_enclaves():
    spec = plan("tee", replace(NOISE, noise="reveal"))
    assert check(spec)[0] == []
    assert isinstance(halves.mechanism(spec, next(build(spec).lead())).cost.event, SampledGauss)


def test_what_opens_is_said():
    assert "those training rows that each site draws for it in secret" in opened(plan())
    assert "all training rows" in opened(plan(batch=None)) == opened(plan(batch=120))


def test_the_opened_sum_is_divided_by_the_batch_whatever_was_drawn():
    spec = plan(rounds=1, rate=0.5)
    course = build(spec)._method.course()
    weights = next(course)
    bound = halves.mechanism(spec, next(build(spec).lead()))
    total = np.array([3.0, -8.0])
    with pytest.raises(StopIteration) as stop:
        course.send(Answer(_release(total), bound.grid))
    assert weights == pytest.approx([0, 0])
    assert stop.value.value.weights == pytest.approx(-0.5 * total / 40)


def _release(values):
    return Release(values, np.ones_like(values), frozenset())


def trained(word, unit, noise="site"):
    """The model's digest where noise and coins are the test's."""
    data = {name: frame(place) for place, name in enumerate("abc")}
    made = potluck.Plan(
        name="drawn", purpose="test", task="train", federation={"sites": list(data), "corrupt": 1, "server": "curious"},
        data={"person": "who", "target": {"column": "y", "positive": ["1"]}, "max_rows": 100,
              "columns": {"who": {"kind": "ignore"}, "x": {"kind": "number", "low": 0, "high": 10}}},
        model={"kind": "logistic"}, protect={"with": word},
        privacy={"noise": noise, "unit": unit, "epsilon": 2.0, "delta": 1e-5, "clip": 1.0},
        training={"method": "gradient", "rounds": 2, "batch": 40, "expected_rows": 120},
    )  # fmt: skip
    return potluck.run(made, data).document["model"]["digest"]


@pytest.mark.parametrize(
    "word", ["mask", *(pytest.param(one, marks=pytest.mark.slow) for one in ("share", "he", "tee"))]
)
@pytest.mark.parametrize("unit", ["row", pytest.param("person", marks=pytest.mark.slow)])
def test_protections_open_the_same_noised_sums_of_the_same_drawn_units(word, unit, monkeypatch, request):
    if word == "he":
        request.getfixturevalue("he_engine")
    free = trained("clear", unit)
    monkeypatch.setattr(halves, "contribution", fixed_draws.contribution)
    assert trained(word, unit) == trained("clear", unit) != free


def test_check_and_report_say_what_drawn_rows_cost(tmp_path):
    """The chance and the noise, a warning where all rows would have less noise, and how epsilon grew."""
    data = {name: frame(place) for place, name in enumerate("abc")}
    keys = {"method": "gradient", "rounds": 8, "batch": 12, "expected_rows": 120}
    made = potluck.Plan(
        name="drawn", purpose="test", task="train", federation={"sites": list(data), "corrupt": 1},
        data={"target": {"column": "y", "positive": ["1"]}, "max_rows": 100,
              "columns": {"x": {"kind": "number", "low": 0, "high": 10}}},
        model={"kind": "logistic"}, protect={"with": "mask"}, training=keys,
        privacy={"noise": "shared", "unit": "row", "epsilon": 8.0, "delta": 1e-5, "clip": 1.0},
    )  # fmt: skip
    verdict = potluck.check(made)
    assert verdict.ok
    assert verdict.grid["drawn"]["chance"] == 0.1
    assert verdict.grid["sigma"][0] == pytest.approx(verdict.grid["drawn"]["noise"], rel=1e-6)
    assert [
        line for line in verdict.warnings if line.startswith("training.batch: beside a sum over drawn rows there is")
    ]
    assert "each over about 12 of 120 rows, which sites draw in secret" in task_of(made.spec).learnt(made.spec, "a")
    potluck.run(made, data, out=tmp_path / "run")
    course = [tuple(one["course"]) for one in json.loads((tmp_path / "run" / "details.json").read_text())["budget"]]
    assert [sums for sums, _ in course[0]] == list(range(1, 9))
    assert [spent for _, spent in course[0]] == sorted({spent for _, spent in course[0]})
    assert 7.9 < course[0][-1][1] <= 8.0
    assert "after so many of its sums" in (tmp_path / "run" / "report.html").read_text()
    most = potluck.check(made.set("training.batch", 100)).warnings
    assert not [line for line in most if line.startswith("training.batch")]
