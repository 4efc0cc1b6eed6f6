"""Logistic regression of several classes against scikit-learn, a plain loop, and what must hold of two classes."""

import json
import warnings

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression

import potluck
from potluck.core.errors import UsageError
from potluck.core.plan import Model, Target, Training
from potluck.learning.data.target import goal_of, softmax
from potluck.learning.loops import TrainTask, build
from potluck.learning.models.exports.onnx_file import onnx_file
from potluck.learning.models.form import Batch
from potluck.learning.models.forms import form_of
from potluck.learning.models.kinds.logistic import shares
from potluck.learning.models.model import Model as Trained
from potluck.learning.models.scoring import net
from potluck.learning.training.units import Units
from support.learning.laid_out import laid_out
from support.learning.sums import frames, heart, hospitals, make, number, replaced, run
from support.learning.tiny import noised, pooled
from support.onnx import running

STAGES = ("0", "1", "2", "3", "4")
NAMES = ("lo", "mid", "hi")


def staged(l2=1.0, **training):
    """The heart plan, which tells the five stages apart."""
    base = heart()
    data = replaced(base.data, target=Target(column="num", classes=STAGES))
    spec = Training(**({"method": "newton", "rounds": 25} | training))
    return replaced(base, data=data, model=Model(kind="logistic", l2=l2), training=spec)


def two_numbers(target, l2=1.0, **training):
    data = replaced(make().data, columns={"x": number(-1, 1), "z": number(-1, 1)}, target=target, split=None)
    spec = Training(**({"method": "newton", "rounds": 20} | training))
    return make(data=data, model=Model(kind="logistic", l2=l2), training=spec)


def drawn(seed, names=NAMES, n=150):
    rng = np.random.default_rng(seed)
    x = rng.uniform(-1, 1, (n, 2))
    margins = np.column_stack([2 * x[:, 0], -x[:, 0] + x[:, 1], 0.5 - x[:, 1]])[:, : len(names)]
    y = (margins + rng.gumbel(size=margins.shape)).argmax(axis=1)
    return pd.DataFrame({"x": x[:, 0], "z": x[:, 1], "y": np.array(names)[y], "who": rng.integers(0, 40, n)})


def fitted(spec, tables, grid=False):
    """[K, p + 1], the intercept first."""
    model = run(TrainTask(spec, evaluated=False), tables, grid=grid).model
    return model.weights.reshape(len(model.target.classes), -1)


@pytest.mark.parametrize("l2", [1.0, pytest.param(0.05, marks=pytest.mark.slow)])
def test_newton_on_the_stages_of_the_heart_is_scikit_learns_pooled_fit(l2):
    spec = staged(l2)
    tables = hospitals(spec)
    x, y = pooled(tables)
    assert np.bincount(y.astype(int)).min() > 5
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fit = LogisticRegression(C=1 / l2, solver="newton-cholesky", tol=1e-13, max_iter=1000).fit(x, y)
    for grid in (False, True):
        found = fitted(spec, tables, grid)
        assert np.abs(found - np.column_stack([fit.intercept_, fit.coef_])).max() < 1e-7
        assert np.abs(found.sum(axis=0)).max() < 1e-11  # the symmetric form
        assert np.abs(softmax(x @ found[:, 1:].T + found[:, 0]) - fit.predict_proba(x)).max() < 1e-8
    (few,) = run(build(spec), tables).warnings
    assert "476 training rows for 95 coefficients" in few


def test_without_a_ridge_newton_ends_where_the_pooled_gradient_is_zero():
    spec = two_numbers(Target(column="y", classes=NAMES), l2=0.0)
    tables = frames(spec, drawn(0), drawn(1))
    x, y = pooled(tables)
    found, rows = fitted(spec, tables), np.column_stack([np.ones(len(x)), x])
    off = softmax(rows @ found.T) - (y[:, None] == np.arange(3))
    assert np.abs(off.T @ rows).max() < 1e-8
    assert np.abs(found.sum(axis=0)).max() < 1e-12
    assert np.abs(found).max() > 0.3


def test_two_classes_are_two_sides_with_half_the_ridge():
    """With w and -w the ridge is l2 |w|^2, which is that of 2w with half of l2."""
    names, given = NAMES[:2], (drawn(0, NAMES[:2]), drawn(1, NAMES[:2]))
    classes = two_numbers(Target(column="y", classes=names))
    binary = two_numbers(Target(column="y", positive=names[1:], negative=names[:1]), l2=0.5)
    first, second = fitted(classes, frames(classes, *given))
    one = run(TrainTask(binary, evaluated=False), frames(binary, *given)).model.weights
    assert np.abs(second - first - one).max() < 1e-9


