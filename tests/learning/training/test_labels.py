"""Several labels of one row: trained as torch's BCEWithLogitsLoss on pooled rows, judged as scikit-learn does, with a
noise that hides all labels of a row at once."""

import dataclasses
import math
from importlib.util import find_spec

import msgspec
import numpy as np
import pytest

if find_spec("torch") is None:
    pytest.skip("the networks extra is missing", allow_module_level=True)

import torch
from sklearn.metrics import accuracy_score, roc_auc_score
from torch import nn

import potluck
from potluck.core.asks import Kind
from potluck.core.errors import DataError, PlanError
from potluck.core.plan import PrivacyPlan, Target, canonical
from potluck.core.stages import Clip
from potluck.dp.mechanism import mechanism
from potluck.learning import forecast
from potluck.learning.data.table import read
from potluck.learning.data.target import Goal, goal_of
from potluck.learning.evaluation import evaluate
from potluck.learning.evaluation.evaluate import exact
from potluck.learning.loops import build
from potluck.learning.models import layers
from potluck.learning.models.card import fault
from potluck.learning.models.forms import form_of
from potluck.learning.models.model import Model
from potluck.learning.views import opened
from potluck.owner.reach import columns_read
from potluck.secret.random import system
from potluck.tasks.catalog import task_of
from support.learning import labels
from support.learning.sums import before_noise, replaced, run

pytestmark = pytest.mark.torch
LABELS = labels.LABELS


def site_tables(plan, frames=None):
    return {name: read(frame, plan.spec, name) for name, frame in (frames or labels.frames()).items()}


def module_of(plan):
    """torch's own layers with the plan's first weights."""
    net = nn.Sequential(nn.Linear(2, 6), nn.Tanh(), nn.Linear(6, 3)).double()
    first = form_of(plan.spec, goal_of(plan.spec), 2).initial()
    parts = [part for pair in layers.unpacked(first, ((2, 6), (6, 3))) for part in pair]
    with torch.no_grad():
        for one, part in zip(net.parameters(), parts, strict=True):
            one.copy_(torch.from_numpy(part.T.copy()))
    return net


def flat(net):
    return np.concatenate([one.detach().numpy().T.reshape(-1) for one in net.parameters()])


def test_the_gradient_of_all_sites_is_that_of_bce_on_pooled_rows():
    plan = labels.plan()
    tables, net = site_tables(plan), module_of(plan)
    x = torch.from_numpy(np.vstack([one.features[one.train] for one in tables.values()]))
    y = torch.from_numpy(np.vstack([one.target[one.train] for one in tables.values()]))
    assert y.shape == (len(x), 3)
    steps = torch.optim.SGD(net.parameters(), lr=1.0)
    for _ in range(3):
        steps.zero_grad()
        nn.BCEWithLogitsLoss()(net(x), y).backward()
        steps.step()
    found = run(build(plan.spec), tables).model
    np.testing.assert_allclose(found.weights, flat(net), rtol=0, atol=1e-6)
    assert np.abs(found.weights - flat(module_of(plan))).max() > 0.01  # it has moved


def test_metrics_are_scikit_learns_by_label_and_their_means():
    plan = labels.plan(training={"rounds": 30})
    tables = site_tables(plan)
    outcome = run(build(plan.spec), tables)
    y = np.vstack([one.target[one.test] for one in tables.values()])
    scores = outcome.model.scored_features(np.vstack([one.features[one.test] for one in tables.values()]))
    assert scores.shape == y.shape == (len(y), 3)
    found, best = outcome.metrics, exact(outcome.model, list(tables.values()))
    assert found.rows == best.rows == len(y)
    for place, name in enumerate(LABELS):
        area, right = roc_auc_score(y[:, place], scores[:, place]), accuracy_score(y[:, place], scores[:, place] >= 0.5)
        for one, near in ((found.labels[name], 2e-3), (best.labels[name], 1e-12)):
            assert one.auc == pytest.approx(area, abs=near)
            assert one.accuracy == pytest.approx(right, abs=1e-12)
            assert np.trace(np.array(one.confusion.counts)) == round(right * len(y))
    macro = roc_auc_score(y, scores, average="macro")
    assert found.auc == pytest.approx(macro, abs=2e-3)
    assert best.auc == pytest.approx(macro, abs=1e-12)
    assert found.accuracy == pytest.approx(((scores >= 0.5) == y).mean(), abs=1e-12)
    assert macro > 0.7


