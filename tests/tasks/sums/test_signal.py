"""Signal to noise before anything is spent: what it says of noise and gradients is so; what it names does better."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit
from sklearn.linear_model import LogisticRegression

import potluck
from potluck.core.asks import Answer
from potluck.core.errors import PlanError
from potluck.core.fixed import decode
from potluck.core.plan import Data, Federation, Model, PrivacyPlan, Target, Training
from potluck.core.stages import Opened, Release
from potluck.dp.mechanism import guarded, mechanism
from potluck.learning.data.table import read
from potluck.learning.loops import build
from potluck.secret.random import system
from potluck.tasks.sums import signal
from potluck.tasks.sums.signal import ENOUGH, GAIN, outlook
from support.learning.sums import category, heart, hospitals, make, number, replaced

NAMES = ("a", "b", "c", "d")
NUMBERS = 4 * 5 + 5 + 5 + 1
"""Weights of a network of four columns and a layer of five."""


def wide(batch=None, rounds=30, epsilon=0.3, columns=20, rows=8000, rate=1.0, **privacy):
    """A logistic model of so many columns."""
    named = {f"x{place}": number(-3, 3) for place in range(columns)}
    noise = PrivacyPlan(**{"noise": "shared", "unit": "row", "epsilon": epsilon, "delta": 1e-5, "clip": 1.0} | privacy)
    return make(
        federation=Federation(sites=NAMES, corrupt=1, dropouts=1),
        data=Data(columns=named | {"y": category("0", "1")}, target=Target(column="y", positive=("1",)), max_rows=rows),
        privacy=noise,
        model=Model(kind="logistic"),
        training=Training(method="gradient", rounds=rounds, batch=batch, expected_rows=rows, rate=rate),
    )


def ahead(spec):
    return outlook(spec, build(spec).usual)


def test_the_only_round_of_a_plan_is_said_like_one_of_many():
    """Its usual sum is its first: beyond that there is none."""
    assert [build(wide(rounds=rounds)).usual.blocks for rounds in (1, 2)] == [build(wide()).usual.blocks] * 2
    assert ahead(wide(rounds=1)).now.step == pytest.approx(2 * ahead(wide(rounds=4)).now.step)


def descended(spec, tables):
    """What each round's sum was before noise and what noise was added, as `run` would have it, and the last model."""
    task, found = build(spec), []
    lead = task.lead()
    ask, bound = next(lead), None
    while ask.kind.value == "train":
        bound = mechanism(spec, ask) if bound is None else bound  # the same in every round
        bare = replace(bound, word="reveal")
        mixed = replace(bound, sampling=None)
        words, exact = 0, 0.0
        for table in tables.values():
            given = list(task.contribute(ask, table, system))
            some = given if bound.sampling is None else [bound.sampling.taken(one, system) for one in given]
            words = words + guarded(mixed, some, system).words
            exact = exact + decode(guarded(replace(bare, sampling=None), some, system).words, bound.grid)
        settled = bound.at_reveal(Opened(words, frozenset(spec.sites)), system)
        values = decode(settled.words, bound.grid)
        found.append((exact, values - exact))
        try:
            ask = lead.send(Answer(Release(values, settled.std, frozenset(spec.sites)), bound.grid))
        except StopIteration as stop:
            return found, stop.value
    return found, np.frombuffer(ask.state, "<f8")


@pytest.mark.usefixtures("repeatable")
@pytest.mark.parametrize("keys", [{}, pytest.param({"batch": 100}, marks=pytest.mark.slow)], ids=["all", "drawn"])
def test_noise_is_as_long_as_it_says_and_no_gradient_is_longer(keys):
    """On patients of four hospitals. At first the mean of clipped gradients is a tenth of what it could be, or more."""
    spec = heart(
        federation=Federation(sites=tuple(hospitals(heart())), corrupt=1, dropouts=1),
        privacy=PrivacyPlan(noise="shared", unit="row", epsilon=3.0, delta=1e-5, clip=1.0),
        training=Training(method="gradient", rounds=20, expected_rows=500, **keys),
    )
    tables, said = hospitals(spec), ahead(spec).now
    found, _ = descended(spec, tables)
    signals = np.array([np.linalg.norm(exact) for exact, _ in found])
    noise = np.sqrt(np.mean([np.sum(one**2) for _, one in found]))
    units = keys.get("batch", 500)
    assert noise == pytest.approx(units * 1.0 / said.step, rel=0.2)  # 380 squares of normals: by .2 once in 1e7 runs
    rows = sum(int(one.train.sum()) for one in tables.values())
    drawn = rows * units / 500 + (5.5 * np.sqrt(units) if keys else 0)
    assert (signals <= drawn).all()  # as the clip is 1
    assert 0.1 * units < signals[0] < units
    assert signals[-5:].mean() < signals[0]
    assert said.run == pytest.approx(said.step * np.sqrt(20))


