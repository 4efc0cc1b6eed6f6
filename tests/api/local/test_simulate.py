"""`potluck.simulate`: what it leaves cannot be taken for a run, and what cannot be simulated is refused."""

import csv
import json
import re
from importlib.util import find_spec

import numpy as np
import pandas as pd
import pytest

import potluck
from potluck.api.local.demo import demo_plan
from potluck.api.local.score import score
from potluck.api.plan.plan import Plan
from potluck.api.results.outcome import Run, summary, write_report
from potluck.core.errors import DataError, UsageError
from potluck.core.prose import number
from potluck.learning.models.model import Model
from potluck.report.simulated import render

AVERAGE = 'training={method="average",rounds=3,steps=3,batch=16}'
GRADIENT = 'training={method="gradient",rounds=3}'
EXACT = 'privacy={noise="none"}'


def simulated(folder, *settings, **asked):
    return potluck.simulate(demo_plan((EXACT, *settings)), out=folder / "out", **asked)


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    return simulated(tmp_path_factory.mktemp("made"), GRADIENT, sites=40, cohort=10, split="dirichlet:0.5", processes=2)


def test_everything_that_it_leaves_says_what_it_is(done):
    assert done.document["simulated"] is True
    assert "simulated" in done.document["stamp"]
    assert list(done.document["metrics"]) == ["simulated"]
    names = {path.name for path in done.folder.iterdir()}
    assert names == {
        "plan.toml", "simulation.json", "simulated-model.json", "simulated-rounds.csv", "simulated-report.html"
    }  # fmt: skip
    assert json.loads((done.folder / "simulated-model.json").read_text())["format"] == "potluck simulated model 1"
    page = (done.folder / "simulated-report.html").read_text()
    assert "<title>Simulated:" in page
    assert "Simulated, not private." in page
    assert page == render(done.folder)


def test_the_page_draws_what_is_bought_at_which_epsilon(tmp_path):
    noise = 'privacy={noise="shared",unit="row",epsilon=2.0,delta=1e-5,clip=4.0}'
    training = 'training={method="gradient",rounds=3,expected_rows=200}'
    folder = simulated(tmp_path, noise, training, sites=3, every=1, processes=1).folder
    rounds = json.loads((folder / "simulation.json").read_text())["rounds"]
    page = (folder / "simulated-report.html").read_text()
    (drawn,) = re.findall(r"<desc[^>]*>([^<]* after epsilon [^<]*)</desc>", page)
    for one in (rounds[0], rounds[-1]):
        assert f"{number(one['auc'])} after epsilon {number(one['epsilon'])}" in drawn


def test_no_verb_that_reads_runs_takes_it_for_one(done, tmp_path):
    with pytest.raises(UsageError, match="is no run"):
        Run.read(done.folder)
    with pytest.raises(UsageError):
        write_report(done.folder, tmp_path / "page.html")
    model = done.folder / "simulated-model.json"
    for read in (Model.read, summary, lambda path: potluck.export(path, tmp_path / "m.onnx", to="onnx")):
        with pytest.raises(UsageError, match="is of a simulation"):
            read(model)
    plan = demo_plan(('privacy={noise="none"}',)).tables
    with pytest.raises(UsageError, match="is of a simulation"):
        Plan(**dict(plan) | {"model": {"kind": "logistic", "start": str(model)}})


def test_score_of_the_folder_names_the_file_in_it(done, tmp_path):
    (tmp_path / "rows.csv").write_text("age\n50\n")
    with pytest.raises(UsageError, match=r"is the folder of a simulation.*simulated-model\.json"):
        score(done.folder, tmp_path / "rows.csv", None)
    with pytest.raises(UsageError, match="no such model file"):
        score(tmp_path, tmp_path / "rows.csv", None)


