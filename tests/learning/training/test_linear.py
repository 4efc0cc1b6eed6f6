"""Newton and gradient against scikit-learn and a plain loop on the pooled encoded rows."""

import re
import warnings

import numpy as np
import pandas as pd
import pytest
import statsmodels.formula.api as smf
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression, Ridge

from potluck.core.errors import DataError
from potluck.core.plan import Column, Data, Model, Split, Target, Training
from potluck.core.rounds import Abort, Cause
from potluck.learning.data.table import Table
from potluck.learning.loops import TrainTask, build
from potluck.learning.training.newton import Newton
from support.examples import examples
from support.learning.laid_out import laid_out
from support.learning.sums import answer, category, frames, heart, hospitals, make, number, replaced, run
from support.learning.tiny import FOLD, noised, pooled, rows, tiny


def sklearn_fit(kind, l2, x, y):
    """scikit-learn's own optimum of the same objective, to machine precision."""
    if kind == "linear":
        fit = Ridge(alpha=l2, solver="cholesky").fit(x, y)
        return np.concatenate([[fit.intercept_], fit.coef_])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fit = LogisticRegression(C=1 / l2, solver="newton-cholesky", tol=1e-13, max_iter=1000).fit(x, y)
    return np.concatenate([fit.intercept_, fit.coef_[0]])


def weights(spec, tables, grid=False):
    return run(TrainTask(spec, evaluated=False), tables, grid=grid).model.weights


def test_newton_on_the_heart_is_scikit_learns_pooled_fit():
    spec = heart()
    tables = hospitals(spec)
    for grid in (False, True):
        assert np.abs(weights(spec, tables, grid) - sklearn_fit("logistic", 1.0, *pooled(tables))).max() < 1e-9


@pytest.mark.parametrize("kind", ["logistic", "linear"])
@pytest.mark.parametrize("most", [300, 10**6, 3 * 10**7])
def test_newton_is_the_pooled_fit_whatever_headroom_the_plan_asks_for(kind, most):
    rng = np.random.default_rng(7)
    x = rng.uniform(-1, 1, (270, 4))
    z = x @ [0.7, 1.4, 2.1, 2.8] + 0.5 + 0.8 * rng.logistic(size=270)
    frame = pd.DataFrame(x, columns=list("abcd")).assign(y=(z > 0).astype(int), t=np.clip(z / 6, -1, 1))
    columns = {name: number(-1, 1) for name in ("abcdt" if kind == "linear" else "abcd")}
    target = Target(column="t") if kind == "linear" else Target(column="y", positive=("1",))
    spec = make(data=Data(columns=columns, target=target, split=Split(test=0.2), max_rows=most), model=Model(kind=kind))
    tables = frames(spec, frame.iloc[:100], frame.iloc[100:])
    assert np.abs(weights(spec, tables, grid=True) - sklearn_fit(kind, 1.0, *pooled(tables))).max() < 1e-6
    assert run(TrainTask(spec), tables, grid=True).warnings == ()


def test_linear_newton_on_the_heart_is_ridge():
    spec = heart()
    columns = {**spec.data.columns, "num": number(0, 4)}
    data = replaced(spec.data, columns=columns, target=Target(column="num"))
    spec = heart(data=data, model=Model(kind="linear", l2=0.3), training=Training(method="newton", rounds=1))
    tables = hospitals(spec)
    outcome = run(build(spec), tables)
    assert np.abs(outcome.model.weights - sklearn_fit("linear", 0.3, *pooled(tables))).max() < 1e-9
    assert outcome.warnings == ()