def plain_descent(spec, x, y):
    """The update of the plan's reference, written out."""
    rows, steps = np.column_stack([np.ones(len(x)), x]), spec.training
    w, penalised = np.zeros((len(STAGES), rows.shape[1])), np.arange(rows.shape[1]) > 0
    for _ in range(steps.rounds):
        off = softmax(rows @ w.T) - (y[:, None] == np.arange(len(STAGES)))
        w = w - steps.rate * (off.T @ rows + spec.model.l2 * w * penalised) / len(y)
    return w


def test_gradient_is_a_plain_loop():
    spec = staged(method="gradient", rounds=7, rate=0.8)
    tables = hospitals(spec)
    assert np.abs(fitted(spec, tables) - plain_descent(spec, *pooled(tables))).max() < 1e-12


def test_own_steps_of_a_site_go_down_the_gradient_that_a_sum_has():
    spec = staged(method="gradient", rounds=3)
    table = hospitals(spec)["cleveland"]
    task = build(spec)
    ask = task.ask(next(task.lead()).kind, 1, (0.1 * np.random.default_rng(2).normal(size=5 * 19)).tobytes())
    (each,) = laid_out(task, ask, table)
    form, total = form_of(spec, goal_of(spec), 18), np.zeros(95)
    rows = Batch(np.flatnonzero(table.train), 0)
    form.add_slope(total, np.frombuffer(ask.state), [rows], table.features, table.target)
    assert np.abs(total - each[:, :95].sum(axis=0)).max() < 1e-9
    assert (~form.penalised()).nonzero()[0].tolist() == [0, 19, 38, 57, 76]


def test_noise_is_for_the_rows_of_a_person_added_up_over_all_classes():
    base = two_numbers(Target(column="y", classes=NAMES), method="gradient", expected_rows=200)
    base = replaced(base, data=replaced(base.data, person="who"))
    frame = drawn(3)
    x, y = frame[["x", "z"]].to_numpy(), frame["y"].map(list(NAMES).index).to_numpy()
    off = 1 / 3 - (y[:, None] == np.arange(3))
    each = (off[:, :, None] * np.column_stack([np.ones(len(x)), x])[:, None, :]).reshape(len(x), -1)
    for unit in ("row", "person", "site"):
        spec = replaced(base, privacy=noised(unit))
        task = build(spec)
        ask = next(task.lead())
        found = np.vstack(list(laid_out(task, ask, frames(spec, frame)["a"])))
        wanted = {"row": each, "site": each.sum(axis=0)[None]}.get(unit)
        if wanted is None:
            wanted = np.array([each[frame["who"] == who].sum(axis=0) for who in dict.fromkeys(frame["who"])])
        assert np.allclose(found, wanted), unit
        assert ask.blocks[0].l2 == 0.7  # one clip for all classes together


def test_units_turn_the_weights_of_each_class_as_those_of_one():
    units = Units(np.array([False, True, False, True]), np.array([-0.5, 0.25]), np.array([2.0, 3.0]))
    rng = np.random.default_rng(0)
    features, inside = rng.uniform(-1, 1, (9, 3)), rng.normal(size=12)
    own, plain = inside.reshape(3, 4), units.moved(inside).reshape(3, 4)
    assert np.allclose(units.rows(features) @ own[:, 1:].T + own[:, 0], features @ plain[:, 1:].T + plain[:, 0])
    assert np.array_equal(units.gradient(inside), np.concatenate([units.gradient(one) for one in own]))


def test_probabilities_of_classes_are_those_of_a_library_and_never_none():
    margins = np.random.default_rng(0).normal(size=(500, 4)) * 9
    assert np.abs(shares(margins) / softmax(margins) - 1).max() < 1e-14
    assert shares(np.array([[1e9, 0.0, -1e9], [0.0, 0.0, 0.0]])).tolist() == [[1.0, 0.0, 0.0], [1 / 3] * 3]


@pytest.fixture(scope="module")
def model():
    spec = two_numbers(Target(column="y", classes=NAMES))
    return run(TrainTask(spec, evaluated=False), frames(spec, drawn(0), drawn(1))).model


def test_a_file_has_the_coefficients_of_each_class_and_is_read_back(model, tmp_path):
    model.write(tmp_path / "model.json")
    again = Trained.read(tmp_path / "model.json")
    assert (again.digest(), again.weights.tolist()) == (model.digest(), model.weights.tolist())
    document = json.loads((tmp_path / "model.json").read_text())
    assert list(document["coefficients"]) == sorted(NAMES)
    assert document["coefficients"]["mid"] == dict(zip(("intercept", "x", "z"), model.weights[3:6], strict=True))


