"""The table of what rows are and what a model says of them, against scikit-learn's and the accuracy beside it."""

import dataclasses

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import confusion_matrix

from potluck.core.asks import Kind
from potluck.core.plan import Data, Model, PrivacyPlan, Target, Training
from potluck.learning.evaluation.confusion import MOST, Confusion, paired
from potluck.learning.evaluation.evaluate import exact, metrics
from potluck.learning.evaluation.ranking import Z
from potluck.learning.loops import build
from potluck.learning.models.model import model as model_of
from support.learning.sums import answer, category, frames, heart, hospitals, make, number, replaced, run
from support.learning.tiny import FOLD, pooled

ROW = PrivacyPlan(noise="shared", unit="row", epsilon=1.0, delta=1e-5, clip=1.0)


def test_of_two_sides_it_is_scikit_learns_at_one_half():
    spec = heart()
    tables = hospitals(spec)
    outcome = run(build(spec), tables)
    x, y = pooled(tables, test=True)
    whole = confusion_matrix(y, outcome.model.scored_features(x) >= 0.5)
    found = outcome.metrics.confusion
    assert np.array_equal(found.counts, whole)
    assert (found.low, found.high) == ((), ())
    assert all(isinstance(one, int) for row in found.counts for one in row)
    assert exact(outcome.model, list(tables.values())).confusion == found


def with_noise(spec, trained, tables, std):
    """(metrics, the noised cells) of a model's evaluation, with noise of that size in each cell."""
    task = build(spec)
    ask = task.ask(Kind.EVALUATE, 0, trained.weights.astype("<f8").tobytes())
    draw = np.random.default_rng(0)
    said = answer(
        ask, task, tables, lambda ask, total: (total + draw.normal(0, std, len(total)), np.full(len(total), std))
    )
    return metrics(spec, trained, said)[0], said.part("cells").values


def test_with_noise_it_is_the_released_cells_added_up_and_its_intervals_are_the_noises():
    spec = heart(training=Training(method="gradient", rounds=20, expected_rows=500))
    tables = hospitals(spec)
    trained = run(build(spec), tables).model
    truth = np.array(exact(trained, list(tables.values())).confusion.counts)
    found, cells = with_noise(replaced(spec, privacy=ROW), trained, tables, 0.5)
    one = found.confusion
    counts, low, high = (np.array(part) for part in (one.counts, one.low, one.high))
    assert counts.sum(axis=1) == pytest.approx(cells.reshape(2, -1).sum(axis=1))
    assert counts.trace() / counts.sum() == pytest.approx(found.accuracy)
    assert (np.abs(truth - counts) < high - low).all()  # four standard deviations of the noise
    assert counts == pytest.approx((low + high) / 2)
    # Two sides of few bins: those below one half and those above are all of them.
    each = ((high - low) / (2 * Z * 0.5)) ** 2
    assert each.sum(axis=1) == pytest.approx([len(cells) / 2] * 2)


def classed(count, **keys):
    names = tuple(f"c{place}" for place in range(count))
    columns = {"x": number(0, 10), "y": category(*names)}
    data = Data(columns=columns, target=Target(column="y", classes=names), split=FOLD)
    return make(**{"data": data, "model": Model(kind="network"), "training": Training(method="average")} | keys)


def rows(count, n=200):
    draw = np.random.default_rng(count)
    return pd.DataFrame(
        {"x": draw.uniform(0, 10, n), "y": [f"c{i}" for i in draw.integers(0, count, n)], "fold": "test"}
    )


@pytest.mark.parametrize("count", [2, 3, 7])
def test_of_classes_it_is_scikit_learns(count):
    spec = classed(count)
    tables = frames(spec, rows(count), rows(count, 57))
    task = build(spec)
    start = np.frombuffer(next(task.lead()).state)
    weights = np.clip(start + np.random.default_rng(3).normal(0, 3, len(start)), -7, 7)
    trained = model_of(spec, weights)
    said = answer(task.ask(Kind.EVALUATE, 0, weights.tobytes()), task, tables)
    found = metrics(spec, trained, said)[0]
    x, y = pooled(tables, test=True)
    guess = trained.scored_features(x).argmax(axis=1)
    assert len(set(guess)) > 1
    assert np.array_equal(found.confusion.counts, confusion_matrix(y, guess, labels=range(count)))
    assert found.accuracy == (guess == y).mean()
    assert exact(trained, list(tables.values())).confusion == found.confusion


def test_with_noise_or_many_classes_only_what_is_right_is_counted():
    noisy = classed(3, privacy=replaced(ROW, unit="site", evaluation=0.1))
    assert [paired(noisy, count) for count in (2, 3)] == [True, False]
    assert [paired(classed(3), count) for count in (2, MOST, MOST + 1)] == [True, True, False]
    task = build(noisy)
    assert task.ask(Kind.EVALUATE, 0, next(task.lead()).state).blocks[0].size == 6
    spec = classed(MOST + 1)
    task = build(spec)
    state = next(task.lead()).state
    found = metrics(
        spec,
        model_of(spec, np.frombuffer(state)),
        answer(task.ask(Kind.EVALUATE, 0, state), task, frames(spec, rows(MOST + 1))),
    )[0]
    assert not found.confusion.pairs
    assert np.array(found.confusion.counts).sum(axis=0)[1] / found.rows == found.accuracy


def test_with_noise_what_is_right_of_each_class_and_the_largest_class_are_the_released_cells():
    spec = classed(3)
    tables = frames(spec, rows(3), rows(3, 400))
    task = build(spec)
    trained = model_of(spec, np.frombuffer(next(task.lead()).state))
    noisy = replaced(spec, privacy=replaced(ROW, evaluation=0.1))
    found, cells = with_noise(noisy, trained, tables, 0.5)
    one, (x, y) = found.confusion, pooled(tables, test=True)
    whole = confusion_matrix(y, trained.scored_features(x).argmax(axis=1), labels=range(3))
    truth = np.column_stack([whole.sum(axis=1) - whole.diagonal(), whole.diagonal()])
    assert not one.pairs
    assert np.array_equal(one.counts, cells.reshape(3, 2))
    assert (np.abs(truth - np.array(one.counts)) < 4 * 0.5).all()  # the noise is seeded
    assert np.array(one.high) - np.array(one.low) == pytest.approx(2 * Z * 0.5)
    each = np.bincount(y.astype(int))
    assert one.largest == (each.argmax(), pytest.approx(each.max() / len(y), abs=0.01))
    told = one.document(("a", "b", "c"))
    assert told["said"] == ["wrong", "right"]
    assert told["largest"]["label"] == "abc"[each.argmax()]
    assert Confusion(((-3.0, 1.0), (1.0, -2.0))).largest is None  # noise left no rows


@pytest.mark.parametrize("unit", ["person", "site"])
def test_sums_that_do_not_count_rows_give_no_table(unit):
    spec = heart(training=Training(method="gradient", rounds=1, expected_rows=500))
    tables = hospitals(spec)
    trained = run(build(spec), tables).model
    spec = replaced(spec, privacy=replaced(ROW, unit=unit, evaluation=0.2))
    tables = {name: dataclasses.replace(one, person=np.arange(one.rows)) for name, one in tables.items()}
    assert with_noise(spec, trained, tables, 0.1)[0].confusion is None
