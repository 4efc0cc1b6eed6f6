"""A variant is an object and a line in its table: toys are registered from here and run end to end, src untouched.

All toys but the column kind are those of the pages on how to add one.
"""

from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import potluck
from potluck.core.errors import PlanError, UsageError
from potluck.core.plan import Data
from potluck.core.traits import TRAITS
from potluck.learning.data.column import COLUMNS as COLUMN_KINDS
from potluck.learning.data.kinds.category import CATEGORY
from potluck.learning.data.table import header
from potluck.learning.evaluation.evaluate import Metrics
from potluck.learning.training.optimizer import OPTIMIZERS
from potluck.owner.policy import Source
from potluck.owner.reading import parse
from potluck.owner.source import open_source
from potluck.tasks.catalog import TASKS
from potluck.tasks.shown import Measured, Shown
from potluck.tasks.statistics.task import STATISTICS
from support.docs.variants import added

COLUMNS = {"x": {"kind": "number", "low": 0, "high": 10}, "y": {"kind": "category", "values": ["0", "1"]}}
SCHEMES = ["clear", "mask", *(pytest.param(word, marks=pytest.mark.slow) for word in ("share", "he", "tee"))]
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


def counted(scheme, **tables):
    return plan(scheme, **{"task": "statistics", "statistics": [{"name": "rows", "kind": "count"}], **tables})


def trained(scheme, kind, training, tmp_path, columns=COLUMNS, sites=SITES):
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
        training=training,
    )
    return potluck.run(spec, sites, out=tmp_path / f"{scheme}-{'-'.join(map(str, training.values()))}")


@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_statistic_runs_under_every_protection(scheme, tmp_path):
    asked = [
        {"name": "part", "kind": "above", "column": "x"},
        {"name": "each", "kind": "above", "column": "x", "by": "y"},
    ]
    with added("statistic"):
        found = potluck.run(counted(scheme, statistics=asked), SITES, out=tmp_path / "run")
    every = pd.concat(SITES.values())
    assert found.document["results"]["part"]["value"] == pytest.approx((every["x"] >= 5).mean())
    one = every[every["y"] == 1]
    assert found.document["results"]["each"]["by"]["1"]["value"] == pytest.approx((one["x"] >= 5).mean())


def test_a_statistic_that_no_table_has_is_refused_with_the_nearest_word():
    with pytest.raises(PlanError, match=r"does not know 'above'.*known: count, sum, mean"):
        counted("clear", statistics=[{"name": "part", "kind": "above", "column": "x"}])
    with pytest.raises(PlanError, match='did you mean "mean"'):
        counted("clear", statistics=[{"name": "part", "kind": "maen", "column": "x"}])


@pytest.mark.parametrize("method", ["newton", "gradient", "average"])
@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_kind_of_model_is_trained_by_every_method(scheme, method, tmp_path):
    with added("model"):
        found = trained(scheme, "straight", {"method": method}, tmp_path)
        again = potluck.Model.read(found.folder / "model.json")
        assert again.kind == "straight"
        assert again.digest() == found.document["model"]["digest"]
        assert found.document["metrics"]["federated"]["auc"] > 0.9
        assert again.weights[1] > 0
        assert "a straight line" in (found.folder / "report.html").read_text(encoding="utf-8")


@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_method_brings_its_defaults_and_trains(scheme, tmp_path):
    with added("method"):
        found = trained(scheme, "logistic", {"method": "shortening"}, tmp_path)
    assert len(found.document["rounds"]) == 9
    assert found.document["metrics"]["federated"]["auc"] > 0.9


@pytest.mark.parametrize("method", ["gradient", "average"])
@pytest.mark.parametrize("scheme", SCHEMES)
def test_an_optimizer_steps_at_the_server(scheme, method, tmp_path):
    with added("optimizer"):
        found = trained(scheme, "logistic", {"method": method, "rounds": 3, "optimizer": "signs"}, tmp_path)
    step = 1.0  # the rate of gradient where a plan says none, and of average always
    assert found.document["model"]["coefficients"]["x"] in (step, 3 * step)


@pytest.mark.parametrize("method", ["gradient", "average"])
@pytest.mark.parametrize("word", OPTIMIZERS.words())
@pytest.mark.parametrize("scheme", SCHEMES[1:])
def test_an_optimizer_gives_the_same_bytes_under_every_protection(scheme, word, method, tmp_path):
    training = {"method": method, "rounds": 4, "optimizer": word, "iterates": "averaged"}
    plain, found = (trained(one, "logistic", training, tmp_path) for one in ("clear", scheme))
    assert found.document["model"]["digest"] == plain.document["model"]["digest"]


# A kind of column: declared values in an order, as one feature.


def _step(one, values):
    places = np.where(values < 0, np.nan, values) * 2 / (len(one.values) - 1) - 1
    return np.nan_to_num(places)[:, None]


