"""A variant is an object and a line in its table: toys are registered from here and run end to end, src untouched."""

from contextlib import contextmanager
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import pytest

import potluck
from potluck.core.errors import PlanError
from potluck.learning.data.column import COLUMNS as COLUMN_KINDS
from potluck.learning.data.kinds.category import CATEGORY
from potluck.learning.models.fitted import Fitted, training
from potluck.learning.models.kind import Link, ModelKind
from potluck.learning.models.kinds import MODELS
from potluck.learning.models.linear import l2, penalty, slope_of
from potluck.learning.statistics.kind import StatisticKind, wanted
from potluck.learning.statistics.kinds import KINDS
from potluck.learning.statistics.result import Result, declared
from potluck.learning.training.gradient import Gradient
from potluck.learning.training.method import TrainingMethod, judge
from potluck.learning.training.methods import METHODS

COLUMNS = {"x": {"kind": "number", "low": 0, "high": 10}, "y": {"kind": "category", "values": ["0", "1"]}}
PROTECTIONS = ["clear", "mask", *(pytest.param(word, marks=pytest.mark.slow) for word in ("share", "he", "tee"))]
EXACT = {"noise": "none"}


@contextmanager
def registered(registry, word, variant):
    """While it lasts, one more line in a table."""
    registry.register(word, variant)
    try:
        yield
    finally:
        del registry.entries[word]


def rows(seed):
    draw = np.random.default_rng(seed)
    x = draw.uniform(0, 10, 40).round(2)
    return pd.DataFrame({"x": x, "y": (x + draw.normal(0, 1, 40) > 5).astype(int)})


SITES = {name: rows(seed) for seed, name in enumerate(("a", "b", "c"))}


def plan(scheme, **tables):
    base = {
        "name": "toy",
        "purpose": "a variant of its own",
        "federation": {"sites": list(SITES), "server": "curious"},
        "data": {"columns": COLUMNS, "max_rows": 100},
        "protect": {"with": scheme},
        "privacy": EXACT,
    }
    return potluck.Plan(**(base | tables))


def trained(scheme, kind, method, tmp_path, columns=COLUMNS, sites=SITES):
    spec = plan(
        scheme,
        task="train",
        data={
            "columns": columns,
            "max_rows": 100,
            "target": {"column": "y", "positive": ["1"]},
            "split": {"test": 0.2},
        },
        model={"kind": kind},
        training={"method": method},
    )
    return potluck.run(spec, sites, out=tmp_path / f"{scheme}-{kind}-{method}")


# A statistic: how large a part of the rows lies above the middle of the declared range.


def _above(plan, one, columns, count):
    low, high = declared(plan, one)
    x = columns[one.column]
    return np.where(np.isnan(x), np.nan, 0.0), np.column_stack([np.ones(count), x > (low + high) / 2])


def _part(plan, one, values, std):
    part = None if values[0] <= 0 else float(values[1] / values[0])
    return Result(value=part, low=part, high=part)


ABOVE = StatisticKind(
    keys=frozenset({"column"}),
    check=lambda plan, one, at: wanted(plan, f"{at}.column", one.column, "number"),
    cells=_above,
    read=_part,
    width=lambda plan, one: 2,
    norm=2**0.5,
    alone=False,
)


@pytest.mark.parametrize("scheme", PROTECTIONS)
def test_a_statistic_runs_under_every_protection(scheme, tmp_path):
    asked = [
        {"name": "part", "kind": "above", "column": "x"},
        {"name": "each", "kind": "above", "column": "x", "by": "y"},
    ]
    with registered(KINDS, "above", ABOVE):
        found = potluck.run(plan(scheme, task="statistics", statistics=asked), SITES, out=tmp_path / "run")
    every = pd.concat(SITES.values())
    assert found.document["results"]["part"]["value"] == pytest.approx((every["x"] > 5).mean())
    one = every[every["y"] == 1]
    assert found.document["results"]["each"]["by"]["1"]["value"] == pytest.approx((one["x"] > 5).mean())


