"""Forecasts from the plan alone are the widths that noised evaluations have, within a fifth."""

from __future__ import annotations

import math

import numpy as np
import pytest
from sums import category, make, number, replaced
from test_metric_intervals import exact_r2, histograms, hits, scores

from potluck.core.plan import Data, Model, PrivacyPlan, Split, Target, Training
from potluck.fl import forecast
from potluck.fl.evaluate import blocks
from potluck.fl.heldout import held_out
from potluck.fl.intervals import Noised
from potluck.fl.metric_intervals import area, explained, share

ROW = PrivacyPlan(noise="shared", unit="row", epsilon=1.0, delta=1e-5, clip=1.0)
DRAWS = 150


def plan(rows, share_=0.25, **keys):
    training = Training(method="gradient", expected_rows=rows)
    spec = make(**{"privacy": ROW, "training": training} | keys)
    return replaced(spec, data=replaced(spec.data, split=Split(test=share_)))


@pytest.mark.parametrize(("rows", "std"), [(260, 5.27), (600, 3.73), (2000, 10.0)])
def test_an_area_and_an_accuracy_are_known_as_well_as_was_forecast(rows, std):
    spec = plan(3 * rows)
    ahead = forecast.metrics(spec, blocks(spec, np.zeros(0)), std)
    assert ahead.rows == rows
    rng = np.random.default_rng(rows)
    found = {"auc": [], "accuracy": []}
    for _ in range(DRAWS):
        sides = histograms(*scores(rng, rows, 0.5))  # of an area of .85, where the forecast supposes .8
        negative, positive = (side + rng.normal(0, std, len(side)) for side in sides)
        found["auc"].append(area(negative, positive, std).noise)
        found["accuracy"].append(share(*hits(negative, positive, std)).noise)
    for name, every in found.items():
        assert np.median([(high - low) / 2 for low, high in every]) == pytest.approx(ahead.noise[name], rel=0.2)


def test_an_r2_is_known_as_well_as_was_forecast():
    data = Data(columns={"x": number(0, 10), "y": number(0, 4)}, target=Target(column="y"), split=Split(test=0.25))
    rows, std = 20_000, 8.0
    spec = replaced(plan(3 * rows, model=Model(kind="linear")), data=data)
    ahead = forecast.metrics(spec, blocks(spec, np.zeros(0)), std)
    rng = np.random.default_rng(0)
    sums = np.array([rows, rows / 6, 0.0, rows / 3])  # targets even over their range, half of their variance explained
    assert exact_r2(sums) == pytest.approx(0.5)
    noise = std * np.array([1, 4, 1, 1])
    every = []
    for _ in range(DRAWS):
        known = (Noised(v, s) for v, s in zip(sums + rng.normal(0, noise), noise, strict=True))
        every.append(explained(*known).noise)
    assert np.median([(high - low) / 2 for low, high in every]) == pytest.approx(ahead.noise["r2"], rel=0.2)
    assert ahead.noise["r2"] < forecast.USABLE["r2"]


def test_held_out_rows_come_from_the_plan_alone():
    assert held_out(plan(720, 0.28)) == pytest.approx(280)
    assert held_out(make()) is None
    spec = plan(300)
    by_column = replaced(spec, data=replaced(spec.data, split=Split(column="fold")))
    assert held_out(by_column) == pytest.approx(100)


def test_few_rows_are_told_as_useless_and_never_crash():
    for rows in (1, 10, 40):
        spec = plan(rows)
        ahead = forecast.metrics(spec, blocks(spec, np.zeros(0)), 8.0)
        assert ahead.useless() == ("auc", "accuracy")
        assert ahead.noise["auc"] == pytest.approx(0.5, abs=0.1)
        assert not any(math.isnan(half) for half in (*ahead.noise.values(), *ahead.population.values()))


def test_several_classes_are_forecast_by_accuracy_alone():
    classes = ("a", "b", "c")
    data = Data(
        columns={"x": number(0, 10), "y": category(*classes)},
        target=Target(column="y", classes=classes),
        split=Split(test=0.25),
    )
    training = Training(method="average", expected_rows=3000)
    spec = make(data=data, model=Model(kind="network"), training=training, privacy=ROW)
    ahead = forecast.metrics(spec, blocks(spec, np.zeros(0)), 4.0)
    assert set(ahead.noise) == {"accuracy"}
    assert 0 < ahead.noise["accuracy"] < 0.05