ORDERED = replace(CATEGORY, names=lambda one: (one.name,), features=_step, spread=True)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_kind_of_column_is_read_trained_on_and_scored(scheme, tmp_path):
    steps = ["low", "middle", "high"]
    sites = {
        name: pd.DataFrame({"s": [steps[min(2, int(x // 3.4))] for x in one["x"]], "y": one["y"]})
        for name, one in SITES.items()
    }
    columns = {"s": {"kind": "ordered", "values": steps}, "y": COLUMNS["y"]}
    with registered(COLUMN_KINDS, "ordered", ORDERED):
        found = trained(scheme, "logistic", {"method": "newton"}, tmp_path, columns, sites)
        assert list(found.document["model"]["coefficients"]) == ["intercept", "s"]
        model = potluck.Model.read(found.folder / "model.json")
        low, middle, high = model.predict_proba(pd.DataFrame({"s": steps}))[:, 1]
    assert low < middle < high


@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_data_source_is_read_where_a_plan_and_a_policy_name_it(scheme, tmp_path):
    files = {name: str(tmp_path / f"{name}.jsonl") for name in SITES}
    for name, frame in SITES.items():
        Path(files[name]).write_text(frame.to_json(orient="records", lines=True, double_precision=15))
    asked = [{"name": "mean", "kind": "mean", "column": "x"}]
    spec = counted(scheme, statistics=asked, data={"columns": COLUMNS, "files": files, "max_rows": 100})
    with added("data-source"):
        found = potluck.run(spec, out=tmp_path / "files")
        own = open_source(Source(file="a.jsonl"), tmp_path, Data(max_rows=100), "a")
        assert header(own, spec.spec, "a") == ("x", "y")
    assert found.document["results"] == potluck.run(spec, SITES, out=tmp_path / "frames").document["results"]


def test_what_is_no_source_of_rows_is_refused(tmp_path):
    with pytest.raises(UsageError, match="rows cannot be read from a dict"):
        potluck.run(counted("clear"), {name: {"x": [1.0]} for name in SITES}, out=tmp_path / "run")


@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_task_runs_under_every_protection_and_policies_know_its_word(scheme, tmp_path):
    with added("task"):
        found = potluck.run(counted(scheme, task="headcount"), SITES, out=tmp_path / "run")
        assert parse('version = 1\nsource.file = "rows.csv"\nallow.tasks = ["headcount"]\n', "policy").allow.tasks
    assert found.document["rows"] == 120
    assert found.document["task"] == "headcount"
    assert "The sites counted 120 rows." in (found.folder / "report.html").read_text(encoding="utf-8")


@dataclass(frozen=True)
class Heads:
    """An outcome that no room knows."""

    rows: int
    warnings: tuple[str, ...] = ("heads are rows here",)


@dataclass(frozen=True)
class Heard:
    """What all parties of a toy bring, as its own statistics bring it."""

    room: object

    def __getattr__(self, name):
        return getattr(self.room, name)

    def play(self, begun):
        outcome, log = self.room.play(begun)
        return Heads(round(outcome.results["rows"].value)), log

    def beside(self, outcome):
        return outcome.rows


HEADS = replace(
    STATISTICS,
    here=lambda plan, data: Heard(STATISTICS.here(plan, data)),
    leave=lambda outcome, folder: (folder / "heads.txt").write_text(f"{outcome.rows}\n"),
    document=lambda outcome, plan, folder, beside: {"heads": outcome.rows, "pooled": beside},
    shown=lambda outcome, plan, beside: Shown(
        title="Heads", many=f"{outcome.rows} heads", what="<counted>", did="Heads were counted.", left="None left."
    ),
    measured=lambda plan, beside: [Measured("pooled", None, Metrics(beside, auc=0.625))] if beside else [],
)


@pytest.mark.parametrize("compare", [False, True])
def test_a_tasks_own_outcome_comes_out_as_file_document_and_report(compare, tmp_path):
    facts = replace(TRAITS.of("statistics"), title="heads")
    with registered(TASKS, "heads", HEADS), registered(TRAITS, "heads", facts):
        found = potluck.run(counted("mask", task="heads"), SITES, out=tmp_path / "run", compare=compare)
    assert (found.document["heads"], found.document["pooled"]) == (120, 120 if compare else None)
    assert "heads are rows here" in found.document["warnings"]
    assert (found.folder / "heads.txt").read_text() == "120\n"
    page = (found.folder / "report.html").read_text(encoding="utf-8")
    for words in ("Heads were counted. None left.", "120 heads", "&lt;counted&gt;"):
        assert words in page
    assert ("0.625" in page) is compare
    assert "ended without a result" not in page


@pytest.mark.parametrize("task", ["train", "statistics"])
def test_a_protection_carries_out_what_others_do_and_policies_know_its_word(task, tmp_path):
    def ran(scheme):
        if task == "statistics":
            return potluck.run(counted(scheme), SITES, out=tmp_path / scheme)
        return trained(scheme, "logistic", {"method": "newton"}, tmp_path)

    with added("protection"):
        found = ran("summed")
        assert "with its sum" in (found.folder / "report.html").read_text(encoding="utf-8")
        assert parse('version = 1\nsource.file = "rows.csv"\nallow.protect = ["summed"]\n', "policy").allow.protect
    plain = ran("clear").document
    if task == "statistics":
        assert found.document["results"] == plain["results"]
    else:
        assert found.document["model"]["digest"] == plain["model"]["digest"]


@pytest.mark.parametrize("key", ["allow.tasks", "allow.protect"])
def test_a_word_that_no_table_has_is_refused_in_a_policy(key):
    with pytest.raises(UsageError, match=f"{key} does not know"):
        parse(f'version = 1\nsource.file = "rows.csv"\n{key} = ["toy"]\n', "policy")
