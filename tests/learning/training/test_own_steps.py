"""Steps that sites take by themselves along noised sums: what they do, against plain steps written out; what they cost;
and who refuses them."""

import dataclasses

import numpy as np
import pandas as pd
import pytest
from msgspec.structs import replace

import potluck
from potluck.core.asks import OwnSums
from potluck.core.plan import Data, Federation, Model, PrivacyPlan, Protect, Training
from potluck.core.stages import Update, Walk
from potluck.dp import mechanism as mechanisms
from potluck.dp.events import Concentrated, SampledGauss
from potluck.dp.loss import epsilon
from potluck.dp.mechanism import Walked, guarded, mechanism
from potluck.dp.sampling import rate
from potluck.learning.check import check
from potluck.learning.data.table import read
from potluck.learning.loops import build
from potluck.learning.views import opened
from potluck.tasks.catalog import task_of
from potluck.tasks.sums import halves
from potluck.testing.draws import seeded
from support.dp import fixed_draws
from support.dp.redone import thrice
from support.dp.tape import Tape
from support.learning.sums import category, make, number

NOISE = PrivacyPlan(noise="site", unit="row", epsilon=2.0, delta=1e-5, clip=0.6)
STEPS = {"method": "average", "rounds": 2, "rate": 0.3, "steps": 3, "expected_rows": 120}


def plan(word="clear", privacy=NOISE, model=None, server="curious", **training):
    columns = {"who": number(0, 99), "x": number(0, 10), "z": number(0, 1), "y": category("0", "1")}
    return make(
        federation=Federation(sites=("a", "b", "c"), server=server),
        data=Data(columns=columns, person="who", target=make().data.target, max_rows=64),
        protect=Protect(scheme=word),
        privacy=privacy,
        model=model or Model(kind="logistic", l2=2.0),
        training=Training(**(STEPS | training)),
    )


