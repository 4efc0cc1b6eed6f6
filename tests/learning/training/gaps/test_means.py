"""Gaps that are filled with means: scikit-learn's imputer on the pooled training rows, and rows filled by hand."""

import json
import re

import numpy as np
import pandas as pd
import pytest
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression

import potluck
from potluck.core.asks import Kind
from potluck.core.errors import UsageError
from potluck.core.rounds import Abort, Cause
from potluck.learning.data.encode import UNKNOWN, encoding
from potluck.learning.data.table import read
from potluck.learning.loops import TrainTask, build
from potluck.learning.models.exports.onnx_file import onnx_file
from potluck.learning.models.model import Model as Trained
from potluck.learning.training.gaps import means
from potluck.secret.random import system
from support.learning import sums
from support.onnx import running

SITES = ("a", "b", "c")
NOISE = {"noise": "site", "unit": "row", "epsilon": 5.0, "delta": 1e-5, "clip": 1.0}


def plan(method="newton", word="clear", missing="mean", privacy=None, more=None, **training):
    number = {"kind": "number", "low": -3, "high": 5}
    columns = {"x": number | {"missing": missing}, "z": number | {"missing": missing}, "w": number}
    columns["c"] = {"kind": "category", "values": ["p", "q"]}
    tables = {
        "name": "gaps", "purpose": "a test", "task": "train", "federation": {"sites": list(SITES), "server": "curious"},
        "data": {"columns": columns, "target": {"column": "y", "positive": ["1"], "negative": ["0"]}, "person": "who",
                 "split": {"column": "part"}, "max_rows": 500},
        "model": {"kind": "logistic"}, "protect": {"with": word}, "privacy": privacy or {"noise": "none"},
        "training": {"method": method, "rounds": 12} | training,
    }  # fmt: skip
    for key, value in (more or {}).items():
        at, _, name = key.partition(".")
        tables[at] = tables.get(at, {}) | {name: value} if name else value
    if tables["data"]["split"] is None:
        del tables["data"]["split"]
    return potluck.Plan(**tables)


def drawn(seed=0, rows=120):
    """A frame a site; some numbers are not there, more often where they are large."""
    found = {}
    for place, site in enumerate(SITES):
        rng = np.random.default_rng((seed, place))
        x, z, w = rng.normal(1 + place, 1.5, rows), rng.normal(0, 1, rows), rng.uniform(-3, 5, rows)
        y = (0.8 * x - z + 0.2 * w + rng.logistic(size=rows) > 1).astype(int)
        frame = pd.DataFrame({"x": x, "z": z, "w": w, "c": rng.choice(["p", "q"], rows), "y": y.astype(str)})
        held = np.arange(rows) % 4 == 0
        frame["who"], frame["part"] = rng.integers(0, 50, rows) + 50 * held, np.where(held, "test", "train")
        frame.loc[rng.random(rows) < 0.2 + 0.2 * (x > 2), "x"] = np.nan
        frame.loc[rng.random(rows) < 0.1, "z"] = np.nan
        found[site] = frame
    return found


def tables(spec, rows):
    return {site: read(frame, spec, site) for site, frame in rows.items()}


def fitted(one, rows):
    return sums.run(TrainTask(one.spec, evaluated=False), tables(one.spec, rows), grid=True).model


def true_means(rows):
    """By pandas, of training rows alone, each within its declared range."""
    whole = pd.concat(rows.values())
    return whole[whole["part"] == "train"][["x", "z"]].clip(-3, 5).mean()


def test_the_model_is_that_of_scikit_learns_imputer_and_the_pooled_rows():
    one, rows = plan(), drawn()
    each = tables(one.spec, rows)
    x = np.vstack([table.features[table.train] for table in each.values()])
    y = np.concatenate([table.target[table.train] for table in each.values()])
    assert np.isnan(x).sum() > 40
    fit = LogisticRegression(solver="newton-cholesky", tol=1e-13, max_iter=1000)
    fit.fit(SimpleImputer().fit_transform(x), y)
    model = fitted(one, rows)
    assert list(model.encoding.fills.values()) == pytest.approx(true_means(rows).tolist(), abs=1e-9)
    assert np.abs(model.weights - np.concatenate([fit.intercept_, fit.coef_[0]])).max() < 1e-9


