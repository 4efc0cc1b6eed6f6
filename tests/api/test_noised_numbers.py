"""Every noised number carries an interval wherever it is shown, and `check` says beforehand how wide it will be."""

import json
import re
import shutil

import numpy as np
import pandas as pd
import pytest

import potluck
from potluck.cli.terminal import Terminal
from potluck.cli.text import show_run
from potluck.learning.data.target import Goal
from potluck.learning.evaluation.evaluate import Metrics
from potluck.report.comparison import lines
from potluck.report.details import Score
from potluck.report.page import render
from potluck.report.summary import _result
from potluck.tasks.trained import scores
from support.repeated import repeated

pytestmark = pytest.mark.usefixtures("repeatable")
SITES = ("a", "b", "c", "d")
TEXT = """
version = 1
name = "noised"
purpose = "every noised number"
task = "{task}"
federation = {{ sites = ["a", "b", "c", "d"], dropouts = 1 }}
data.columns.x = {{ kind = "number", low = 0, high = 1, unit = "mg" }}
data.columns.y = {{ kind = "category", values = ["0", "1"] }}
data.columns.arm = {{ kind = "category", values = ["new", "old"] }}
protect.with = "mask"
privacy = {{ noise = "shared", unit = "row", epsilon = 1.0, delta = 1e-5{clip} }}
{rest}
"""
TRAIN = """
data.target = { column = "y", positive = ["1"] }
data.split.test = 0.3
model.kind = "logistic"
training = { method = "gradient", rounds = 2, expected_rows = 560 }
"""
COUNT = """
[[statistics]]
name = "all_rows"
kind = "count"
[[statistics]]
name = "level"
kind = "mean"
column = "x"
by = "y"
[[statistics]]
name = "spread"
kind = "variance"
column = "x"
[[statistics]]
name = "shape"
kind = "histogram"
column = "x"
[[statistics]]
name = "table"
kind = "contingency"
columns = ["y", "arm"]
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Four sites of 200 rows each; x is even over its range."""
    place = tmp_path_factory.mktemp("noised")
    rng = np.random.default_rng(0)
    for site in SITES:
        x = rng.uniform(0, 1, 200)
        y = np.where(rng.uniform(0, 1, 200) < x, "1", "0")
        frame = pd.DataFrame({"x": x, "y": y, "arm": rng.choice(["new", "old"], 200)})
        frame.to_csv(place / f"{site}.csv", index=False)
    return place


@pytest.fixture(scope="module")
def trained(folder):
    """At an epsilon, and with noise, that take no AUC beyond 1, where it would have no value."""
    with repeated("trained"):
        return potluck.run(plan(folder, privacy__epsilon=3.0), out=folder / "trained")


@pytest.fixture(scope="module")
def counted(folder):
    with repeated("counted"):
        return potluck.run(plan(folder, "statistics", privacy__epsilon=2.0), out=folder / "counted")


def plan(folder, task="train", files=True, **settings):
    made = TEXT.format(task=task, rest=TRAIN if task == "train" else COUNT, clip=", clip = 1.0" * (task == "train"))
    named = ", ".join(f'{site} = "{site}.csv"' for site in SITES)
    head, first = made.split("data.columns.x", 1)
    text = head + (f"data.files = {{ {named} }}\n" if files else "") + "data.columns.x" + first
    (folder / "plan.toml").write_text(text, encoding="utf-8")
    read = potluck.Plan.read(folder / "plan.toml")
    for key, value in settings.items():
        read = read.set(key.replace("__", "."), value)
    return read


def numbers(document, path=()):
    """(path, the table around it) of every number in a document."""
    if isinstance(document, dict):
        for key, value in document.items():
            if isinstance(value, int | float):
                yield (*path, key), document
            yield from numbers(value, (*path, key))


def ends(name, table):
    return (f"{name}_low", f"{name}_high") if name != "value" else ("low", "high")


def test_no_noised_number_of_a_run_lacks_an_interval(trained, counted):
    metrics, results = trained.document["metrics"]["federated"], counted.document["results"]
    shown = [(path[-1], table) for path, table in numbers({"m": metrics, "r": results})]
    values = [(name, table) for name, table in shown if name in ("auc", "accuracy", "rows", "value")]
    assert {name for name, _ in values} == {"auc", "accuracy", "rows", "value"}
    for name, table in values:
        low, high = (table[end] for end in ends(name, table))
        assert low < table[name] < high
    for name in ("auc", "accuracy"):
        low, high = metrics[f"{name}_population"]
        assert low <= metrics[f"{name}_low"] < metrics[f"{name}_high"] <= high
    assert len(results["shape"]["low"]) == len(results["shape"]["value"])


