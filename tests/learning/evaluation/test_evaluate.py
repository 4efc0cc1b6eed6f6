"""Metrics of the opened sum, and exact ones, against scikit-learn and scipy."""

import dataclasses
import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest
from sklearn.metrics import accuracy_score, mean_squared_error, r2_score, roc_auc_score

from potluck.core.asks import Kind
from potluck.core.plan import Data, Model, PrivacyPlan, Target, Training
from potluck.core.rounds import Abort
from potluck.dp.mechanism import mechanism
from potluck.learning.evaluation.bins import count, edges, place, positive_from
from potluck.learning.evaluation.evaluate import Metrics, exact, metrics, worse
from potluck.learning.evaluation.ranking import auc_of, curve, wilson
from potluck.learning.loops import TrainTask, build
from potluck.secret.random import system
from support.learning.sums import answer, before_noise, category, frames, heart, hospitals, make, number, replaced, run
from support.learning.tiny import FOLD, noised, pooled, rows, tiny

ROW = PrivacyPlan(noise="shared", unit="row", epsilon=1.0, delta=1e-5, clip=1.0)


def quiet(ask, total):
    """Noise of size nothing: what a noised sum would be without its noise."""
    return total, np.zeros_like(total)


def test_binary_metrics_on_the_heart_are_scikit_learns():
    spec = heart()
    tables = hospitals(spec)
    outcome = run(build(spec), tables)
    x, y = pooled(tables, test=True)
    scores = outcome.model.scored_features(x)
    assert outcome.metrics.rows == len(y)
    assert outcome.metrics.accuracy == accuracy_score(y, scores >= 0.5)
    assert outcome.metrics.auc == pytest.approx(roc_auc_score(y, scores), abs=1e-3)
    best = exact(outcome.model, list(tables.values()))
    assert best.auc == pytest.approx(roc_auc_score(y, scores), abs=1e-12)
    assert best.accuracy == accuracy_score(y, scores >= 0.5)


def test_coarse_bins_of_a_noised_sum_are_near_and_their_accuracy_exact():
    spec = replaced(heart(training=Training(method="gradient", rounds=20, expected_rows=500)), privacy=ROW)
    tables = hospitals(spec)
    asks = []

    def noise(ask, total):
        asks.append(ask)
        return quiet(ask, total)

    outcome = run(build(spec), tables, noise)
    x, y = pooled(tables, test=True)
    scores = outcome.model.scored_features(x)
    assert outcome.metrics.accuracy == accuracy_score(y, scores >= 0.5)
    assert outcome.metrics.auc == pytest.approx(roc_auc_score(y, scores), abs=0.02)
    (block,) = asks[-1].blocks
    assert asks[-1].kind is Kind.EVALUATE
    assert (block.size, block.single, block.parts, block.l2) == (22, True, 1, 1.0)


def counted(task, ask, table):
    """What the held-out rows of a site add, before noise."""
    bound = mechanism(task.plan, ask)
    (given_,) = task.contribute(ask, table, system)
    return before_noise(bound, given_)


def test_a_held_out_row_changes_one_cell_by_one():
    spec = replaced(tiny("gradient", expected_rows=5), privacy=ROW)
    table = frames(spec, rows((1, 0, ""), (9, 1, "test"), (2, 0, "test")))["a"]
    task = build(spec)
    ask = task.ask(Kind.EVALUATE, 0, np.array([0.0, 1.0]).tobytes())
    values = counted(task, ask, table)
    assert values.shape == (22,)
    assert set(values.tolist()) == {0, 1}
    # The log-odds of even draws are even on [-1, 1], in tenths with 0 twice an edge: -.6 is close to the 3rd edge,
    # and .8 to the 10th.
    negative, positive = np.flatnonzero(values).tolist()
    assert negative in (1, 2)
    assert positive in (11 + 9, 11 + 10)


def gaussian(sigma, seed):
    """Noise of that size in the evaluation sum alone."""
    draw = np.random.default_rng(seed)

    def noise(ask, total):
        std = np.full(len(total), sigma if ask.kind is Kind.EVALUATE else 0.0)
        return total + draw.normal(size=len(total)) * std, std

    return noise


