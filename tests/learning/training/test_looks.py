"""Looks at validation rows: whose they are, what they open, when they end training, and which model is kept."""

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, log_loss, mean_squared_error, roc_auc_score

from potluck.core.asks import Kind
from potluck.core.errors import DataError
from potluck.core.fixed import decode
from potluck.core.plan import Data, Model, PrivacyPlan, Split, Target, Training
from potluck.core.rounds import Abort
from potluck.core.tables.training import Stop
from potluck.dp.mechanism import guarded, mechanism
from potluck.learning.check import check
from potluck.learning.data.target import goal_of
from potluck.learning.evaluation.validation import MOST_LOSS, row_losses
from potluck.learning.loops import TrainTask, build
from potluck.learning.models.model import model
from potluck.secret.random import system
from potluck.tasks.catalog import task_of
from support.learning.sums import category, frames, gridded, heart, hospitals, make, number, replaced, run

SPLIT = Split(test=0.34, validation=0.2, seed=43)


def looking(every=1, **more):
    """The heart plan, with looks."""
    spec = heart(training=Training(**({"method": "gradient", "rounds": 6, "evaluate_every": every} | more)))
    return replaced(spec, data=replaced(spec.data, split=SPLIT))


def validation(tables):
    x = np.vstack([one.features[one.validation] for one in tables.values()])
    return x, np.concatenate([one.target[one.validation] for one in tables.values()])


def test_validation_rows_are_nobodys_test_rows_and_move_none_of_them():
    with_, without = hospitals(looking()), hospitals(heart())
    for name, one in with_.items():
        assert one.test.tolist() == without[name].test.tolist()
        assert not (one.test & one.validation).any()
        assert one.train.tolist() == (~one.test & ~one.validation).tolist()
        assert one.tally.validation == one.validation.sum()
    share = sum(one.validation.sum() for one in with_.values()) / sum(one.rows for one in with_.values())
    assert share == pytest.approx(0.2, abs=0.05)


def test_beside_a_split_column_they_are_of_the_rows_that_it_does_not_hold_out():
    spec = make(
        data=Data(
            columns={"x": number(0, 300), "y": category("0", "1")},
            target=Target(column="y", positive=("1",)),
            split=Split(column="fold", validation=0.5),
        )
    )
    rows = pd.DataFrame({"x": range(300), "y": [0, 1] * 150, "fold": ["test", "train", "train"] * 100})
    table = frames(spec, rows)["a"]
    assert table.test.tolist() == [True, False, False] * 100
    assert not (table.test & table.validation).any()
    assert 70 < table.validation.sum() < 130


def test_a_person_is_on_one_of_three_sides():
    spec = looking()
    spec = replaced(
        spec,
        data=Data(
            columns={"x": number(0, 300), "y": category("0", "1")},
            person="who",
            target=Target(column="y", positive=("1",)),
            split=Split(test=0.3, validation=0.3),
        ),
    )
    rows = pd.DataFrame({"x": range(300), "y": [0, 1] * 150, "who": [f"p{n % 50}" for n in range(300)]})
    table = frames(spec, rows)["cleveland"]
    sides = table.test + 2 * table.validation
    assert {len(set(sides[table.person == who])) for who in range(50)} == {1}
    assert set(sides) == {0, 1, 2}


@pytest.mark.parametrize("method", ["gradient", "newton", "average"])
def test_no_validation_row_is_trained_on(method):
    spec = looking(method=method)
    table = hospitals(spec)["va"]
    other = replaced_rows(table)
    task = build(spec)
    ask = task.ask(Kind.TRAIN, 0, np.zeros(table.features.shape[1] + 1).tobytes())
    words = [guarded(mechanism(spec, ask), task.contribute(ask, one, system), system).words for one in (table, other)]
    assert (words[0] == words[1]).all()


def replaced_rows(table):
    """The same table with other validation and test rows."""
    features, target = table.features.copy(), table.target.copy()
    features[~table.train], target[~table.train] = 1.0, 0.0
    return type(table)(features, target, None, table.test, {}, table.schema, table.tally, validation=table.validation)


def test_a_look_says_what_scikit_learn_says_of_these_rows():
    spec = looking()
    tables = hospitals(spec)
    outcome = run(build(spec), tables, grid=True)
    x, y = validation(tables)
    assert [one.round for one in outcome.history] == [1, 2, 3, 4, 5, 6]
    last, scores = outcome.history[-1], outcome.model.scored_features(x)
    assert last.loss == pytest.approx(log_loss(y, scores), abs=1e-9)
    assert last.accuracy == accuracy_score(y, scores >= 0.5)
    assert last.auc == pytest.approx(roc_auc_score(y, scores), abs=2e-3)
    assert outcome.kept == 6


