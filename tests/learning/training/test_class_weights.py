"""Weights of sides and classes: the objectives of scikit-learn's `class_weight` and torch's `weight`."""

from importlib.util import find_spec

import msgspec
import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression

import potluck
from potluck.core.errors import PlanError
from potluck.core.plan import Model, PrivacyPlan, Target, Training, canonical
from potluck.learning.check import check
from potluck.learning.data.table import read
from potluck.learning.data.target import goal_of
from potluck.learning.loops import build
from potluck.learning.models.class_weights import factors_of, heaviest
from potluck.learning.training import rates
from support.learning.sums import category, frames, gridded, make, number, replaced, run


def rows(seed):
    draw = np.random.default_rng(seed)
    x = draw.uniform(0, 10, 200)
    return pd.DataFrame({"x": x, "c": draw.choice(["u", "v"], 200), "y": (x + draw.normal(0, 3, 200) > 8).astype(int)})


def plan(weights, method="gradient", **training):
    keys = {"method": method, "class_weights": weights} | training
    return make(training=Training(**keys), model=Model(kind="logistic", l2=5.0))


@pytest.mark.parametrize("weights", [{"1": 5.0}, {"0": 0.25, "1": 3.0}, {"positive": 5.0}])
def test_logistic_by_gradient_is_scikit_learns_weighted_fit(weights):
    spec = plan(weights, rounds=250, optimizer="nesterov", rate=1.0)
    tables = frames(spec, rows(0), rows(1))
    found = run(build(spec), tables, grid=True).model.weights
    x = np.concatenate([table.features[table.train] for table in tables.values()])
    y = np.concatenate([table.target[table.train] for table in tables.values()])
    given = {0: 1.0, 1: 1.0} | {{"positive": 1}.get(word) or int(word): one for word, one in weights.items()}
    best = LogisticRegression(C=1 / 5, class_weight=given, tol=1e-10, max_iter=1000).fit(x, y)
    np.testing.assert_allclose(found, [*best.intercept_, *best.coef_[0]], rtol=0, atol=2e-5)
    plain = LogisticRegression(C=1 / 5, tol=1e-10).fit(x, y)
    assert abs(found[0] - plain.intercept_[0]) > 0.2  # the control: the weights do something


def test_weights_of_one_are_no_weights():
    one, none = (plan(weights, rounds=5) for weights in ({"0": 1.0, "1": 1.0}, {}))
    tables = frames(none, rows(0), rows(1))
    assert run(build(one), tables, grid=True).model.digest() == run(build(none), tables, grid=True).model.digest()


def test_a_sum_has_room_for_the_heaviest_rows_and_rates_know_of_them():
    spec = plan({"1": 5.0, "0": 0.5})
    block = next(build(spec).lead()).blocks[0]
    assert block.high == heaviest(spec) == 5
    assert heaviest(plan({"1": 0.5})) == heaviest(plan({})) == 1
    assert rates.advice(spec).curvature == 5 * rates.advice(plan({})).curvature
    tables, task = frames(spec, rows(0), rows(1)), build(spec)
    every = gridded(next(task.lead()), task, tables).part("gradient").values[0]
    count = np.array([sum((one.target[one.train] == side).sum() for one in tables.values()) for side in (0, 1)])
    assert every == pytest.approx(0.5 * (0.5 * count[0] - 5 * count[1]))


def classes(weights, method="gradient", **target):
    data = make().data
    columns = data.columns | {"y": category("a", "b", "c")}
    data = replaced(data, columns=columns, target=Target(column="y", **(target or {"classes": ("b", "a")})))
    kind = "network" if not target else "logistic"
    return make(data=data, model=Model(kind=kind), training=Training(method=method, class_weights=weights))


def test_a_weight_goes_to_the_class_or_side_that_it_names():
    spec = classes({"a": 3.0})
    assert factors_of(spec, goal_of(spec)).tolist() == [1, 3]
    several = classes({"negative": 2.0, "a": 4.0}, positive=("a",))
    assert factors_of(several, goal_of(several)).tolist() == [2, 4]
    assert factors_of(make(), goal_of(make())) is None
    assert canonical(plan({"1": 2.0})) != canonical(plan({"1": 3.0}))


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        (classes({"d": 2.0}), '"d" is no class of the target. hint: classes are b, a'),
        (classes({"b": 2.0}, positive=("a",)), '"b" is no side of the target by itself'),
        (classes({"a": 2.0}, positive=("a", "b")), '"a" is no side of the target by itself'),
        (plan({"1": 2.0, "positive": 2.0}), '"positive" and "1" are one side. hint: give it one weight'),
        (plan({"1": 2.0}, "newton"), 'newton weighs no rows. hint: method = "gradient" or "average"'),
        (
            make(
                training=Training(method="gradient", expected_rows=9, class_weights={"1": 2.0}),
                privacy=PrivacyPlan(noise="shared", unit="row", epsilon=1.0, delta=1e-5, clip=1.0),
            ),
            "with noise every row is clipped to one norm",
        ),
        (
            make(
                data=replaced(make().data, target=Target(column="x"), columns={"x": number(0, 1), "c": number(0, 1)}),
                model=Model(kind="linear"),
                training=Training(method="gradient", class_weights={"1": 2.0}),
            ),
            "the target is a number",
        ),
    ],
)
def test_what_does_not_fit_is_refused_by_name(spec, said):
    errors, _ = check(spec)
    assert any(line.startswith("training.class_weights: ") and said in line for line in errors), errors