def test_bins_are_the_models_and_no_rows():
    spec = heart(training=Training(method="gradient", rounds=1, expected_rows=500))
    model = run(build(spec), hospitals(spec)).model
    (bounds,) = edges(model, 11)
    assert bounds.shape == (10,)
    assert (np.diff(bounds) >= 0).all()
    assert 0.0 in bounds
    assert place(bounds, np.array([-1e-12, 0.0])).tolist() == [positive_from(bounds) - 1, positive_from(bounds)]
    grown = dataclasses.replace(model, weights=1000 * model.weights)
    assert edges(grown, 11)[0] == pytest.approx(1000 * bounds)
    nothing = dataclasses.replace(model, weights=0 * model.weights)
    assert edges(nothing, 11).tolist() == [[0] * 10]
    known = 1.5 * np.log([1 / 7, 3 / 5, 5 / 3, 7])  # of shares 1/8, 3/8, 5/8, 7/8
    assert edges(nothing, 15)[0] == pytest.approx([*known[:2], *[0] * 10, *known[2:]])
    assert edges(model, 15)[0] == pytest.approx(np.sort([*bounds, *known]))


def test_scores_of_rows_in_a_corner_are_told_apart_where_they_say_something():
    """A long range of which rows fill a twentieth: even draws have scores up to 156, real rows from -4 to 4."""
    rng = np.random.default_rng(6)
    x = rng.uniform(-1, -0.9, 8000)
    margins = 76 + 80 * x
    y = rng.random(len(x)) < 1 / (1 + np.exp(-margins))
    spec = tiny("newton")
    model = run(build(spec), frames(spec, rows((1, 0, ""), (9, 1, ""), (2, 0, "test"), (8, 1, "test")))).model
    (bounds,) = edges(dataclasses.replace(model, weights=np.array([76.0, 80.0])), 21)
    sides = [np.bincount(place(bounds, margins[y == side]).astype(int), minlength=21) for side in (0, 1)]
    below = np.cumsum(sides[0]) - sides[0]
    by_bins = (sides[1] * (below + sides[0] / 2)).sum() / np.prod([one.sum() for one in sides])
    assert by_bins == pytest.approx(roc_auc_score(y, margins), abs=0.01)


def test_released_areas_scatter_around_the_exact_one():
    spec = heart(training=Training(method="gradient", rounds=20, expected_rows=500))
    tables = hospitals(spec)
    model = run(build(spec), tables).model
    spec = replaced(spec, privacy=ROW)
    task = build(spec)
    ask = task.ask(Kind.EVALUATE, 0, model.weights.astype("<f8").tobytes())
    sums = (answer(ask, task, tables, gaussian(5.2, seed)) for seed in range(20))
    found = [metrics(spec, model, one)[0].auc for one in sums]
    best = exact(model, list(tables.values())).auc
    assert np.mean(found) == pytest.approx(best, abs=0.02)
    assert 0.01 < np.std(found) < 0.07


def released(spec, model, tables, sigma, seeds):
    """Metrics and warnings of one model on the same rows, under noise of its own each time."""
    task = build(spec)
    ask = task.ask(Kind.EVALUATE, 0, model.weights.astype("<f8").tobytes())
    whole = answer(ask, task, tables, quiet)
    noise = gaussian(sigma, 0)
    found = []
    for _ in range(seeds):
        values, std = noise(ask, whole.release.values)
        noised = dataclasses.replace(whole.release, values=values, std=std)
        found.append(metrics(spec, model, dataclasses.replace(whole, release=noised)))
    return found


def test_intervals_of_released_metrics_hold_the_exact_ones_by_ranks():
    spec = heart(training=Training(method="gradient", rounds=20, expected_rows=500))
    tables = hospitals(spec)
    model = run(build(spec), tables).model
    best = exact(model, list(tables.values()))
    found = [one for one, _ in released(replaced(spec, privacy=ROW), model, tables, 5.2, 60)]
    for name, truth in (("auc", best.auc), ("accuracy", best.accuracy), ("rows", best.rows)):
        held = [one.intervals[name][0] <= truth <= one.intervals[name][1] for one in found]
        assert sum(held) >= 53
    for one in found:
        assert one.population["auc"][0] <= one.intervals["auc"][0]
        assert one.population["auc"][1] >= one.intervals["auc"][1]