@pytest.mark.slow
def test_the_multiplier_of_drawn_rows_is_dp_accountings():
    """Known answer: its noise for epsilon 2.7 at delta 1e-5 over 586 rounds at 2048/60000."""
    found = ahead(wide(2048, 586, epsilon=2.7, rows=60_000)).now
    assert found.multiplier == pytest.approx(1.4948, rel=1e-3)
    sites, sure, numbers = 4, 2, 21
    noise = 1.4948 * np.sqrt(sites / sure)
    assert found.sigma == pytest.approx(noise, rel=1e-3)
    assert found.step == pytest.approx(2048 / (noise * np.sqrt(numbers)), rel=1e-3)


def test_with_all_rows_more_rounds_say_as_much_in_all():
    few, many = ahead(wide(rounds=5)).now, ahead(wide(rounds=500)).now
    assert few.run == pytest.approx(many.run, rel=0.01)
    assert few.step == pytest.approx(10 * many.step, rel=0.01)
    assert ahead(wide(rounds=5)).better == ()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("batch", "rounds", "epsilon"),
    [
        (80, 30, 1.0),
        pytest.param(80, 300, 1.0, marks=pytest.mark.slow),
        pytest.param(20, 40, 8.0, marks=pytest.mark.slow),
    ],
)
def test_a_plan_that_is_named_does_better_by_the_same_measure(batch, rounds, epsilon):
    spec = wide(batch, rounds, epsilon)
    found = ahead(spec)
    assert found.better
    assert found.whole.run == pytest.approx(ahead(wide(None, rounds, epsilon)).now.run)
    for one in found.better:
        again = ahead(wide(one.batch, one.rounds, epsilon, rate=one.rate))
        assert again.now == one
        assert one.run >= GAIN * found.now.run
        assert one.run >= ENOUGH * found.whole.run
        assert (one.batch, one.rounds) != (batch, rounds)
        if one.batch is not None and one.rounds == rounds:  # and a batch of half as many would not do
            assert ahead(wide(one.batch // 2, rounds, epsilon)).now.run < ENOUGH * found.whole.run
    (line,) = (one for one in found.warnings() if one.startswith("training.batch: "))
    assert f"there is {found.whole.run / found.now.run:.2f} times the noise" in line
    assert f"hint: training.batch = {found.better[0].batch}" in line


@pytest.mark.slow
def test_a_plan_beside_it_whose_noise_cannot_be_kept_is_not_named_and_stops_nothing(monkeypatch):
    spec, kept = wide(80, 30, 1.0), mechanism

    def refuses(plan, ask):
        if ask.chance != (80, 8000):
            raise PlanError("the noise of all rows is beyond the words")
        return kept(plan, ask)

    monkeypatch.setattr(signal, "mechanism", refuses)
    found = ahead(spec)
    assert found.whole == found.now
    assert (found.better, found.warnings()) == ((), [])


def test_where_drawn_rows_do_as_well_nothing_is_named():
    found = ahead(wide(4000, 300, 1.0))
    assert (found.better, found.warnings()) == ((), [])


def test_a_plan_whose_noise_leads_farther_than_its_rounds_is_warned_of():
    hopeless, fine = ahead(wide(epsilon=0.02, rows=200)), ahead(wide(epsilon=1.0))
    assert hopeless.now.run < 1 < fine.now.run
    (line,) = hopeless.warnings()
    assert line.startswith("privacy.epsilon: noise alone leads farther than all steps together")
    assert fine.warnings() == []


def test_sites_and_persons_count_as_units():
    sites = ahead(wide(unit="site", epsilon=3.0))
    rows = ahead(wide(unit="row", epsilon=3.0))
    assert sites.now.step == pytest.approx(rows.now.step * 4 / 8000)
    assert ahead(replaced(wide(), privacy=PrivacyPlan(noise="none"))) is None


@pytest.mark.parametrize("batch", [None, pytest.param(20, marks=pytest.mark.slow)])
def test_steps_of_sites_own_count_as_steps_along_all_their_sums(batch):
    """Each site's sum has all of its noise; that of their mean is as that of one sum with all of theirs."""
    own = {"method": "average", "rounds": 5, "steps": 8, "batch": batch, "expected_rows": 8000}
    noise = PrivacyPlan(noise="site", unit="row", epsilon=3.0, delta=1e-5, clip=1.0)
    spec = replaced(wide(), training=Training(**own), privacy=noise)
    found, one = ahead(spec), ahead(wide(batch and 4 * batch, 40, epsilon=3.0, noise="site"))
    assert (found.now.steps, found.now.batch) == (40, batch)
    for name in ("step", "run", "sigma", "multiplier"):
        assert getattr(found.now, name) == pytest.approx(getattr(one.now, name), rel=1e-3)
    assert found.whole.run == pytest.approx(one.whole.run, rel=1e-3)
    assert [other.batch for other in found.better] == [other.batch // 4 for other in one.better]


@pytest.mark.torch
def test_a_clip_that_follows_takes_half_a_percent_of_a_networks_signal():
    """As its count has a hundredth of what a sum costs."""
    pytest.importorskip("torch")
    from support.graph import hidden

    still, follows = (ahead(hidden.plan(None, privacy=more).spec).now for more in ({}, {"clip_follows": "median"}))
    assert follows.step / still.step == pytest.approx(0.99**0.5, rel=1e-4)
    assert still.step == pytest.approx(135 / (still.sigma * NUMBERS**0.5), rel=1e-6)


def test_units_of_numbers_change_nothing_of_it():
    """They are opened in a first sum of its own, which is not what a step is judged by."""
    spec = wide()
    assert ahead(replaced(spec, training=replaced(spec.training, standardize=True))) == ahead(spec)


def test_check_says_it():
    """Of a plan that it warns of, and of one without noise nothing."""
    hopeless = asked(max_rows=200).set("training", {"method": "gradient", "rounds": 30, "expected_rows": 200})
    hopeless = hopeless.set("privacy.epsilon", 0.02)
    verdict = potluck.check(hopeless)
    said = ahead(replaced(wide(epsilon=0.02, rows=200), federation=Federation(sites=NAMES, corrupt=1)))
    assert verdict.document()["signal"]["step_at_most"] == pytest.approx(said.now.step)
    assert "signal to noise: the mean clipped gradient of a step is at most" in verdict.noise
    assert any(line.startswith("privacy.epsilon: noise alone leads farther") for line in verdict.warnings)
    plan = hopeless.set("privacy", {"noise": "none"})
    plan = plan.set("training", {"method": "gradient"})
    assert "signal" not in potluck.check(plan).document()


def asked(max_rows=8000):
    columns = {f"x{place}": {"kind": "number", "low": -3, "high": 3} for place in range(20)}
    return potluck.Plan(
        name="p", purpose="test", task="train", federation={"sites": list(NAMES), "corrupt": 1},
        data={"columns": columns, "target": {"column": "y", "positive": ["1"]}, "max_rows": max_rows},
        model={"kind": "logistic"},
        training={"method": "gradient", "rounds": 30, "batch": 80, "expected_rows": 8000},
        protect={"with": "mask"},
        privacy={"noise": "shared", "unit": "row", "epsilon": 1.0, "delta": 1e-5, "clip": 1.0},
    )  # fmt: skip


@pytest.mark.slow
def test_check_says_what_does_better():
    verdict = potluck.check(asked())
    said = ahead(replaced(wide(80, 30, 1.0), federation=Federation(sites=NAMES, corrupt=1)))
    signal = verdict.document()["signal"]
    assert signal["step_at_most"] == pytest.approx(said.now.step)
    assert signal["better"][0] == {"batch": said.better[0].batch, "rounds": 30, "rate": 1.0} | {
        "step_at_most": pytest.approx(said.better[0].step),
        "run_at_most": pytest.approx(said.better[0].run),
    }
    assert "signal to noise: the mean clipped gradient of a step is at most" in verdict.noise
    assert any(line.startswith("training.batch: beside a sum over drawn rows there is") for line in verdict.warnings)


def table(rows, seed):
    draw = np.random.default_rng(seed)
    x = draw.normal(size=(rows, 20)).clip(-3, 3)
    y = draw.random(rows) < expit(x @ np.linspace(-1, 1, 20) * 0.7)
    return pd.DataFrame(x, columns=[f"x{place}" for place in range(20)]).assign(y=y.astype(int))


@pytest.mark.slow
@pytest.mark.usefixtures("repeatable")
def test_what_is_named_comes_nearer_to_the_fit_by_as_much_as_it_says():
    """Five runs each of a plan with a batch that is too small, and of what is named instead, on the same rows.

    What noise adds to the loss goes with its square, so the excess should shrink by the square of the ratio: within a
    factor of 2.4, some standard errors of five runs.
    """
    spec = wide(80, 40, 0.3, rate=4.0)
    tables = {name: read(table(2000, seed), spec, name) for seed, name in enumerate(NAMES)}
    found = ahead(spec)
    x = np.column_stack([np.ones(8000), np.vstack([one.features for one in tables.values()])])
    y = np.concatenate([one.target for one in tables.values()])

    def loss(weights):
        return np.mean(np.logaddexp(0, x @ weights) - y * (x @ weights))

    least = loss(LogisticRegression(C=1e6, fit_intercept=False).fit(x, y).coef_[0])

    def excess(one):
        other = wide(one.batch, one.rounds, 0.3, rate=one.rate)
        models = [descended(other, tables)[1].model for _ in range(5)]
        return np.mean([loss(np.array(list(model.coefficients.values()))) for model in models]) - least

    now = excess(found.now)
    assert {(one.batch, one.rounds, one.rate) for one in found.better} == {(320, 40, 4.0), (80, 320, 0.5)}
    for one in found.better:
        said = (one.run / found.now.run) ** 2
        assert said / 2.4 < now / excess(one) < said * 2.4