def test_a_statistic_that_no_table_has_is_refused_with_the_nearest_word():
    with pytest.raises(PlanError, match=r"does not know 'above'.*known: count, sum, mean"):
        plan("clear", task="statistics", statistics=[{"name": "part", "kind": "above", "column": "x"}])
    with pytest.raises(PlanError, match='did you mean "mean"'):
        plan("clear", task="statistics", statistics=[{"name": "part", "kind": "maen", "column": "x"}])


# A kind of model: a probability that is a straight line, cut off at 0 and 1.

STRAIGHT = Link(
    mean=lambda margins: np.clip(0.5 + margins / 4, 0.0, 1.0),
    curved=lambda margins: np.full(len(margins), 0.25),
    steepest=0.25,
)
STRAIGHT_KIND = ModelKind(title="a straight line", targets=("binary",), link=STRAIGHT, slope=slope_of(STRAIGHT))


@pytest.mark.parametrize("method", ["newton", "gradient", "average"])
@pytest.mark.parametrize("scheme", PROTECTIONS)
def test_a_kind_of_model_is_trained_by_every_method(scheme, method, tmp_path):
    with registered(MODELS, "straight", STRAIGHT_KIND):
        found = trained(scheme, "straight", method, tmp_path)
        again = potluck.Model.read(found.folder / "model.json")
        assert again.kind == "straight"
        assert again.digest() == found.document["model"]["digest"]
        assert found.document["metrics"]["federated"]["auc"] > 0.9
        assert again.weights[1] > 0
        assert "a straight line" in (found.folder / "report.html").read_text(encoding="utf-8")


# A method: descent whose steps get shorter.


@dataclass(frozen=True, slots=True)
class Shortening:
    plan: object
    aim: object
    features: int

    @property
    def _sums(self):
        return Gradient(self.plan, self.aim, self.features)

    def initial(self):
        return self._sums.initial()

    def blocks(self, weights):
        return self._sums.blocks(weights)

    def contribute(self, weights, step, rows, draw):
        return self._sums.contribute(weights, step, rows, draw)

    def course(self):
        weights = self.initial()
        for number in range(training(self.plan).rounds):
            answer = yield weights
            slope = answer.part("gradient").values + penalty(l2(self.plan), weights)
            weights = (
                weights - training(self.plan).rate * slope / judge(self.plan, self.aim, answer) / (number + 1) ** 0.5
            )
        return Fitted(weights)


SHORTENING = TrainingMethod(
    start=Shortening, rounds=7, rate=2.0, opened=lambda counts: f"each round a toy's gradient{counts}", linear=True
)


@pytest.mark.parametrize("scheme", PROTECTIONS)
def test_a_method_brings_its_defaults_and_trains(scheme, tmp_path):
    with registered(METHODS, "shortening", SHORTENING):
        found = trained(scheme, "logistic", "shortening", tmp_path)
    assert len(found.document["rounds"]) == 7
    assert found.document["metrics"]["federated"]["auc"] > 0.9


# A kind of column: declared values in an order, as one feature.


def _step(one, values):
    places = np.where(values < 0, np.nan, values) * 2 / (len(one.values) - 1) - 1
    return np.nan_to_num(places)[:, None]


ORDERED = replace(CATEGORY, names=lambda one: (one.name,), features=_step, spread=True)


@pytest.mark.parametrize("scheme", PROTECTIONS)
def test_a_kind_of_column_is_read_trained_on_and_scored(scheme, tmp_path):
    steps = ["low", "middle", "high"]
    sites = {
        name: pd.DataFrame({"s": [steps[min(2, int(x // 3.4))] for x in one["x"]], "y": one["y"]})
        for name, one in SITES.items()
    }
    columns = {"s": {"kind": "ordered", "values": steps}, "y": COLUMNS["y"]}
    with registered(COLUMN_KINDS, "ordered", ORDERED):
        found = trained(scheme, "logistic", "newton", tmp_path, columns, sites)
        assert list(found.document["model"]["coefficients"]) == ["intercept", "s"]
        model = potluck.Model.read(found.folder / "model.json")
        low, middle, high = model.predict_proba(pd.DataFrame({"s": steps}))[:, 1]
    assert low < middle < high