def test_rows_that_fill_one_corner_of_the_declared_range_do_not_get_a_narrow_wrong_area(monkeypatch):
    """All scores lie in one or two bins: the area by bins is near one half, whatever the model is worth."""
    rng = np.random.default_rng(4)
    x = rng.normal(9.8, 0.05, 6000)  # declared from 0 to 10
    y = (x + rng.normal(0, 0.02, len(x)) > 9.8).astype(int)
    spec = tiny("newton", l2=10.0)
    frame = pd.DataFrame({"x": x, "y": y, "fold": np.where(rng.random(len(x)) < 0.5, "test", "")})
    model = run(build(spec), frames(spec, frame)).model
    model = dataclasses.replace(model, weights=np.array([-1.0, 1.0]))  # parts even scores, and these not at all
    table = {"a": frames(spec, frame)["a"]}
    spec = replaced(spec, privacy=ROW, training=Training(method="gradient", expected_rows=9000))
    best = exact(model, list(table.values())).auc
    assert best > 0.95
    for one, warnings in released(spec, model, table, 3.7, 5):
        assert one.intervals["auc"][0] <= best <= one.intervals["auc"][1]
        assert "scores fill few bins" in warnings[0]
    monkeypatch.setattr("potluck.learning.evaluation.two_sided.TIES", 2.0)  # control
    assert all(one.intervals["auc"][1] < best for one, _ in released(spec, model, table, 3.7, 5))


def test_bins_grow_as_rows_outnumber_the_noise():
    def bins(rows, epsilon, **keys):
        spec = tiny("gradient", expected_rows=rows)
        return count(replaced(spec, privacy=replaced(ROW, epsilon=epsilon, **keys)))

    assert bins(500, 1.0) == bins(5, 8.0) == 11
    assert bins(60_000, 1.0) > bins(6000, 1.0) > 11
    assert bins(6000, 3.0) > bins(6000, 1.0)
    assert bins(10**9, 8.0) == 256
    assert bins(60_000, 1.0, unit="site", evaluation=0.5) == 11


def test_many_rows_at_a_large_epsilon_are_told_apart_though_their_scores_lie_together(monkeypatch):
    """A model early in its training, on rows that fill a corner of what is declared."""
    rng = np.random.default_rng(6)
    x = rng.normal(5, 0.35, 24_000)
    y = rng.logistic(size=len(x)) < 4 * (x - 5) - 1
    frame = pd.DataFrame({"x": x, "y": y.astype(int), "fold": np.where(rng.random(len(x)) < 0.5, "test", "")})
    spec = tiny("newton")
    table = frames(spec, frame)["a"]
    start = run(build(spec), frames(spec, rows((1, 0, ""), (9, 1, ""), (2, 0, "test"), (8, 1, "test")))).model
    model = dataclasses.replace(start, weights=np.array([-1.05, 1.2]))  # x counts as 5 + 5 x
    best = exact(model, [table]).auc
    many = replaced(
        spec, privacy=replaced(ROW, epsilon=8.0), training=Training(method="gradient", expected_rows=36_000)
    )

    def off():
        return np.array([one.auc for one, _ in released(many, model, {"a": table}, 0.6, 3)]) - best

    assert np.abs(off()).max() < 0.005
    monkeypatch.setattr("potluck.learning.evaluation.bins.QUIET", 0.0)  # as many as would do if all were filled alike
    assert off().max() < -0.01


@pytest.mark.slow
@pytest.mark.parametrize("swapped", [False, True])
def test_the_area_of_a_rare_outcome_survives_few_bins(swapped):
    """2 % positives (or negatives): all scores lie far from one half."""
    rng = np.random.default_rng(3)
    x = rng.uniform(0, 10, 12_000)
    y = rng.logistic(size=len(x)) < 0.4 * (x - 5) - 4.4
    assert 0.01 < y.mean() < 0.03
    spec = tiny("newton", l2=1e-3)
    frame = pd.DataFrame(
        {"x": x, "y": (y != swapped).astype(int), "fold": np.where(rng.random(len(x)) < 0.3, "test", "")}
    )
    model = run(build(spec), frames(spec, frame)).model
    spec = replaced(spec, privacy=ROW, training=Training(method="gradient", expected_rows=8000))
    table = frames(spec, frame)["a"]
    task = build(spec)
    ask = task.ask(Kind.EVALUATE, 0, model.weights.astype("<f8").tobytes())
    sigma = math.sqrt(2) * 0.7  # epsilon 8 over three sites
    noised = [metrics(spec, model, answer(ask, task, {"a": table}, gaussian(sigma, seed)))[0].auc for seed in range(20)]
    best = exact(model, [table]).auc
    assert best > 0.7
    assert np.abs(np.array(noised) - best).max() < 0.05