@pytest.mark.torch
@pytest.mark.skipif(find_spec("torch") is None, reason="the networks extra is missing")
def test_without_a_graphics_card_the_flag_is_refused_by_its_name(tmp_path, monkeypatch):
    from support.graph import trained

    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    plan = trained.plan(trained.made(trained.mlp(), tmp_path / "net.graph"))
    with pytest.raises(UsageError, match="--gpu: torch finds no graphics card here"):
        potluck.simulate(plan, trained.frames(), sites=10, gpu=True, out=tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
@pytest.mark.parametrize("how", ["standardize=true", "batch=16"])
def test_a_few_sites_have_all_of_the_noise_that_a_small_epsilon_asks_for(how, tmp_path):
    noise = 'privacy={noise="shared",unit="row",epsilon=0.02,delta=1e-7,clip=10.0}'
    training = f'training={{method="gradient",rounds=2,expected_rows=200,{how}}}'
    found = potluck.simulate(demo_plan((noise, training)), out=tmp_path / "out", sites=3, processes=1)
    assert found.document["privacy"]["epsilon"] <= 0.02


def test_the_mark_is_part_of_the_models_digest(done, tmp_path):
    held = done.model
    assert held.simulated
    plain = Model(held.kind, held.encoding, held.target, held.weights)
    assert plain.digest() != held.digest()
    plain.write(tmp_path / "plain.json")
    assert not Model.read(tmp_path / "plain.json").simulated


def test_the_csv_has_a_line_a_round(done):
    with (done.folder / "simulated-rounds.csv").open(encoding="utf-8") as file:
        lines = list(csv.DictReader(file))
    assert [line["round"] for line in lines] == ["1", "2", "3"]
    assert {line["clients"] for line in lines} == {"10"}
    length = len(done.model.weights)
    assert {int(line["bytes_down"]) for line in lines} == {10 * 8 * length}
    assert {int(line["bytes_up"]) for line in lines} == {10 * 8 * (length + 2)}
    assert all(0 < float(line["loss"]) < 1 and 0.4 < float(line["auc"]) <= 1 for line in lines)
    assert "epsilon" not in lines[0]


def test_a_column_splits_naturally_and_a_value_at_two_sites_is_one_client(tmp_path):
    frames = {
        name: pd.DataFrame({"x": np.arange(8.0) / 8, "y": list("01" * 4), "who": list(people)})
        for name, people in {"a": "pqrpqrpq", "b": "rrssrrss"}.items()
    }
    plan = Plan(
        name="phones", purpose="test", task="train", federation={"sites": ["a", "b"], "server": "curious"},
        data={
            "columns": {"x": {"kind": "number", "low": 0, "high": 1}, "y": {"kind": "category", "values": ["0", "1"]}},
            "target": {"column": "y", "positive": ["1"]}, "split": {"test": 0.01},
        },
        model={"kind": "logistic"}, training={"method": "gradient", "rounds": 2}, protect={"with": "clear"},
        privacy={"noise": "none"},
    )  # fmt: skip
    found = potluck.simulate(plan, frames, split="natural:who", out=tmp_path / "out", processes=1)
    assert found.document["sites"] == 4
    with pytest.raises(DataError, match="there is no column 'nobody'"):
        potluck.simulate(plan, frames, split="natural:nobody", out=tmp_path / "other")
    assert not (tmp_path / "other").exists()


@pytest.mark.parametrize(
    ("settings", "asked", "said"),
    [
        pytest.param((), {"sites": 5000}, "5000 clients and", marks=pytest.mark.slow),
        ((), {"sites": 10, "cohort": 11}, "a cohort of 11 of 10 sites"),
        pytest.param((), {"sites": 10, "split": "dirichlet:0"}, "takes a number above 0", marks=pytest.mark.slow),
        ((), {"sites": 10, "memory": "1k"}, "1,024 is the bound"),
        pytest.param((), {"sites": 10, "noise_cohort": 3}, "below the cohort", marks=pytest.mark.slow),
        ((), {"sites": 10, "gpu": True}, "a graphics card trains graphs alone"),
        pytest.param(
            ('training.local="scaffold"',),
            {"sites": 10, "cohort": 5},
            "keep something from round to round",
            marks=pytest.mark.slow,
        ),
        pytest.param(
            ('training.local="scaffold"',), {"sites": 10, "processes": 2}, "held by one process", marks=pytest.mark.slow
        ),
        pytest.param(
            ('training.aggregation="median"', 'protect.with="tee"'), {"sites": 10}, "is no sum", marks=pytest.mark.slow
        ),
    ],
)
def test_what_cannot_be_simulated_is_refused_and_leaves_nothing(settings, asked, said, tmp_path):
    with pytest.raises(UsageError, match=said):
        simulated(tmp_path, AVERAGE, *settings, **asked)
    assert not (tmp_path / "out").exists()


def test_a_plan_that_trains_nothing_is_refused(tmp_path):
    plan = Plan(
        name="count", purpose="test", task="statistics", federation={"sites": ["a", "b", "c"]},
        data={"columns": {"x": {"kind": "number", "low": 0, "high": 1}}},
        statistics=[{"name": "n", "kind": "count"}], protect={"with": "mask"}, privacy={"noise": "none"},
    )  # fmt: skip
    with pytest.raises(UsageError, match="trains nothing over rounds"):
        potluck.simulate(plan, sites=10, out=tmp_path / "out")