@st.composite
def problems(draw):
    """Any schema: numbers and categories with any rule for missing values, any ridge, rows at two sites."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    rows = draw(st.integers(12, 120))
    columns: dict[str, Column] = {}
    frame: dict[str, object] = {}
    for i in range(draw(st.integers(1, 4))):
        rule = draw(st.sampled_from(["refuse", "drop", "flag"]))
        low, width = draw(st.floats(-1e3, 1e3)), draw(st.floats(0.5, 1e3))
        columns[f"n {i}"] = number(low, low + width, rule)
        cells = low + width * rng.normal(0.5, 0.4, rows)
        frame[f"n {i}"] = np.where(rng.random(rows) < (0 if rule == "refuse" else 0.1), np.nan, cells)
    for i in range(draw(st.integers(0, 2))):
        values = [str(v) for v in range(draw(st.integers(1, 4)))]
        columns[f"c={i}"] = category(*values, missing=draw(st.sampled_from(["refuse", "flag"])))
        frame[f"c={i}"] = rng.choice([*values, "other"], rows)
    linear = draw(st.booleans())
    signal = np.nan_to_num(np.asarray(frame["n 0"]), nan=0.0)
    noisy = signal + rng.normal(size=rows) * (np.std(signal) + 1)
    frame["out"] = noisy if linear else np.where(noisy > np.median(noisy), "yes", "no")
    span = (float(noisy.min()) - 1, float(noisy.max()) + 1)
    target = Target(column="out") if linear else Target(column="out", positive=("yes",))
    if linear:
        columns["out"] = number(*span)
    spec = make(
        data=Data(columns=columns, target=target, split=Split(test=0.2)),
        model=Model(kind="linear" if linear else "logistic", l2=draw(st.sampled_from([0.01, 0.1, 1.0, 10.0]))),
        training=Training(method="newton", rounds=40, range=1e3),
    )
    whole = pd.DataFrame(frame)
    cut = draw(st.integers(1, rows - 1))
    return spec, [whole.iloc[:cut], whole.iloc[cut:]]


@settings(max_examples=examples(40), suppress_health_check=[HealthCheck.too_slow])
@given(problems())
def test_newton_is_the_pooled_fit_on_any_schema(problem):
    spec, given_ = problem
    try:
        tables = frames(spec, *given_)
    except DataError:
        return  # a site lost all its rows
    x, y = pooled(tables)
    if len(np.unique(y)) < 2:
        return
    found = weights(spec, tables, grid=True)
    expected = sklearn_fit(spec.model.kind, spec.model.l2, x, y)
    assert np.abs(found - expected).max() < 1e-6 * max(1.0, np.abs(expected).max())


def test_where_rows_lie_does_not_matter_to_newton():
    spec = heart()
    tables = hospitals(spec)
    one = weights(spec, tables)
    other = weights(spec, dict(reversed(tables.items())))
    assert np.abs(one - other).max() < 1e-12


def test_too_few_rounds_warn_and_enough_do_not():
    spec = heart(training=Training(method="newton", rounds=2))
    assert any("has not converged" in line for line in run(build(spec), hospitals(spec)).warnings)
    spec = heart(training=Training(method="newton", rounds=12))
    assert run(build(spec), hospitals(spec)).warnings == ()


def test_a_rising_gradient_goes_back_half_way_and_still_arrives():
    """Undamped Newton diverges here: one wild row among many tame ones, far from balance."""
    plan = tiny(l2=1e-3, rounds=60, range=1e3)
    x = np.concatenate([np.full(400, 5.0), [10.0, 0.0, 10.0]])
    y = np.concatenate([np.zeros(398), np.ones(5)]).astype(int)
    frame = pd.DataFrame({"x": x, "y": y, "fold": ""})
    frame.loc[0, "fold"] = "test"
    tables = frames(plan, frame)
    asked = []
    lead = TrainTask(plan, evaluated=False).lead()
    ask = next(lead)
    try:
        while True:
            asked.append(np.frombuffer(ask.state))
            ask = lead.send(answer(ask, build(plan), tables))
    except StopIteration as stop:
        found = stop.value.model.weights
    assert len(asked) == 60
    assert np.abs(found - sklearn_fit("logistic", 1e-3, *pooled(tables))).max() < 1e-6


def test_newton_steps_are_halved_when_the_merit_rises():
    """Forced: the second sum is answered with a gradient that is larger than the first."""
    plan = tiny(rounds=3)
    tables = frames(plan, rows((1, 0, ""), (9, 1, ""), (2, 1, ""), (3, 0, "test")))
    course = Newton(plan, build(plan)._method.goal, 1).course()
    first = next(course)
    ask = build(plan).ask(kind_of("train"), 0, first.tobytes())
    real = answer(ask, build(plan), tables)
    second = course.send(real)
    scaled = real.release.values * np.where(np.arange(len(real.release.values)) < 2, 100.0, 1.0)
    third = course.send(type(real)(type(real.release)(scaled, real.release.std, real.release.givers), real.grid))
    assert np.allclose(third, (first + second) / 2)


def test_a_singular_matrix_is_an_error_that_says_what_to_do():
    columns = {"a": category("u", "v"), "y": category("0", "1")}
    data = Data(columns=columns, target=Target(column="y", positive=("1",)), split=FOLD)
    spec = make(data=data, model=Model(kind="logistic", l2=0.0))
    frame = pd.DataFrame({"a": list("uvuv") * 5, "y": list("0110") * 5, "fold": [""] * 18 + ["test"] * 2})
    with pytest.raises(DataError, match=r"singular.*hint: set model.l2 above 0"):
        run(build(spec), frames(spec, frame))


def test_whoever_takes_the_references_that_an_error_names_has_the_fit_of_statsmodels():
    """Two categories determine one another by way of the intercept; a formula takes the first value of each as its
    reference by itself."""
    draw = np.random.default_rng(2)
    some = pd.DataFrame(
        {"a": draw.choice(list("uvw"), 300), "b": draw.choice(list("pq"), 300), "x": draw.uniform(0, 9, 300)}
    )
    odds = (some["a"] == "v") - 0.5 * (some["b"] == "q") + 0.2 * some["x"] - 1
    some["y"] = (draw.random(300) < 1 / (1 + np.exp(-odds))).astype(int)
    columns = {"a": category(*"uvw"), "b": category(*"pq"), "x": number(0, 9), "y": category("0", "1")}
    data = Data(columns=columns, target=Target(column="y", positive=("1",)))
    spec = make(data=data, model=Model(kind="logistic", l2=0.0))
    with pytest.raises(DataError, match="singular: intercept, a=u, a=v, a=w, b=p, b=q determine") as caught:
        run(build(spec), frames(spec, some))
    named = dict(re.findall(r'data.columns.(\w+).reference = "(\w+)"', caught.value.hint))
    assert named == {"a": "u", "b": "p"}
    for name, reference in named.items():
        columns[name] = replaced(columns[name], reference=reference)
    spec = replaced(spec, data=replaced(data, columns=columns))
    found = run(build(spec), frames(spec, some)).model
    fit = smf.logit("y ~ a + b + x", some).fit(disp=0, tol=1e-12)
    expected = fit.params[["a[T.v]", "a[T.w]", "b[T.q]"]].to_numpy()
    assert [found.coefficients[name] for name in ("a=v", "a=w", "b=q")] == pytest.approx(expected, abs=1e-6)
    assert found.coefficients["x"] / 4.5 == pytest.approx(fit.params["x"], abs=1e-6)


def test_a_constant_and_a_copied_column_are_named_and_one_is_to_be_left_out():
    draw = np.random.default_rng(4).uniform(0, 9, 60)
    columns = {name: number(0, 9) for name in ("one", "same", "again")} | {"y": category("0", "1")}
    data = Data(columns=columns, target=Target(column="y", positive=("1",)))
    spec = make(data=data, model=Model(kind="logistic", l2=0.0))
    target = (draw + np.tile([0, 3], 30) > 6).astype(int)
    copied = pd.DataFrame({"one": draw[::-1], "same": draw, "again": draw, "y": target})
    with pytest.raises(DataError, match=r"singular: same, again determine one another.*leave one of these columns out"):
        run(build(spec), frames(spec, copied))
    constant = copied.assign(again=4.0)
    with pytest.raises(DataError, match=r"singular: intercept, again determine one another.*leave one of these"):
        run(build(spec), frames(spec, constant))


def test_few_rows_a_coefficient_warn():
    plan = tiny(rounds=12)
    some = rows(*[(i % 10, (i * 7 % 10 > 4) * 1, "") for i in range(12)], (1, 0, "test"), (2, 1, "test"))
    (line,) = run(build(plan), frames(plan, some)).warnings
    assert line.startswith("12 training rows for 2 coefficients")


@pytest.mark.parametrize("method", ["newton", "gradient", "average"])
def test_one_class_and_empty_sides_are_judged_from_opened_sums(method):
    plan = tiny(method)
    with pytest.raises(DataError, match="one class on the training side"):
        run(build(plan), frames(plan, rows((1, 1, ""), (2, 1, ""), (3, 0, "test"))))
    with pytest.raises(DataError, match="the training side of the split is empty"):
        run(build(plan), frames(plan, rows((1, 1, "test"), (2, 0, "test"))))
    with pytest.raises(DataError, match="the test split is empty"):
        run(build(plan), frames(plan, rows((1, 1, ""), (2, 0, ""), (3, 0, ""))))


def test_a_coefficient_of_averaging_beyond_the_range_stops_the_run():
    plan = tiny("average", l2=1e-6, range=0.01, rounds=5)
    with pytest.raises(Abort) as caught:
        run(build(plan), frames(plan, rows((1, 0, ""), (9, 1, ""), (2, 1, ""), (3, 0, "test"))))
    assert caught.value.cause is Cause.RANGE


def plain_descent(spec, x, y, divisor):
    """The update of the plan's reference, written out."""
    w, b = np.zeros(x.shape[1]), 0.0
    for _ in range(spec.training.rounds):
        mean = x @ w + b if spec.model.kind == "linear" else 1 / (1 + np.exp(-(x @ w + b)))
        error = mean - y
        w, b = (
            w - spec.training.rate * (x.T @ error + spec.model.l2 * w) / divisor,
            b - spec.training.rate * error.sum() / divisor,
        )
    return np.concatenate([[b], w])