@pytest.mark.parametrize(
    ("method", "more"),
    [
        ("newton", {}),
        ("gradient", {}),
        ("gradient", {"training.optimizer": "adam"}),
        ("average", {"training.batch": 500}),
        pytest.param("gradient", {"model": {"kind": "network", "layers": [4]}}, marks=pytest.mark.torch),
    ],
)
def test_training_goes_on_as_with_rows_that_were_filled_by_hand(method, more):
    """One round less, since the first found the means."""
    rows, told = drawn(1), true_means(drawn(1))
    by_hand = {site: frame.fillna({"x": told["x"], "z": told["z"]}) for site, frame in rows.items()}
    found = fitted(plan(method, more=more, rounds=4), rows)
    wanted = fitted(plan(method, missing="refuse", more=more, rounds=3), by_hand)
    assert np.abs(found.weights).max() > 0.03
    assert np.abs(found.weights - wanted.weights).max() < 1e-8
    assert np.abs(found.predict_proba(rows["a"]) - wanted.predict_proba(by_hand["a"])).max() < 1e-8


def test_rows_that_are_held_out_are_in_no_mean():
    rows, other = drawn(2), drawn(2)
    for frame in other.values():
        frame.loc[frame["part"] == "test", ["x", "z"]] = 4.5
    assert fitted(plan(), rows).digest() == fitted(plan(), other).digest()
    for frame in other.values():
        frame["part"] = "train"
    assert fitted(plan(), other).encoding.fills["x"] > fitted(plan(), rows).encoding.fills["x"] + 0.3  # the control


def test_no_fold_is_in_the_mean_by_which_it_is_judged():
    one = plan(more={"evaluate": {"folds": 3}})
    task, table = build(one.spec), tables(one.spec, drawn(3))["a"]
    first = next(task.lead())
    for fold in (1, 2, 3):
        ask = task.ask(Kind.TRAIN, 12 * fold, bytes(first.state))
        values = np.vstack([given.values for given in task.contribute(ask, table, system)])
        rest = (table.folds != fold) & (table.folds > 0)
        assert values[:, :2].sum(axis=0).tolist() == (~np.isnan(table.features[rest][:, :2])).sum(axis=0).tolist()


@pytest.mark.parametrize("unit", ["row", "person", "site"])
def test_what_a_unit_adds_to_means_is_bounded_whatever_its_rows(unit):
    one = plan("gradient", privacy=NOISE | {"unit": unit}, expected_rows=200)
    task, table = build(one.spec), tables(one.spec, drawn(4))["b"]
    ask = next(task.lead())
    assert [(block.name, block.size, block.l2) for block in ask.blocks] == [("means", 4, 2.0)]
    values = np.vstack([given.values for given in task.contribute(ask, table, system)])
    train = table.features[table.train][:, :2]
    assert np.allclose(values.sum(axis=0), [*(~np.isnan(train)).sum(axis=0), *np.nansum(train, axis=0)])
    people = {"row": table.train.sum(), "person": len(np.unique(table.person[table.train])), "site": 1}
    assert len(values) == people[unit]
    assert potluck.check(one).epsilon == dict.fromkeys(SITES, 5.0)


class Opened:
    """The sum of two columns, as it was opened."""

    def __init__(self, counts, totals, std):
        self.values, self.std = np.array([*counts, *totals], float), np.full(4, std)

    def part(self, name):
        assert name == means.MEANS
        return self


def test_where_noise_is_all_there_is_gaps_are_filled_with_the_middle():
    spec = plan("gradient", privacy=NOISE, expected_rows=200).spec
    assert means.found(spec, Opened([200, 100], [50, -100], 0.0)).tolist() == [0.25, -1.0]
    assert means.found(spec, Opened([-30, 0], [40, -300], 1e6)) == pytest.approx([0, 0], abs=1e-3)
    assert means.found(spec, Opened([1, 1], [900, -900], 0.01)).tolist() == [1.0, -1.0]
    assert means.found(spec, Opened([0, 4], [0, 1], 0.0)).tolist() == [0.0, 0.25]