def test_a_look_at_classes_and_at_a_number_says_what_scikit_learn_says():
    rng = np.random.default_rng(1)
    x, z = rng.uniform(0, 10, (2, 400))
    frame = pd.DataFrame({"x": x, "z": z, "n": 3 * x - z, "k": np.where(x > 6, "c", np.where(z > 5, "b", "a"))})
    columns = {"x": number(0, 10), "z": number(0, 10), "n": number(-10, 30)}
    classes = Data(
        columns={**columns, "k": category("a", "b", "c")},
        split=SPLIT,
        target=Target(column="k", classes=("a", "b", "c")),
    )
    spec = make(
        data=classes,
        model=Model(kind="network", layers=(4,)),
        training=Training(method="average", rounds=2, evaluate_every=2),
    )
    tables = frames(spec, frame[:200], frame[200:])
    (look,) = run(build(spec), tables, grid=True).history
    known, (x_, y_) = run(build(spec), tables, grid=True).model, validation(tables)
    logits = known.margins(x_)
    chances = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    assert look.loss == pytest.approx(log_loss(y_, chances, labels=[0, 1, 2]), abs=1e-8)
    assert look.accuracy == accuracy_score(y_, logits.argmax(axis=1))
    assert (look.auc, look.rmse) == (None, None)
    spec = make(
        data=Data(columns=columns, target=Target(column="n"), split=SPLIT),
        model=Model(kind="linear"),
        training=Training(method="newton", rounds=2, evaluate_every=2),
    )
    tables = frames(spec, frame[:200], frame[200:])
    outcome = run(build(spec), tables, grid=True)
    x_, y_ = validation(tables)
    error = mean_squared_error(y_, outcome.model.margins(x_)[:, 0])
    assert outcome.history[0].loss == pytest.approx(error / 2, abs=1e-9)
    assert outcome.history[0].rmse == pytest.approx(math.sqrt(error) * 20, abs=1e-6)


@given(st.integers(0, 2**32 - 1), st.floats(0, 10))
def test_a_site_adds_what_its_rows_laid_out_would(seed, size):
    """Each row's loss within its bound and truncated by itself: a row moves the sum by no more than that."""
    spec = looking()
    table = hospitals(spec)["va"]
    weights = np.random.default_rng(seed).normal(size=table.features.shape[1] + 1) * 10**size / 100
    task = build(spec)
    ask = task.ask(Kind.VALIDATE, 0, weights.tobytes())
    bound = mechanism(spec, ask)
    found = decode(guarded(bound, task.contribute(ask, table, system), system).words, bound.grid)
    with np.errstate(over="ignore"):
        margins = model(spec, weights).margins(table.features[table.validation])[:, 0]
        losses = np.logaddexp(0, np.where(table.target[table.validation] == 1, -margins, margins))
    step = bound.grid.parts[1].step
    assert found[-1] == (np.floor(np.minimum(losses, MOST_LOSS) / step) * step).sum()
    assert found[:-1].sum() == table.validation.sum()
    assert [block.high for block in ask.blocks] == [1.0, MOST_LOSS]


def scripted(spec, losses):
    """A run whose looks say these losses, and the weights that were looked at."""
    task = TrainTask(spec)
    tables, lead, given_, weights = hospitals(spec), task.lead(), iter(losses), []
    ask = next(lead)
    try:
        while True:
            said = gridded(ask, task, tables)
            if ask.kind is Kind.VALIDATE:
                weights.append(np.frombuffer(ask.state))
                rows = said.part("cells").values.sum()
                said.release.values[said.grid.slices()["loss"]] = next(given_) * rows
            ask = lead.send(said)
    except StopIteration as stop:
        return stop.value, weights


@pytest.mark.parametrize(
    ("losses", "rounds", "kept"),
    [
        ([5, 4, 3, 2, 1, 0.5], 6, 6),  # always better
        (
            [3, 2, 2.5, 2.25, 1, 1],
            4,
            2,
        ),  # two in a row are no better than the best, though the second is than the first
        ([3, 3, 3], 3, 1),  # as good is no better
        ([4, 3, 3.5, 2, 2.5, 2.25], 6, 4),  # the last round ends it anyway
    ],
)
def test_training_ends_after_patience_and_keeps_the_best(losses, rounds, kept):
    spec = looking(stop=Stop(metric="loss", patience=2))
    outcome, weights = scripted(spec, losses)
    assert [one.round for one in outcome.history] == list(range(1, rounds + 1))
    assert outcome.kept == kept
    assert outcome.model.weights.tolist() == weights[kept - 1].tolist()