@pytest.mark.parametrize("expected", [None, 500])
def test_gradient_is_a_plain_loop(expected):
    spec = heart(training=Training(method="gradient", rounds=7, rate=0.8, expected_rows=expected))
    tables = hospitals(spec)
    x, y = pooled(tables)
    assert np.abs(weights(spec, tables) - plain_descent(spec, x, y, expected or len(y))).max() < 1e-12


def contributions(spec, table: Table, state=None):
    task = build(spec)
    first = next(task.lead())
    ask = task.ask(first.kind, 1 if state is not None else 0, first.state if state is None else state)
    return ask, list(laid_out(task, ask, table))


def person_table(spec):
    frame = pd.DataFrame(
        {
            "x": [1, 9, 2, 8, 3, 7],
            "y": [0, 1, 1, 0, 1, 0],
            "who": list("ababcd"),
            "fold": ["", "", "", "", "", "test"],
        }
    )
    return frames(spec, frame)["a"]


def test_units_of_a_noised_gradient_are_rows_persons_or_the_site():
    base = tiny("gradient", expected_rows=5)
    data = replaced(base.data, person="who")
    x = 2 * np.array([1, 9, 2, 8, 3]) / 10 - 1
    rows_ = (0.5 - np.array([0, 1, 1, 0, 1]))[:, None] * np.column_stack([np.ones(5), x])
    expected = {
        "row": rows_,
        "person": np.array([rows_[0] + rows_[2], rows_[1] + rows_[3], rows_[4]]),
        "site": rows_.sum(axis=0)[None, :],
    }
    for unit, values in expected.items():
        spec = replaced(base, data=data, privacy=noised(unit))
        ask, got = contributions(spec, person_table(spec))
        assert np.allclose(np.vstack(got), values), unit
        (block,) = ask.blocks
        assert (block.l2, block.high) == (0.7, 0.7)
        assert block.units == (2 if unit == "site" else 2 * spec.data.max_rows)