def test_every_protection_gives_the_same_model_and_says_each_label(tmp_path):
    frames, found = labels.frames(), {}
    for word in ("clear", "mask", "tee"):
        looks = {"evaluate_every": 1, "stop": {"metric": "auc", "patience": 2}}
        plan = labels.plan(word, training={"rounds": 2, **looks}, data=_data(split={"test": 0.3, "validation": 0.2}))
        found[word] = potluck.run(plan, frames, out=tmp_path / word, ledger=tmp_path / "l").document
    assert len({one["model"]["digest"] for one in found.values()}) == 1
    told = found["mask"]["metrics"]["federated"]
    assert list(told["labels"]) == list(LABELS)
    assert told["auc"] == pytest.approx(np.mean([one["auc"] for one in told["labels"].values()]))
    assert all(set(look) == {"round", "loss", "auc", "accuracy"} for look in found["mask"]["history"])
    assert found["clear"]["history"] == found["mask"]["history"] == found["tee"]["history"]
    model = Model.read(tmp_path / "mask" / "model.json")
    assert model.digest() == found["mask"]["model"]["digest"]
    names, rows = model.scored(frames["a"][["x", "z"]])
    assert names == LABELS
    np.testing.assert_array_equal(np.array(rows), model.predict_proba(frames["a"]))
    np.testing.assert_array_equal(model.predict(frames["a"]), np.array(rows) >= 0.5)


def _data(**keys):
    usual = labels.plan().spec.data
    columns = dict.fromkeys(usual.columns, labels.NUMBER)
    target = {"columns": list(LABELS), "positive": ["1"], "negative": ["0"]}
    return {"columns": columns, "target": target, **keys}


@pytest.mark.slow
@pytest.mark.parametrize(("word", "engine"), [("he", "he_engine"), ("share", "mpc_engine")])
def test_protections_with_engines_give_the_same_model_too(tmp_path, request, word, engine):
    request.getfixturevalue(engine)
    digests = {
        one: potluck.run(
            labels.plan(one, training={"rounds": 1}), labels.frames(), out=tmp_path / one, ledger=tmp_path / "l"
        ).document["model"]["digest"]
        for one in ("clear", word)
    }
    assert len(set(digests.values())) == 1


def noised(unit="row", **keys):
    """A plan whose evaluation owes noise: networks are trained with noise for sites, so its loop is asked by hand."""
    privacy = PrivacyPlan(noise="shared", unit=unit, epsilon=2.0, delta=1e-5, clip=1.0, **keys)
    spec = labels.plan().spec
    return replaced(spec, privacy=privacy, training=replaced(spec.training, expected_rows=200))


def asked(spec):
    task = build(spec)
    weights = form_of(spec, goal_of(spec), 2).initial()
    return task, task.ask(Kind.EVALUATE, 0, weights.astype("<f8").tobytes())


def test_a_row_moves_a_noised_evaluation_by_the_root_of_its_labels():
    spec = noised()
    task, ask = asked(spec)
    (block,) = ask.blocks
    bound = mechanism(spec, ask)
    assert (block.high, block.l2, block.single, block.parts) == (1.0, math.sqrt(3), False, 1)
    frame = labels.frames()["a"].assign(fold="test")
    (whole,) = task.contribute(ask, read(frame, spec, "a"), system)
    added = before_noise(bound, whole)
    rows = read(frame, spec, "a")
    assert added.sum() == 3 * rows.test.sum()
    held = np.flatnonzero(rows.test)
    for gone in held[:5]:
        (less,) = task.contribute(ask, replace_test(rows, gone), system)
        moved = added - before_noise(bound, less)
        assert sorted(moved[moved != 0].tolist()) == [1.0, 1.0, 1.0]
        assert np.linalg.norm(moved) <= block.l2 * (1 + 1e-12)
    short = Clip((block.l2 * 0.99,))
    with pytest.raises(ValueError, match="nothing is rounded or clipped"):
        whole.encode(bound.grid, short)


def replace_test(rows, gone):
    test = rows.test.copy()
    test[gone] = False
    return dataclasses.replace(rows, test=test)


def test_the_noise_of_three_labels_is_that_of_a_sensitivity_of_root_three():
    """Beside the mechanism of a block that is the same but for its bound."""
    spec = noised()
    _, ask = asked(spec)
    (block,) = ask.blocks
    other = dataclasses.replace(ask, blocks=(dataclasses.replace(block, l2=1.0),))
    ours, theirs = mechanism(spec, ask), mechanism(spec, other)
    assert ours.cost == theirs.cost  # the same epsilon
    assert ours.real(ours.sigma)[0] == pytest.approx(math.sqrt(3) * theirs.real(theirs.sigma)[0], rel=1e-9)
    person = noised("person", rows_per_person=4, evaluation=1.0)
    person = replaced(person, data=replaced(person.data, person="id"))
    (block,) = asked(person)[1].blocks
    assert (block.high, block.l2) == (4.0, 4 * math.sqrt(3))