@given(st.lists(st.integers(0, 9), min_size=1, max_size=30), st.lists(st.integers(0, 9), min_size=1, max_size=30))
def test_the_area_of_histograms_counts_ties_half(negative, positive):
    y = [0] * len(negative) + [1] * len(positive)
    histograms = (np.bincount(side, minlength=10).astype(float) for side in (negative, positive))
    expected = roc_auc_score(y, negative + positive)
    assert auc_of(*histograms) == pytest.approx(expected)
    assert curve(np.array(negative, float), np.array(positive, float))[0] == pytest.approx(expected)


def test_areas_that_noise_leaves_undefined_are_none():
    assert auc_of(np.array([-3.0, 1]), np.array([1.0, 2])) is None
    assert auc_of(np.array([9.0, -8]), np.array([-4.0, 9])) is None
    assert curve(np.zeros(0), np.ones(3)) is None


@pytest.mark.parametrize(("hits", "count"), [(0, 10), (3, 10), (81, 100), (10, 10)])
def test_wilson_is_scipys(hits, count):
    known = binomtest(hits, count).proportion_ci(method="wilson")
    assert wilson(hits, count) == pytest.approx((known.low, known.high))


@pytest.mark.slow
def test_delong_covers_the_true_area_in_about_95_of_100_runs():
    rng = np.random.default_rng(1)
    true = 0.5 * (1 + math.erf(1 / 2))  # two normals one apart: P(N(1, 1) > N(0, 1))
    hits = 0
    for _ in range(1000):
        low, high = curve(rng.normal(0, 1, 80), rng.normal(1, 1, 60))[1]
        hits += low <= true <= high
    assert 925 <= hits <= 970


def linear_heart(**keys):
    spec = heart()
    data = replaced(spec.data, columns={**spec.data.columns, "num": number(0, 4)}, target=Target(column="num"))
    return heart(**{"data": data, "model": Model(kind="linear")} | keys)


def test_regression_reports_r2_and_rmse_in_the_targets_own_units():
    spec = linear_heart()
    tables = hospitals(spec)
    outcome = run(build(spec), tables)
    x, y = pooled(tables, test=True)
    truth, guess = 4 * (y + 1) / 2, outcome.model.scored_features(x)
    for found in (outcome.metrics, exact(outcome.model, list(tables.values()))):
        assert found.r2 == pytest.approx(r2_score(truth, guess))
        assert found.rmse == pytest.approx(math.sqrt(mean_squared_error(truth, guess)))
        assert found.rows == len(y)
        assert found.auc is None


def test_noised_regression_sums_are_bounded_by_their_sensitivity():
    spec = linear_heart(training=Training(method="gradient", rounds=20, rate=0.5, expected_rows=500), privacy=ROW)
    tables = hospitals(spec)
    task = build(spec)
    wild = task.ask(Kind.EVALUATE, 0, np.full(19, 50.0).tobytes())
    (block,) = wild.blocks
    for table in tables.values():
        for update in task.contribute(wild, table, system):
            assert (np.linalg.norm(update.values, axis=1) <= block.l2).all()
            assert (np.abs(update.values) <= block.high).all()
    x, y = pooled(tables, test=True)
    outcome = run(task, tables, quiet)
    guess = outcome.model.scored_features(x)
    assert outcome.metrics.rmse == pytest.approx(math.sqrt(mean_squared_error(2 * (y + 1), np.clip(guess, 0, 4))))


def three_classes(**keys):
    data = Data(
        columns={"x": number(0, 10), "y": category("a", "b", "c")},
        target=Target(column="y", classes=("a", "b", "c")),
        split=FOLD,
    )
    return make(**{"data": data, "model": Model(kind="network"), "training": Training(method="average")} | keys)