def frame(seed, n=40):
    draw = np.random.default_rng(seed)
    x = draw.uniform(0, 10, n)
    side = (x + draw.normal(0, 2, n) > 5).astype(int)
    return pd.DataFrame({"who": np.arange(n) // 2, "x": x, "z": draw.uniform(0, 1, n), "y": side})


def walked(spec, table, weights=None, step=0):
    """(privacy, what leaves a site in a round, from these weights) in real numbers."""
    task = build(spec)
    ask = next(task.lead())
    if weights is not None:
        ask = task.ask(ask.kind, step, np.asarray(weights, "<f8").tobytes())
    privacy = mechanism(spec, ask)
    given = guarded(privacy, task.contribute(ask, table, seeded("w")), seeded("w"))
    return privacy, mechanisms.decode(given.words, privacy.grid)


def steps_written_out(spec, table, noise, weights):
    """w, after steps along sums of rows' clipped gradients of the log-loss and the noise of each."""
    how, w = spec.training, np.array(weights)
    x = np.column_stack([np.ones(table.rows), table.features])
    each = how.expected_rows / len(spec.federation.sites)
    for one in noise:
        rows = (1 / (1 + np.exp(-(x @ w))) - table.target)[:, None] * x
        if spec.privacy.unit == "person":
            rows = np.array([rows[table.person == who].sum(axis=0) for who in np.unique(table.person)])
        lengths = np.linalg.norm(rows, axis=1)
        total = (rows * np.minimum(1, spec.privacy.clip / np.maximum(lengths, 1e-300))[:, None]).sum(axis=0)
        pull = spec.model.l2 / how.expected_rows * w * (np.arange(len(w)) > 0)
        pull = pull + (how.mu * (w - weights) if how.local == "prox" else 0)
        w = np.clip(w - how.rate * ((total + one) / each + pull), -how.range, how.range)
    return w


@pytest.mark.parametrize("loud", [0, 1], ids=["silent", "loud"])
@pytest.mark.parametrize(
    "keys",
    [{}, {"local": "prox", "mu": 0.5}, {"range": 0.25}, {"privacy": replace(NOISE, unit="person")}],
    ids=["plain", "prox", "narrow", "person"],
)
def test_a_round_is_plain_steps_along_clipped_sums_each_with_noise_of_its_own(monkeypatch, keys, loud):
    """Fails where noise comes at the last step alone, is used twice, is left out, or is added after the step."""
    spec, tape = plan(**keys), Tape(monkeypatch, loud)
    table, start = read(frame(1), spec, "a"), np.array([0.1, -0.2, 0.2])
    privacy, moved = walked(spec, table, start, step=1)
    inside = privacy.each
    assert len(tape.noise) == len(tape.sigmas) == 3
    assert set(tape.sigmas) == {inside.share[0]} == {inside.sigma[0]}  # all of it is the site's
    noise = [one * inside.grid.parts[0].step for one in tape.noise]
    expected = steps_written_out(spec, table, noise, start)
    tolerance = 3 * spec.training.rate * 40 * inside.grid.parts[0].step / 40 + 1e-9
    assert np.abs(start + moved - expected).max() < tolerance
    assert np.abs(expected - start).max() > 1e-2
    if loud:
        late = steps_written_out(spec, table, [0 * noise[0], 0 * noise[0], noise[2]], start)
        twice = steps_written_out(spec, table, [noise[0], noise[1], noise[1]], start)
        if "range" not in keys:  # where weights stand at their bound noise may not show
            assert min(np.abs(expected - late).max(), np.abs(expected - twice).max()) > 1e-3


def test_sites_weigh_alike_whatever_rows_they_have_and_one_without_rows_walks_too(monkeypatch):
    Tape(monkeypatch, 1)
    spec = plan(rounds=1)
    tables = {"a": read(frame(1, 40), spec, "a"), "b": read(frame(2, 8), spec, "b"), "c": read(frame(3, 40), spec, "c")}
    tables["c"] = dataclasses.replace(tables["c"], test=np.ones(40, bool))
    task = build(spec)
    lead = task.lead()
    ask = next(lead)
    privacy = mechanism(spec, ask)
    given = [guarded(privacy, task.contribute(ask, table, seeded("w")), seeded("w")).words for table in tables.values()]
    moves = [mechanisms.decode(words, privacy.grid) for words in given]
    assert np.abs(moves[2]).min() > 0  # noise alone moved it
    total = given[0] + given[1] + given[2]
    opened_ = mechanisms.Opened(total, frozenset(spec.sites))
    settled = privacy.at_reveal(opened_, seeded("s"))
    assert np.isnan(settled.std).all()
    answer = halves.Answer(halves.reveal(settled, privacy.grid), privacy.grid)
    with pytest.raises(StopIteration) as stop:
        lead.send(answer)
    assert np.abs(stop.value.value.model.weights - np.mean(moves, axis=0)).max() < 1e-12


@pytest.mark.parametrize("unit", ["row", "person"])
def test_a_round_costs_its_steps_and_all_of_them_with_redo_come_to_epsilon(unit):
    spec = plan(privacy=replace(NOISE, unit=unit, redo=1), rounds=4, steps=5)
    bound = mechanism(spec, next(build(spec).lead()))
    assert isinstance(bound, Walked)
    assert (bound.cost.event.count, bound.cost.releases, bound.cost.word, bound.cost.unit) == (5, 5, "site", unit)
    assert isinstance(bound.cost.event, Concentrated)
    whole = 25 * bound.cost.event.rho
    assert epsilon([Concentrated(whole)], 1e-5, "rdp") == pytest.approx(2.0, rel=1e-4)
    # The noise is that of a gradient of 25 rounds, which its own tests know from published values.
    same = plan(privacy=spec.privacy, method="gradient", rounds=24, steps=None)
    other = mechanism(same, next(build(same).lead()))
    assert bound.each.sigma == other.sigma


def test_drawn_steps_cost_what_is_known_of_so_many_sampled_sums():
    """512 of 15,000 rows at each of four sites, 293 rounds of two steps: as 586 sums over 2,048 of 60,000 rows, whose
    noise for (2.7, 1e-5) is 1.4948 (jax-privacy, dp-accounting)."""
    keys = {"rounds": 293, "steps": 2, "batch": 512, "expected_rows": 60_000}
    four = replace(plan(**keys), federation=Federation(sites=("a", "b", "c", "d"), server="curious"))
    spec = replace(four, privacy=replace(NOISE, epsilon=2.7))
    event = mechanism(spec, next(build(spec).lead())).cost.event
    assert (type(event), event.count, event.rate) == (SampledGauss, 2, rate(2048, 60_000))
    assert 1.4947 <= event.sigma <= 1.4963


def test_each_answer_is_charged_before_it_leaves_and_a_round_done_again_draws_and_is_charged_again(tmp_path):
    spec = plan("mask", privacy=replace(NOISE, redo=1), rounds=1, batch=20)
    sent, ledgers = thrice(spec, {one.name: read(frame(0), spec, one.name) for one in spec.sites}, tmp_path)
    assert (sent[0] != sent[1]).all()
    for charged, spent in ledgers:
        assert [(one.event.count, one.event.rate, one.releases) for one in charged] == [(3, rate(60, 120), 2)] * 2
        assert 1.9 < spent <= 2.0


def test_no_more_and_no_fewer_steps_are_taken_than_are_charged():
    spec = plan()
    task = build(spec)
    ask = next(task.lead())
    privacy = mechanism(spec, ask)

    def steps(times):
        for _ in range(times):
            yield [Update(np.zeros((1, 3)))]
        return np.zeros(3)

    guarded(privacy, [Walk(steps(3))], seeded("w"))
    for times in (2, 4):
        with pytest.raises(ValueError, match="not as many as are charged"):
            guarded(privacy, [Walk(steps(times))], seeded("w"))
    with pytest.raises(ValueError, match="what follows from noised sums, in a sum of units"):
        guarded(privacy.each, [Walk(steps(3))], seeded("w"))
    with pytest.raises(ValueError, match="units in a sum"):
        guarded(privacy, [Update(np.zeros((1, 3)))], seeded("w"))
    assert isinstance(ask.own, OwnSums)


def test_units_that_a_first_round_opens_are_left_out_and_told():
    plain, units = plan(), plan(standardize=True)
    assert any(line.startswith("training.standardize: is ignored") for line in check(units)[1])
    table = read(frame(1), plain, "a")
    (_, moved), (_, same) = walked(plain, table), walked(units, table)
    assert np.array_equal(moved, same)


REFUSED = {
    "shared": (
        {"word": "mask", "privacy": replace(NOISE, noise="shared")},
        "privacy.noise: by average a site's next step begins",
    ),
    "reveal": (
        {"privacy": replace(NOISE, noise="reveal")},
        "privacy.noise: by average a site's own steps have to hide a row",
    ),
    "epochs": ({"steps": None, "epochs": 2}, "training.steps: is missing"),
    "neither": ({"steps": None}, "training.steps: is missing"),
    "expected_rows": ({"expected_rows": None}, "training.expected_rows: is missing"),
    "batch": ({"batch": 41}, "training.batch: 123 at all sites is more than training.expected_rows (120)"),
    "seed": ({"batch": 20, "seed": 7}, "training.seed: with noise rows are drawn in secret"),
    "scaffold": ({"local": "scaffold"}, "training.local: "),
    "looks": ({"evaluate_every": 1}, "training.evaluate_every: "),
    "class_weights": ({"class_weights": {"1": 2.0}}, "training.class_weights: "),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_hold_is_refused_by_name(case):
    keys, said = REFUSED[case]
    errors = check(plan(**keys))[0]
    assert any(line.startswith(said) for line in errors), errors
    assert check(plan())[0] == check(plan(batch=20))[0] == []  # the control
    assert check(plan(privacy=replace(NOISE, unit="site"), steps=None))[0] == []


def test_words_and_defaults_say_what_a_round_is():
    assert "a site takes 3 steps of its own, each along a noised sum" in opened(plan())
    assert "that it draws in secret" in opened(plan(batch=20))
    written = {"method": "average", "steps": 3, "expected_rows": 120}
    spec = _plan("clear", written)
    assert spec.spec.training.batch is None
    assert _plan("clear", written, unit="site").spec.training.batch == 32
    verdict = potluck.check(spec)
    assert verdict.ok
    assert verdict.grid["sigma"][0] > 1
    assert "in each of which a site takes 3 steps by itself" in task_of(spec.spec).learnt(spec.spec, "a")


def _plan(word, training, unit="row", **more):
    return potluck.Plan(
        name="own", purpose="test", task="train", federation={"sites": list("abc"), "server": "curious"},
        data={"person": "who", "target": {"column": "y", "positive": ["1"]}, "max_rows": 100,
              "columns": {"who": {"kind": "ignore"}, "x": {"kind": "number", "low": 0, "high": 10},
                          "z": {"kind": "number", "low": 0, "high": 1}}},
        model={"kind": "logistic"} | more.pop("model", {}), protect={"with": word},
        privacy={"noise": "site", "unit": unit, "epsilon": 2.0, "delta": 1e-5, "clip": 1.0} | more,
        training=training,
    )  # fmt: skip


@pytest.mark.parametrize(
    "word", ["mask", *(pytest.param(one, marks=pytest.mark.slow) for one in ("share", "he", "tee"))]
)
@pytest.mark.parametrize("deep", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_protections_open_the_same_steps_where_draws_are_the_tests(word, deep, monkeypatch, request):
    if word == "he":
        request.getfixturevalue("he_engine")
    more = {"model": {"kind": "network", "layers": [3]}, "rows_per_person": 2} if deep else {}
    keys = {"method": "average", "rounds": 2, "steps": 2, "expected_rows": 120}
    spec = [_plan(one, keys, "person", **more) for one in ("clear", word)]
    data = {name: frame(place) for place, name in enumerate("abc")}
    free = potluck.run(spec[0], data).document["model"]["digest"]
    monkeypatch.setattr(halves, "contribution", fixed_draws.contribution)
    clear, other = (potluck.run(one, data).document["model"]["digest"] for one in spec)
    assert clear == other != free