def test_a_forecast_is_of_each_label_as_of_a_target_of_its_own_with_that_noise():
    spec = noised()
    _, ask = asked(spec)
    one = replaced(spec, data=replaced(spec.data, target=Target(column="edema", positive=("1",), negative=("0",))))
    found = forecast.metrics(spec, ask.blocks, 2.0)
    (block,) = evaluate.blocks(one, np.zeros(0))
    assert block.size * 3 == ask.blocks[0].size
    assert found == forecast.metrics(one, (block,), 2.0)


def test_the_server_and_owners_are_told_of_every_label():
    spec = labels.plan("mask").spec
    assert "a network model of 'edema', 'effusion', 'pneumonia'" in task_of(spec).learnt(spec, "a")
    assert set(LABELS) < set(columns_read(spec))
    said = opened(spec)
    assert ", and the number of training rows" in said
    assert "held-out rows in each of 6144 cells (label, side, and bin of its scores)" in said


def test_labels_may_be_derived():
    halves = {one: {"kind": "bins", "from": name, "edges": [0.5], "values": ["0", "1"]} for one, name in MADE.items()}
    columns = {"x": labels.NUMBER, "z": labels.NUMBER, "edema": {"kind": "category", "values": ["0", "1"]}}
    target = {"columns": list(MADE), "positive": ["1"]}
    plan = labels.plan(target=target, data={"columns": columns, "derive": halves})
    frame = labels.frames()["a"]
    table = read(frame, plan.spec, "a")
    np.testing.assert_array_equal(table.target, frame[["x", "z"]].to_numpy() >= 0.5)
    assert table.features.shape == (80, 2)  # what labels are made of is no feature: the category's values are


MADE = {"right": "x", "up": "z"}


def test_a_row_without_one_label_is_left_out_and_told_by_that_label():
    frame = labels.frames()["a"]
    frame.loc[3, "effusion"] = None
    frame.loc[[3, 7], "pneumonia"] = ""
    table = read(frame, labels.plan().spec, "a")
    assert table.target.shape == (78, 3)
    assert not np.isnan(table.target).any()
    assert table.tally.dropped == {"effusion": 1, "pneumonia": 1}
    assert [(one.column, one.rows) for one in table.tally.targets] == [(name, 78) for name in LABELS]
    assert [one["positive"] for one in table.tally.document()["target"]] == table.target.sum(axis=0).tolist()


def test_a_value_that_no_label_declares_stops_the_site_by_column_and_line():
    frame = labels.frames()["a"]
    frame.loc[3, "effusion"] = "maybe"
    with pytest.raises(DataError, match=r"effusion.*line 4.*does not declare") as found:
        read(frame, labels.plan().spec, "a")
    assert "maybe" not in str(found.value)


def test_a_label_of_one_side_has_no_area_and_the_mean_is_that_of_the_others():
    frames = {name: frame.assign(pneumonia="0") for name, frame in labels.frames().items()}
    plan = labels.plan()
    outcome = run(build(plan.spec), site_tables(plan, frames))
    found = outcome.metrics
    assert found.labels["pneumonia"].auc is None
    assert "auc" not in found.labels["pneumonia"].population
    assert found.auc == pytest.approx((found.labels["edema"].auc + found.labels["effusion"].auc) / 2)
    assert found.accuracy == pytest.approx(np.mean([one.accuracy for one in found.labels.values()]))
    assert any("one class only of pneumonia: the mean AUC is that of other labels" in one for one in outcome.warnings)


@pytest.mark.slow
@pytest.mark.parametrize(
    "word", ["norm", *(pytest.param(one, marks=pytest.mark.slow) for one in ("median", "trimmed", "krum"))]
)
def test_rules_that_withstand_wrong_updates_count_rows_and_not_labels(tmp_path, word):
    """Alike sites give what the mean gives; with max_rows as many as a site has, labels are not taken for rows."""
    frame = labels.frames()["a"]
    frames, found = dict.fromkeys(labels.SITES, frame), {}
    for aggregation in ("mean", word):
        training = {"method": "average", "rounds": 1, "aggregation": aggregation}
        plan = labels.plan("tee", training=training, data=_data(max_rows=80))
        run_ = potluck.run(plan, frames, out=tmp_path / aggregation, ledger=tmp_path / "l")
        found[aggregation] = run_.model.weights
    np.testing.assert_allclose(found[word], found["mean"], rtol=0, atol=1e-5)
    first = form_of(plan.spec, goal_of(plan.spec), 2).initial()
    assert np.abs(found["mean"] - first).max() > 1e-3