def test_noise_moves_a_mean_no_farther_than_it_is_known():
    """Of 319 rows far from the middle, beside noise of 44: shrunk by a 53rd, where noise of one kind is an eighth."""
    spec = plan("gradient", privacy=NOISE, expected_rows=200).spec
    near, far = means.found(spec, Opened([319, 319], [319 * 0.1, 319 * -0.9], 44.0))
    assert (near, far) == pytest.approx((0.1 / (1 + (44 / 319) ** 2), -0.9 / (1 + (44 / 319) ** 2)))
    true = np.array([0.1, -0.9])
    noise = np.random.default_rng(0).normal(0, 44, (2000, 4))
    opened = [Opened(319 + row[:2], 319 * true + row[2:], 44.0) for row in noise]
    off = np.abs([means.found(spec, one) for one in opened] - true)
    assert (np.sqrt((off**2).mean(axis=0)) < 0.16).all()
    said = [means.minded(spec, one) for one in opened]
    assert all(len(both) == 2 and "noise leaves known to +- " in both[0] for both in said)
    wide = np.array([float(re.search(r"[+]- ([0-9.]+)", near)[1]) for near, _ in said]) / 4  # x is on [-3, 5]
    assert 0.92 < (off[:, 0] < wide).mean() < 0.99
    assert means.minded(spec, Opened([10, 10], [1, 1], 44.0))[0].startswith(
        "noise leaves nothing of the mean of column"
    )
    assert means.minded(spec, Opened([319, 319], [3, 3], 1.0)) == ()


@pytest.mark.parametrize("fill", [1.5, -7.0, UNKNOWN + 1e-9])
def test_a_server_cannot_announce_what_is_no_mean(fill):
    one = plan()
    task, table = build(one.spec), tables(one.spec, drawn())["a"]
    state = np.array([*np.zeros(6), 0.1, fill])
    with pytest.raises(Abort) as caught:
        list(task.contribute(task.ask(Kind.TRAIN, 1, state.tobytes()), table, system))
    assert caught.value.cause is Cause.TERMS


def test_nobody_can_take_a_gap_for_a_value(monkeypatch):
    """Rows that nobody filled stop the site: they are no numbers."""
    one = plan()
    task, table = build(one.spec), tables(one.spec, drawn())["a"]
    monkeypatch.setattr(means, "whole", lambda plan, rows, known: rows)
    ask = task.ask(Kind.TRAIN, 1, np.zeros(8).tobytes())
    (given,) = task.contribute(ask, table, system)
    with pytest.raises(Abort) as caught:
        sums.summed(given, ask)
    assert caught.value.cause is Cause.RANGE


@pytest.fixture(scope="module")
def model():
    return fitted(plan(), drawn())


def test_the_file_says_what_fills_new_rows(model, tmp_path):
    path, rows = tmp_path / "model.json", drawn(9)["a"]
    model.write(path)
    again = Trained.read(path)
    assert again.digest() == model.digest()
    scores = again.predict_proba(rows)
    assert not np.isnan(scores).any()
    by_hand = rows.fillna({"x": model.encoding.fills["x"], "z": model.encoding.fills["z"]})
    assert np.abs(scores - model.predict_proba(by_hand)).max() < 1e-12


@pytest.mark.parametrize(
    "change",
    [
        lambda fields: fields[0].pop("fill"),
        lambda fields: fields[0].update(fill=1.1),
        lambda fields: fields[2].update(fill=0.1),
        lambda fields: fields[3].update(fill=0.1, missing="mean"),
        lambda fields: fields[0].update(fill="0"),
    ],
)
def test_a_file_that_does_not_say_what_fills_its_gaps_is_refused(model, tmp_path, change):
    path = tmp_path / "model.json"
    model.write(path)
    document = json.loads(path.read_text())
    change(document["encoding"]["fields"])
    path.write_text(json.dumps(document))
    with pytest.raises(UsageError, match=r"is a broken model file|is no model file"):
        Trained.read(path)


def test_other_programs_fill_alike(model):
    rows = drawn(11)["b"]
    rows = rows.drop(columns=["y", "who", "part"])
    wanted = model.predict_proba(rows)
    assert np.abs(model.to_sklearn().predict_proba(rows) - wanted).max() < 1e-12
    given = {name: rows[name].to_numpy(np.float64 if name != "c" else object) for name in rows}
    (scores,) = running.run(onnx_file(model, raw=True), given)
    assert np.abs(scores[:, -1] - wanted[:, 1]).max() < 1e-6