@pytest.mark.parametrize(
    "change",
    [
        lambda given: given.pop("mid"),
        lambda given: given.update(other=given["mid"]),
        lambda given: given["mid"].pop("x"),
        lambda given: given["mid"].update(y=1.0),
        lambda given: given.update(mid=1.0),
        lambda given: [given.update(dict.fromkeys(("intercept", "x", "z"), 1.0)), *map(given.pop, NAMES)],
        lambda given: given["mid"].update(x={"x": 1.0}),
    ],
)
def test_coefficients_that_do_not_fit_the_classes_are_refused(model, tmp_path, change):
    path = tmp_path / "model.json"
    model.write(path)
    document = json.loads(path.read_text())
    change(document["coefficients"])
    path.write_text(json.dumps(document))
    with pytest.raises(UsageError, match=r"coefficients do not fit|is no model file"):
        Trained.read(path)


@pytest.mark.parametrize("names", [NAMES, NAMES[:2]])
def test_other_programs_say_the_same_of_a_row(names):
    """Of two classes scikit-learn knows one line of coefficients."""
    spec, frame = two_numbers(Target(column="y", classes=names)), drawn(7, names)
    model = run(TrainTask(spec, evaluated=False), frames(spec, drawn(0, names), drawn(1, names))).model
    wanted = model.predict_proba(frame)
    (layer,), features = net(model).layers, model.features(frame)
    assert np.abs(softmax(features @ layer.weights.T + layer.bias) - wanted).max() < 1e-15
    pipeline = model.to_sklearn()
    assert np.abs(pipeline.predict_proba(frame) - wanted).max() < 1e-14
    assert pipeline.predict(frame).tolist() == model.predict(frame).tolist()
    (scores,) = running.run(onnx_file(model), {"features": features.astype(np.float32)})
    assert np.abs(scores - wanted).max() < 1e-6


SCHEMES = ["mask", *(pytest.param(one, marks=pytest.mark.slow) for one in ("he", "share", "tee"))]


def whole(scheme, method):
    """A plan to run with all that belongs to it."""
    columns = {name: {"kind": "number", "low": -1, "high": 1} for name in ("x", "z")}
    target = {"column": "y", "classes": list(NAMES)}
    return potluck.Plan(
        name="classes", purpose="a test", task="train", federation={"sites": ["a", "b", "c"], "server": "curious"},
        data={"columns": columns, "target": target, "max_rows": 200, "split": {"test": 0.3}},
        model={"kind": "logistic"}, protect={"with": scheme}, privacy={"noise": "none"},
        training={"method": method, "rounds": 4},
    )  # fmt: skip


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("method", ["newton", pytest.param("gradient", marks=pytest.mark.slow)])
def test_the_model_is_the_same_under_every_protection(scheme, method, tmp_path):
    rows = {site: drawn(place).drop(columns="who") for place, site in enumerate("abc")}
    found = potluck.run(whole(scheme, method), data=rows, out=tmp_path / "one")
    assert found.model.digest() == potluck.run(whole("clear", method), data=rows, out=tmp_path / "two").model.digest()
    metrics = found.metrics["federated"]
    assert metrics["accuracy"] > 0.5
    assert np.sum(metrics["confusion"]["counts"]) == metrics["rows"]
    assert "mid: x" in (tmp_path / "one" / "report.html").read_text()


def test_check_says_where_classes_cannot_go():
    columns = {name: {"kind": "number", "low": -1, "high": 1, "owner": name} for name in ("a", "b")}
    columns["y"] = {"kind": "category", "values": list(NAMES), "owner": "a"}
    joint = potluck.Plan(
        name="columns", purpose="a test", task="fit", federation={"sites": ["a", "b"]}, align={"keys": ["id"]},
        data={"columns": columns, "target": {"column": "y", "classes": list(NAMES)}, "split": {"test": 0.3}},
        model={"kind": "logistic"}, protect={"with": "share"}, privacy={"noise": "none"}, training={"method": "newton"},
    )  # fmt: skip
    assert any("a regression over columns tells two sides apart" in line for line in potluck.check(joint).errors)


def test_a_summary_tells_each_class_in_the_datas_units(tmp_path):
    plan = whole("clear", "newton").set("data.columns.x", {"kind": "number", "low": -4, "high": 2, "unit": "kg"})
    rows = {site: drawn(place).drop(columns="who") for place, site in enumerate("abc")}
    found = potluck.run(plan, data=rows, out=tmp_path / "run").model
    summary = found.summary()
    of = found.coefficients["mid"]
    term, intercept = summary.terms["mid: x"], summary.terms["mid: intercept"]
    assert term.value == pytest.approx(of["x"] / 3)  # half a range is 3 kg
    assert term.ratio == pytest.approx(np.exp(of["x"] / 3))
    assert (term.unit, term.se) == ("kg", None)
    assert intercept.value == pytest.approx(of["intercept"] + of["x"] / 3)  # of 0 kg, a third of half a range up
    assert sum(one.value for name, one in summary.terms.items() if name.endswith(": x")) == pytest.approx(0, abs=1e-9)
    assert "which add up to 0 over the classes" in str(summary)
    assert "mid: x (per kg)" in str(summary)