def test_what_the_last_round_opened_is_not_said_of_an_earlier_model():
    """The last model has not arrived. The one that is kept was never to arrive: it is what looks are for."""
    spec = looking(stop=Stop(metric="loss", patience=100))
    (kept, _), (last, _) = scripted(spec, [1, 2, 3, 4, 5, 6]), scripted(spec, [6, 5, 4, 3, 2, 1])
    assert (kept.kept, last.kept) == (1, 6)
    assert [any("has not arrived" in line for line in one.warnings) for one in (kept, last)] == [False, True]
    assert (kept.basis.converged, last.basis.converged) == (None, False)
    assert kept.basis.warnings == kept.warnings


class Blank:
    """A model that has no margin for some rows: those whose first feature is negative."""

    target = goal_of(looking())

    @staticmethod
    def margins(features):
        return np.where(features[:, :1] < 0, np.nan, 3.0)


def test_a_row_of_which_a_model_says_nothing_has_the_largest_loss():
    model = Blank()
    found = row_losses(model, model.margins(np.array([[-1.0], [1.0], [1.0]])), np.array([1.0, 1.0, 0.0]))
    assert found.tolist() == pytest.approx([MOST_LOSS, np.log1p(np.exp(-3.0)), np.log1p(np.exp(3.0))])


def test_of_a_rising_metric_more_is_better():
    spec = looking(rounds=30, rate=20.0, stop=Stop(metric="auc", patience=3))
    outcome = run(build(spec), hospitals(spec), grid=True)
    values = [one.auc for one in outcome.history]
    assert values.index(max(values)) + 1 == outcome.kept
    assert len(values) in (30, outcome.kept + 3)


def test_looks_are_after_every_so_many_rounds_and_the_last():
    spec = looking(4, rounds=10)
    assert spec.looks == 3
    assert [one.round for one in run(build(spec), hospitals(spec), grid=True).history] == [4, 8, 10]


def test_looks_change_no_model_where_nothing_stops():
    looked, plain = looking(2), looking(None)
    digests = {run(build(spec), hospitals(spec), grid=True).model.digest() for spec in (looked, plain)}
    assert len(digests) == 1


def test_a_site_takes_no_more_looks_than_the_plan_has():
    spec = looking(4, rounds=10)
    task, weights = build(spec), np.zeros(len(hospitals(spec)["va"].features[0]) + 1).tobytes()
    assert task.ask(Kind.VALIDATE, 2, weights).kind is Kind.VALIDATE
    for plan, step in ((spec, 3), (heart(), 0)):
        with pytest.raises(Abort, match="no sum validate"):
            build(plan).ask(Kind.VALIDATE, step, weights)


def test_no_validation_rows_are_named():
    spec = looking()
    rows = pd.DataFrame({"x": [1.0, 2, 3, 4], "y": [0, 1, 0, 1], "fold": ["train", "train", "test", "test"]})
    split = Split(column="fold", validation=1e-9)
    data = Data(
        columns={"x": number(0, 9), "y": category("0", "1")}, target=Target(column="y", positive=("1",)), split=split
    )
    spec = make(data=data, training=replaced(spec.training))
    with pytest.raises(DataError, match="no validation rows"):
        run(build(spec), frames(spec, rows), grid=True)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"data": None}, "training.evaluate_every: there are no validation rows"),
        ({"privacy": PrivacyPlan(noise="shared", unit="row", epsilon=1.0, delta=1e-5, clip=1.0)}, "would be a release"),
        ({"training": {"iterates": "averaged"}}, "what is released is a mean of several"),
        ({"training": {"stop": Stop(metric="rmse")}}, 'training.stop.metric: this target has no "rmse"'),
        ({"split": Split(test=0.5, validation=0.5)}, "data.split.validation: with test it leaves no row"),
    ],
)
def test_what_cannot_be_is_refused_by_name(change, said):
    spec = looking()
    assert check(spec)[0] == []
    if "training" in change:
        spec = replaced(spec, training=replaced(spec.training, **change["training"]))
    elif "split" in change:
        spec = replaced(spec, data=replaced(spec.data, split=change["split"]))
    elif "data" in change:
        spec = replaced(spec, data=heart().data)
    else:
        spec = replaced(spec, **change)
    (error,) = [line for line in check(spec)[0] if "expected_rows" not in line]
    assert said in error


def test_validation_rows_that_nobody_looks_at_are_told():
    assert any("nothing looks at them" in line for line in check(looking(None))[1])
    assert not any("nothing looks at them" in line for line in check(looking())[1])


def test_an_owner_reads_how_many_looks_there_are_and_at_most_where_training_may_end_early():
    def said(spec):
        return task_of(spec).learnt(spec, "va")

    assert "with 3 looks at validation rows" in said(looking(2))
    assert "with at most 3 looks at validation rows" in said(looking(2, stop=Stop(metric="loss", patience=2)))
