"""Runs that look at validation rows: the same looks, end and model under every protection, and what is told of them."""

import msgspec
import numpy as np
import pandas as pd
import pytest

import potluck
from potluck.api.results.outcome import Run
from potluck.learning.data.tally import rests_on
from support.docs.keys import keys, section

SITES = ("a", "b", "c", "d")


def frame(site: str) -> pd.DataFrame:
    rng = np.random.default_rng(SITES.index(site))
    x, z = rng.uniform(-1, 1, (2, 120))
    return pd.DataFrame({"x": x, "z": z, "y": (x - z + rng.logistic(size=120) / 2 > 0).astype(int)})


DATA = {site: frame(site) for site in SITES}


def plan(word: str = "clear", **training: object) -> potluck.Plan:
    number = {"kind": "number", "low": -1, "high": 1}
    return potluck.Plan(
        name="looks",
        purpose="test",
        task="train",
        federation={"sites": list(SITES), "server": "curious", "corrupt": 1},
        data={
            "columns": {"x": number, "z": number},
            "target": {"column": "y", "positive": ["1"]},
            "split": {"test": 0.2, "validation": 0.2},
        },
        model={"kind": "logistic"},
        training={"method": "gradient", "rounds": 8, "rate": 40.0, "stop": {"metric": "loss", "patience": 2}}
        | training,
        protect={"with": word},
        privacy={"noise": "none"},
    )


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """By protection, made when first asked for."""
    known: dict[str, Run] = {}

    def made(word: str) -> Run:
        if word not in known:
            known[word] = potluck.run(plan(word), data=DATA, out=tmp_path_factory.mktemp("looks") / word)
        return known[word]

    return made


@pytest.mark.parametrize(
    "word", ["mask", *(pytest.param(word, marks=pytest.mark.slow) for word in ("he", "share", "tee"))]
)
def test_every_protection_gives_the_same_looks_end_and_model(runs, word):
    found, clear = runs(word).document, runs("clear").document
    assert found["history"] == clear["history"]
    assert found["model"]["digest"] == clear["model"]["digest"]
    assert found["model"]["round"] == clear["model"]["round"]
    assert len(clear["rounds"]) == len(clear["history"]) < 8


def test_the_model_is_that_of_the_best_look(runs):
    document = runs("clear").document
    losses = [one["loss"] for one in document["history"]]
    assert document["model"]["round"] == losses.index(min(losses)) + 1 < len(losses)
    shorter = potluck.run(plan(rounds=document["model"]["round"]), data=DATA)
    assert shorter.document["model"]["digest"] == document["model"]["digest"]


@pytest.mark.slow
def test_what_others_could_have_had_is_fitted_to_convergence(tmp_path):
    """A site alone, and all rows in one place, by Newton's method: no look ends that."""
    plain = plan().set("training", {"method": "gradient", "rounds": 8})
    found = [potluck.run(one, data=DATA, compare=True, out=tmp_path / str(n)) for n, one in enumerate((plan(), plain))]
    assert found[0].metrics["pooled"] == found[1].metrics["pooled"]
    assert found[0].metrics["alone"] == found[1].metrics["alone"]
    assert all(found[0].metrics["alone"].values())


def test_every_key_is_documented(runs):
    found = keys(msgspec.to_builtins(runs("clear").document), frozenset(SITES))
    assert found >= {"history", "round", "loss"}
    assert found <= section("run, demo, up, server run")
    verdict = potluck.check(plan())
    assert verdict.document()["looks"] == 8
    assert "looks" in section("check")


def test_the_report_shows_a_curve_by_metric_and_the_round_that_is_kept(runs):
    run = runs("clear")
    page = run.report(run.folder / "again.html").read_text(encoding="utf-8")
    for name in ("loss", "auc", "accuracy"):
        assert f'id="curve-{name}"' in page
    assert f"after round {run.document['model']['round']}" in page
    assert 'id="curve-rmse"' not in page


def test_views_and_owners_are_told():
    told = [view["note"] for view in potluck.explain(plan()).rows() if view["of"] == "the sum"]
    assert any("validation rows' summed loss" in note for note in told)
    without = plan()
    del without.tables["training"]["stop"]
    without = without.set("training.rounds", 8)
    assert not any("validation" in view["note"] for view in potluck.explain(without).rows())


def test_rows_to_learn_from_are_those_that_train():
    spec = plan().spec
    from potluck.learning.data.table import read

    table = read(DATA["a"], spec, "a")
    assert rests_on(spec, table.tally) == table.train.sum() < 120 - table.test.sum()