def test_without_noise_a_metric_has_the_interval_of_its_population_alone(folder):
    run = potluck.run(plan(folder, privacy={"noise": "none"}), out=folder / "exact")
    metrics = run.document["metrics"]["federated"]
    assert set(metrics) == {"auc", "auc_population", "accuracy", "accuracy_population", "rows", "confusion"}
    low, high = metrics["auc_population"]
    assert low < metrics["auc"] < high


@pytest.mark.parametrize("unit", ["person", "site"])
def test_sums_that_do_not_count_rows_say_nothing_of_a_population(folder, unit):
    settings = {"data__person": "who"} if unit == "person" else {}
    made = plan(folder, privacy__unit=unit, privacy__evaluation=0.5, **settings)
    data = {name: pd.read_csv(folder / f"{name}.csv").assign(who=range(200)) for name in SITES}
    metrics = potluck.run(made, data, out=folder / unit).document["metrics"]["federated"]
    assert {"auc_low", "auc_high", "accuracy_low", "accuracy_high"} <= set(metrics)
    assert not {"rows_low", "auc_population", "accuracy_population"} & set(metrics)
    assert metrics["rows"] is None


def test_a_value_that_the_noise_made_impossible_still_has_its_interval():
    drowned = Metrics(3.0, intervals={"auc": (0.2, 1.0)}, population={"auc": (0.1, 1.0)})
    told = scores(drowned, Goal(column="y", side="binary"))
    assert (told["auc"], told["auc_low"], told["auc_high"], told["auc_population"]) == (None, 0.2, 1.0, [0.1, 1.0])
    told = scores(Metrics(3.0, r2=0.1, intervals={"r2": (-np.inf, 0.8)}), Goal(column="y", side="number"))
    assert (told["r2_low"], told["r2_high"]) == (None, 0.8)
    json.dumps(told, allow_nan=False)


def test_a_notebook_and_a_report_show_the_intervals(trained, counted):
    report = (trained.folder / "report.html").read_text(encoding="utf-8")
    assert "on these very rows, from the noise alone" in report
    assert "in the number of rows (95" in report
    shown = trained._repr_html_()
    assert "on these very rows, from the noise alone" in shown
    assert "from noise and the choice of rows" in shown
    shown = counted._repr_html_()
    assert "all_rows" in shown
    assert " to " in shown


def test_a_terminal_shows_rows_as_whole_numbers(trained, capsys):
    show_run(Terminal(), trained)
    (line,) = [line for line in capsys.readouterr().out.splitlines() if line.startswith("│ rows")]
    metrics = trained.document["metrics"]["federated"]
    value, low, high = (f"{metrics[name]:.0f}" for name in ("rows", "rows_low", "rows_high"))
    assert [cell.strip() for cell in line.split("│")[1:-1]] == ["rows", value, f"{low} to {high}", ""]


def test_a_terminal_shows_the_interval_of_every_count(trained, capsys):
    """Among them those below 0, which without it read like a fault."""
    show_run(Terminal(), trained)
    said = capsys.readouterr().out
    table = trained.document["metrics"]["federated"]["confusion"]
    for row, low, high in zip(table["counts"], table["low"], table["high"], strict=True):
        for one in zip(row, low, high, strict=True):
            assert "{:.0f} ({:.0f} to {:.0f})".format(*one) in said


def test_a_report_says_that_noise_leaves_no_value_to_say():
    drowned = Score(label="federated", metric="auc", value=None, low=0.91, high=1.0, noised=True)
    assert _result((drowned,), "held-out rows") == ("On the held-out rows of all sites its AUC is too noisy to say.")
    assert lines(drowned) == [
        ("AUC, federated", "too noisy to say", "0.910 to 1.000 on these very rows, from the noise alone")
    ]


def test_a_page_says_why_a_metric_has_no_value(trained, tmp_path):
    folder = tmp_path / "drowned"
    shutil.copytree(trained.folder, folder)
    document = json.loads((folder / "run.json").read_text())
    assert "gives no value that can be" not in render(folder)
    document["metrics"]["federated"]["auc"] = None
    (folder / "run.json").write_text(json.dumps(document))
    assert render(folder).count("gives no value that can be") == 1


def test_check_forecasts_before_anything_is_spent(folder):
    made = plan(folder, files=False)
    before = {path.name for path in folder.iterdir()}
    verdict = potluck.check(made)
    assert {path.name for path in folder.iterdir()} == before
    ahead = verdict.document()["forecast"]
    assert ahead["rows"] == 240
    assert 0.1 < ahead["auc"] < 0.2
    assert ahead["auc_population"] > ahead["auc"]
    assert "at epsilon 1 with about 240 held-out rows AUC +- 0." in verdict.outlook
    assert "several times worse where values fill a small part of their ranges" in verdict.outlook
    (line,) = [line for line in verdict.warnings if "says nothing of a model" in line]
    assert "the AUC will be known to about +- 0." in line
    (epsilon,) = re.findall(r"hint: privacy.epsilon = ([0-9.]+)", line)
    assert float(epsilon) > 1
    after = potluck.check(made.set("privacy.epsilon", float(epsilon)))
    assert not any("says nothing of a model" in line for line in after.warnings)
    better = potluck.check(plan(folder, files=False, privacy__epsilon=5.0))
    assert not [line for line in better.warnings if "says nothing of a model" in line]
    assert potluck.check(plan(folder, privacy={"noise": "none"})).forecast is None