def test_with_noise_nothing_is_judged_from_the_data():
    """An empty side or one class must not show: no count is opened and nothing raises."""
    spec = replaced(tiny("gradient", expected_rows=5, rounds=3), privacy=noised("row"))
    silent = rows((1, 1, ""), (2, 1, ""))
    outcome = run(build(spec), frames(spec, silent), lambda ask, total: (total, np.ones_like(total)))
    assert outcome.warnings == ()


def test_a_site_refuses_a_sum_that_the_plan_has_not():
    spec = tiny(rounds=3)
    task = build(spec)
    first = next(task.lead())
    assert task.ask(first.kind, 0, first.state) == first
    other = np.array([0.1, 0.0]).tobytes()
    bad = [
        ("train", 0, other),
        ("train", 3, first.state),
        ("train", -1, first.state),
        ("train", 1, first.state[:-1]),
        ("train", 1, bytes(first.state) + b"\0" * 8),
        ("train", 1, np.array([np.nan, 0]).tobytes()),
        ("train", 1, np.array([np.inf, 0]).tobytes()),
        ("evaluate", 1, other),
        ("statistics", 0, b""),
    ]
    for kind, step, state in bad:
        with pytest.raises(Abort) as caught:
            task.ask(kind_of(kind), step, state)
        assert caught.value.cause is Cause.TERMS, (kind, step)
    with pytest.raises(Abort) as caught:
        task.ask(kind_of("train"), 1, np.array([1e10, 0]).tobytes())
    assert caught.value.cause is Cause.RANGE
    assert task.ask(kind_of("train"), 1, other).blocks == first.blocks


def kind_of(word):
    from potluck.core.asks import Kind

    return Kind(word)


def test_persons_come_in_batches_of_bounded_size():
    rng = np.random.default_rng(0)
    columns = {f"x{i}": number(0, 1) for i in range(30)} | {"y": category("0", "1")}
    data = Data(columns=columns, target=Target(column="y", positive=("1",)), split=Split(test=0.01), person="who")
    descent = Training(method="gradient", expected_rows=1000)
    spec = make(data=data, training=descent, privacy=noised("person"))
    frame = pd.DataFrame(rng.random((20_000, 30)), columns=[f"x{i}" for i in range(30)])
    table = frames(spec, frame.assign(y=rng.integers(0, 2, 20_000), who=np.arange(20_000)))["a"]
    _, got = contributions(spec, table)
    assert len(got) > 4
    assert max(values.nbytes for values in got) <= 1 << 20
    assert sum(len(values) for values in got) == int((~table.test).sum())