def test_several_classes_are_counted_by_what_the_model_says():
    spec = three_classes()
    task = build(spec)
    frame = pd.DataFrame({"x": [1, 5, 9, 4], "y": list("abca"), "fold": "test"})
    tables = frames(spec, frame)
    state = next(task.lead()).state
    ask = task.ask(Kind.EVALUATE, 0, state)
    assert [block.size for block in ask.blocks] == [9]
    assert counted(task, ask, tables["a"]).reshape(3, 3).sum(axis=1).tolist() == [2, 1, 1]


def test_one_class_on_the_test_side_warns_and_has_no_area():
    spec = tiny()
    outcome = run(build(spec), frames(spec, rows((1, 0, ""), (9, 1, ""), (2, 1, "test"), (3, 1, "test"))))
    assert outcome.metrics.auc is None
    assert outcome.metrics.accuracy is not None
    assert any("one class only" in line for line in outcome.warnings)


@pytest.mark.parametrize("unit", ["person", "site"])
def test_metrics_of_persons_and_sites_need_a_budget_of_their_own(unit):
    spec = replaced(tiny("gradient", expected_rows=5, rounds=1), privacy=noised(unit))
    spec = replaced(spec, data=replaced(spec.data, person="who"))
    frame = rows((1, 0, ""), (9, 1, "test")).assign(who=[1, 2])
    assert run(build(spec), frames(spec, frame), quiet).metrics is None
    with pytest.raises(Abort):
        build(spec).ask(Kind.EVALUATE, 0, b"\0" * 16)
    spec = replaced(spec, privacy=noised(unit, evaluation=0.1))
    found = run(build(spec), frames(spec, frame), quiet).metrics
    assert found.accuracy is not None
    assert found.rows is None  # cells count at most rows_per_person rows a person, or a site's shares


def test_a_person_counts_with_its_first_rows_only():
    frame = rows(*[(9, 1, "test")] * 5, (1, 0, "test"), (2, 0, "")).assign(who=[1, 1, 1, 1, 1, 2, 3])
    for most in (None, 3):
        spec = tiny("gradient", expected_rows=5)
        spec = replaced(spec, data=replaced(spec.data, person="who"))
        spec = replaced(spec, privacy=noised("person", evaluation=0.1, rows_per_person=most))
        task = build(spec)
        ask = task.ask(Kind.EVALUATE, 0, b"\0" * 16)
        (block,) = ask.blocks
        negative, positive = counted(task, ask, frames(spec, frame)["a"]).reshape(2, -1).sum(axis=1)
        assert (positive, negative) == (most or 1, 1)
        assert (block.l2, block.high, block.single) == (most or 1, most or 1, most is None)


def test_a_site_counts_with_its_shares_whatever_its_size():
    spec = tiny("gradient", expected_rows=5)
    spec = replaced(spec, privacy=noised("site", evaluation=0.1))
    task = build(spec)
    ask = task.ask(Kind.EVALUATE, 0, b"\0" * 16)
    some = frames(spec, rows(*[(9, 1, "test")] * 30, (1, 0, "test")))["a"]
    (update,) = task.contribute(ask, some, system)
    assert update.values.shape == (1, 22)
    assert update.values.sum() == pytest.approx(1)
    assert np.linalg.norm(update.values) <= ask.blocks[0].l2


def test_a_yardstick_is_not_evaluated():
    spec = tiny()
    tables = frames(spec, rows((1, 0, ""), (9, 1, "")))
    assert run(TrainTask(spec, evaluated=False), tables).metrics is None


def test_a_site_with_no_held_out_row_has_no_exact_metrics():
    spec = tiny()
    tables = frames(spec, rows((1, 0, ""), (9, 1, ""), (2, 1, "test"), (3, 0, "test")), rows((1, 0, "")))
    model = run(build(spec), tables).model
    assert exact(model, [tables["b"]]) == Metrics(0)


def test_a_model_that_is_surely_worse_than_the_mean_is_said_to_be():
    """Of an interval its upper end decides; without noise the value itself."""
    for found, bad in (
        (Metrics(10.0, r2=-4.0), True),
        (Metrics(10.0, r2=0.3), False),
        (Metrics(None), False),
        (Metrics(10.0, r2=-4.0, intervals={"r2": (-7.5, -0.1)}), True),
        (Metrics(10.0, r2=-4.0, intervals={"r2": (-math.inf, 0.2)}), False),
        (Metrics(None, intervals={"r2": (-math.inf, -3.0)}), True),
    ):
        assert any("worse than the mean of the target" in line for line in worse(found)) == bad