@pytest.mark.parametrize("weight", [0, -1, float("nan"), float("inf"), 1e7, "x"])
def test_a_weight_is_a_number_above_zero(weight):
    with pytest.raises(PlanError, match=r"training\.class_weights"):
        potluck.Plan(
            name="w", purpose="p", task="train", federation={"sites": ["a", "b"]},
            data={"columns": {"x": {"kind": "ignore"}}, "target": {"column": "y", "positive": ["1"]}},
            model={"kind": "logistic"}, training={"method": "gradient", "class_weights": {"1": weight}},
            protect={"with": "clear"}, privacy={"noise": "none"},
        ).require()  # fmt: skip


@pytest.mark.skipif(find_spec("torch") is None, reason="the networks extra is missing")
@pytest.mark.torch
@pytest.mark.parametrize("kind", ["binary", "classes"])
@pytest.mark.parametrize("method", ["gradient", "average"])
def test_a_network_goes_down_torchs_weighted_loss(kind, method, tmp_path):
    """One step: of the opened sum, or of every site on all its rows. Sums are divided by rows, not by weights."""
    import torch
    from torch.nn import functional

    from support.graph import trained as drawn

    weights = {"binary": {"1": 4.0}, "classes": {"u": 4.0, "w": 0.5}}[kind]
    file = drawn.made(drawn.mlp(drawn.TARGETS[kind][2]), tmp_path / "net.graph")
    keys = {"method": method, "rounds": 1, "rate": 0.5, "class_weights": weights}
    keys |= {"batch": 1000} if method == "average" else {}
    made = drawn.tables(file, kind, model={"l2": 0.0})
    made["training"] = keys
    spec = potluck.Plan(**made).spec
    tables = {name: read(frame, spec, name) for name, frame in drawn.frames(kind=kind).items()}
    network = run(build(spec), tables, grid=True).model.graph.network
    module, total, count = drawn.mlp(drawn.TARGETS[kind][2]), 0.0, 0
    before = [one.detach().clone() for one in module.parameters()]
    for table in tables.values():
        x, y = torch.tensor(table.features[table.train], dtype=torch.float32), torch.tensor(table.target[table.train])
        if kind == "binary":
            heavy = torch.tensor(4.0)
            lost = functional.binary_cross_entropy_with_logits(
                module(x)[:, 0], y.float(), pos_weight=heavy, reduction="sum"
            )
        else:
            heavy = torch.tensor([4.0, 1.0, 0.5])
            lost = functional.cross_entropy(module(x), y.long(), weight=heavy, reduction="sum")
        total, count = total + lost, count + len(y)
    total.backward()
    for (name, one), start in zip(module.named_parameters(), before, strict=True):
        wanted = (start - 0.5 * one.grad / count).numpy()
        np.testing.assert_allclose(network.tensors[name], wanted, rtol=0, atol=2e-6)


def test_metrics_count_every_row_once():
    spec = plan({"1": 5.0}, rounds=3)
    tables = frames(spec, rows(0), rows(1))
    metrics = run(build(spec), tables, grid=True).metrics
    assert metrics.rows == sum(int(table.test.sum()) for table in tables.values())
    assert msgspec.to_builtins(spec.training)["class_weights"] == {"1": 5.0}


def test_what_others_could_have_had_has_the_same_objective(tmp_path):
    """Rows in one place are weighed too: the comparison is of the same steps, not of a fit without weights."""
    found = potluck.run(
        potluck.Plan(
            name="w", purpose="p", task="train", federation={"sites": ["a", "b"], "server": "curious"},
            data={
                "columns": {"x": {"kind": "number", "low": 0, "high": 10}},
                "target": {"column": "y", "positive": ["1"]},
                "split": {"test": 0.3},
            },
            model={"kind": "logistic"}, protect={"with": "clear"}, privacy={"noise": "none"},
            training={"method": "gradient", "rounds": 5, "optimizer": "adam", "class_weights": {"1": 9.0}},
        ),
        {"a": rows(0), "b": rows(1)}, out=tmp_path / "out", compare=True,
    ).document["metrics"]  # fmt: skip
    assert found["pooled"] == {key: found["federated"][key] for key in found["pooled"]}