COLUMNS = {"columns": ["edema", "effusion"], "positive": ["1"]}


@pytest.mark.parametrize(
    ("target", "tables", "said"),
    [
        ({**COLUMNS, "column": "edema"}, {}, "takes column or columns"),
        ({"columns": [], "positive": ["1"]}, {}, "takes column or columns"),
        ({"positive": ["1"]}, {}, "takes column or columns"),
        ({"columns": ["edema"], "positive": ["1"]}, {}, 'lists one label. hint: column = "edema"'),
        ({"columns": ["edema", "edema"], "positive": ["1"]}, {}, "edema is there twice"),
        ({"columns": ["edema", "effusion"]}, {}, "labels are of two sides each"),
        ({"columns": ["edema", "effusion"], "classes": ["0", "1"]}, {}, "labels are of two sides each"),
        ({"columns": [f"l{i}" for i in range(65)], "positive": ["1"]}, {}, "64"),
        (COLUMNS, {"data": {"person": "edema"}}, "edema is data.target.columns too"),
        (COLUMNS, {"data": {"split": {"column": "effusion"}}}, "effusion is data.target.columns too"),
        (COLUMNS, {"data": {"columns": {"x": labels.NUMBER, "edema": {"kind": "ignore"}}}}, "edema is ignored"),
        (
            COLUMNS,
            {"data": {"columns": {"x": labels.NUMBER, "edema": {"kind": "category", "values": ["0", "1"]}}}},
            "declared with different values",
        ),
        (COLUMNS, {"model": {"kind": "logistic"}}, "a logistic model predicts one of two sides"),
        (COLUMNS, {"training": {"class_weights": {"1": 2.0}}}, "a row has several labels"),
        (
            COLUMNS,
            {"training": {"stop": {"metric": "rmse"}}, "data": {"split": {"test": 0.2, "validation": 0.1}}},
            'this target has no "rmse"',
        ),
    ],
)
def test_words_that_do_not_fit_are_refused_by_name(target, tables, said):
    model = tables.get("model")
    tables = {name: one for name, one in tables.items() if name != "model"}

    def checked():
        plan = labels.plan(target=target, **tables)
        return (plan.set("model", model) if model else plan).require()

    with pytest.raises(PlanError) as found:
        checked()
    assert said in str(found.value)


def test_a_label_is_no_feature_wherever_it_is_declared():
    side = {"kind": "category", "values": ["0", "1"]}
    columns = {"x": labels.NUMBER, **dict.fromkeys(LABELS, side)}
    plan = labels.plan(target={"columns": list(LABELS), "positive": ["1"]}, data={"columns": columns})
    table = read(labels.frames()["a"], plan.spec, "a")
    assert table.features.shape[1] == 1
    assert goal_of(plan.spec).values == ("0", "1")


def test_what_is_written_of_one_column_is_what_it_was():
    """So that digests of models and hashes of plans from before stay as they are."""
    goal = Goal(column="y", side="binary", positive=("1",))
    told = b'{"column":"y","kind":"binary","positive":["1"],"classes":[],"values":[],"low":-1.0,"high":1.0}'
    assert msgspec.json.encode(goal) == told
    plan = labels.plan(target={"column": "edema", "positive": ["1"]})
    target = msgspec.json.decode(canonical(plan.spec))["data"]["target"]
    assert target == {"column": "edema", "positive": ["1"], "negative": None, "classes": None}
    assert msgspec.json.decode(canonical(labels.plan().spec))["data"]["target"]["columns"] == list(LABELS)


def test_a_card_with_odd_labels_is_refused():
    plan = labels.plan()
    model = run(build(plan.spec), site_tables(plan)).model
    assert not fault(model.card)
    goal = model.card.target
    for columns in (("a",), ("a", "a"), tuple(f"l{i}" for i in range(65)), msgspec.UNSET):
        card = msgspec.structs.replace(model.card, target=msgspec.structs.replace(goal, columns=columns))
        assert "label" in fault(card)


def test_scikit_learns_own_network_says_the_same():
    plan = labels.plan()
    model = run(build(plan.spec), site_tables(plan)).model
    frame = labels.frames(seed=1)["a"][["x", "z"]]
    made = model.to_sklearn()
    np.testing.assert_allclose(made.predict_proba(frame), model.predict_proba(frame), atol=1e-12)
    np.testing.assert_array_equal(made.predict(frame), model.predict(frame))
    gone = frame.copy()
    gone.loc[0, "x"] = np.nan
    with pytest.raises(DataError):
        model.predict(gone)