def test_a_run_has_about_the_width_that_was_forecast(trained, folder):
    ahead = potluck.check(plan(folder, privacy__epsilon=3.0)).document()["forecast"]
    found = trained.document["metrics"]["federated"]
    for name in ("auc", "accuracy"):
        assert (found[f"{name}_high"] - found[f"{name}_low"]) / 2 == pytest.approx(ahead[name], rel=0.5)


def test_statistics_are_forecast_as_runs_have_them(counted, folder):
    verdict = potluck.check(plan(folder, "statistics", privacy__epsilon=2.0))
    ahead, found = verdict.document()["forecast"], counted.document["results"]
    assert ahead["rows"] == 800
    assert "mg" in verdict.outlook
    for name in ("all_rows", "level", "spread"):
        assert (found[name]["high"] - found[name]["low"]) / 2 == pytest.approx(ahead[name], rel=0.2)
    assert (found["shape"]["high"][0] - found["shape"]["low"][0]) / 2 == pytest.approx(ahead["shape"])
    assert (found["table"]["high"][0][0] - found["table"]["low"][0][0]) / 2 == pytest.approx(ahead["table"])


def test_statistics_of_persons_with_two_rows_each_are_forecast_as_runs_have_them(folder, tmp_path):
    """The newcomer's case: of two rows of a person one counts, and the mean is known half as well as all would tell."""
    for site in SITES:
        pd.read_csv(folder / f"{site}.csv").assign(who=[row // 2 for row in range(200)]).to_csv(
            tmp_path / f"{site}.csv", index=False
        )
    persons = {"noise": "shared", "unit": "person", "epsilon": 4.0, "delta": 1e-5, "rows_per_person": 1}
    made = plan(tmp_path, "statistics", privacy=persons, data__person="who")
    verdict, run = potluck.check(made), potluck.run(made, out=tmp_path / "run")
    ahead, found = verdict.document()["forecast"], run.document["results"]
    assert ahead["rows"] == 400
    for name in ("all_rows", "level", "spread"):
        assert (found[name]["high"] - found[name]["low"]) / 2 == pytest.approx(ahead[name], rel=0.2)
    line = "100 of 200 rows are left out: beyond the first row of a person (privacy.rows_per_person)"
    assert verdict.row_warnings() == run.row_warnings() == [f"{site}: {line}" for site in SITES]
    for path in (tmp_path / "run").rglob("*"):
        assert path.is_dir() or b"beyond the first" not in path.read_bytes()  # told, and never released


def test_without_rows_at_hand_a_mean_is_forecast_by_the_row(folder):
    verdict = potluck.check(plan(folder, "statistics", files=False))
    ahead = verdict.document()["forecast"]
    assert ahead["rows"] is None
    assert ahead["level"] is None
    assert ahead["all_rows"] > 0
    assert "/ rows mg" in verdict.outlook


def test_a_regressions_r2_is_forecast(folder):
    made = plan(folder, privacy__epsilon=5.0)
    made = made.set("data.columns.z", {"kind": "number", "low": -10, "high": 10})
    made = made.set("data.target", {"column": "z"}).set("model.kind", "linear").set("training.expected_rows", 4000)
    made = made.set("data.files", {})
    ahead = potluck.check(made).document()["forecast"]
    assert 0 < ahead["r2"] < 1
    assert 0 < ahead["rmse"] < 20


def test_a_run_whose_rate_leads_away_says_so(tmp_path):
    """With noise nothing else shows it: `check` warns, and so does the run, whose r2 is below that of the mean."""
    x = np.random.default_rng(5).uniform(0, 9, (300, 6))
    frame = pd.DataFrame(x, columns=list("abcdef")).assign(y=x[:, 0])
    columns = {name: {"kind": "number", "low": 0, "high": 9} for name in "abcdefy"}
    made = potluck.Plan(
        name="far", purpose="test", task="train", federation={"sites": ["p", "q"]},
        data={"columns": columns, "target": {"column": "y"}, "split": {"test": 0.3}}, protect={"with": "mask"},
        model={"kind": "linear"}, training={"method": "gradient", "expected_rows": 420, "rate": 3.0},
        privacy={"noise": "site", "unit": "row", "epsilon": 8.0, "delta": 1e-5, "clip": 1.0},
    )  # fmt: skip
    done = potluck.run(made, data={"p": frame, "q": frame}, out=tmp_path / "run")
    assert any(line.startswith("training.rate: 3 may diverge") for line in done.warnings)
    assert any("worse than the mean of the target" in line for line in done.warnings)