def test_finished_models_fill_the_rows_of_those_who_judge_them(tmp_path):
    rows = drawn(5)
    trained = potluck.run(plan(), data=rows, out=tmp_path / "one")
    judged = potluck.Plan(
        name="judge", purpose="a test", task="evaluate", federation={"sites": list(SITES)},
        model={"file": str(trained.folder / "model.json")}, protect={"with": "clear"}, privacy={"noise": "none"},
    )  # fmt: skip
    found = potluck.run(judged, data=rows, out=tmp_path / "two").metrics["federated"]
    whole = pd.concat(rows.values())
    right = (trained.model.predict(whole) == whole["y"].astype(int)).mean()
    assert found["accuracy"] == pytest.approx(right, abs=1e-9)
    assert "as if it had been measured: x (" in str(trained.model.summary())
    assert json.loads((tmp_path / "one" / "run.json").read_text())["model"]["fills"] == trained.model.encoding.fills


@pytest.mark.parametrize(
    "word", ["mask", *(pytest.param(one, marks=pytest.mark.slow) for one in ("he", "share", "tee"))]
)
def test_the_model_is_the_same_under_every_protection(word, tmp_path):
    rows = drawn(6)
    one, two = (potluck.run(plan(word=way, rounds=3), data=rows, out=tmp_path / way) for way in (word, "clear"))
    assert one.model.digest() == two.model.digest()
    assert one.metrics == two.metrics


NOISED = {
    "privacy": {"noise": "shared", "unit": "row", "epsilon": 1.0, "delta": 1e-5, "clip": 1.0},
    "training.method": "gradient",
    "training.expected_rows": 60,
}
REFUSED = [
    ({"training.method": "boosting", "model": {"kind": "trees"}}, "learn what they say of a row without a value"),
    ({"training.rounds": 1}, "no other is left to train in"),
    ({"training.rounds": 2, "training.standardize": True, **NOISED}, "find the means and the units"),
    ({"training.local": "scaffold", "training.method": "average", "training.steps": 3}, "keep something"),
    ({"training.vote": {"tolerance": 0.1}, "data.split": {"test": 0.2, "validation": 0.2}}, "sites vote on models"),
    ({"data.columns": {"x": {"kind": "category", "values": ["a"], "missing": "mean"}}}, "a mean is of numbers"),
    ({"task": "statistics", "statistics": [{"name": "n", "kind": "count"}], "model": None}, "to train a model with"),
]


def counted(statistics):
    number = {"kind": "number", "low": 0, "high": 1, "missing": "mean"}
    return potluck.Plan(
        name="counted", purpose="a test", task="statistics", federation={"sites": list(SITES)}, statistics=statistics,
        data={"columns": {"x": number}}, protect={"with": "clear"}, privacy={"noise": "none"},
    )  # fmt: skip


@pytest.mark.parametrize(("more", "words"), REFUSED)
def test_where_nothing_can_be_filled_check_says_so(more, words):
    one = counted(more["statistics"]) if more.get("task") else plan(more=more)
    assert any(words in line for line in potluck.check(one).errors), potluck.check(one).errors


def test_check_says_what_the_means_cost():
    (said,) = potluck.check(plan("gradient", privacy=NOISE, expected_rows=200)).about
    assert said == (
        "gaps in x, z are filled with the mean over all training rows, which round 1 of 12 opens with as much noise, "
        "for as much of epsilon, as any other round"
    )
    assert len(encoding(plan().spec).averaged) == 2


@pytest.mark.slow
def test_check_says_what_means_over_drawn_rows_cost():
    some = plan("gradient", "mask", privacy=NOISE | {"noise": "shared"}, expected_rows=200, batch=100)
    assert "the mean over the training rows that it draws, which round 1 of 12 opens" in potluck.check(some).about[0]


@pytest.mark.slow
def test_attacks_know_rows_as_sums_have_them(tmp_path):
    """A site's share of positive rows, and a row with a value of its own, whose gap was filled."""
    rows = drawn(7, rows=40)
    for frame in rows.values():
        frame["c"] = "p"
    rows["b"].loc[5, ["c", "x"]] = ["q", np.nan]
    one = plan(rounds=4, more={"data.split": None})
    folder = potluck.run(one, data=rows, out=tmp_path / "run", record=True).folder
    found = {(each.name, each.of): each for each in potluck.attack(folder, "server", data=rows).results}
    assert found["gram", ("b",)].verdict.succeeded
    assert found["rates", ("b",)].verdict.succeeded
