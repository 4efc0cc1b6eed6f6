"""Additive models: the fit of a regression on bins, the same under every protection, steps that never go up, lies."""

import json

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import log_loss

import potluck
from potluck.core.asks import Kind
from potluck.core.errors import UsageError
from potluck.core.rounds import Abort, Cause
from potluck.learning.data.table import read
from potluck.learning.loops import TrainTask
from potluck.learning.models.boosted.layout import layout
from potluck.learning.training.boosting.additive import in_a_row
from potluck.secret.random import system
from support.learning import boosted, sums

KIND = {"kind": "additive"}
LONG = {"model": KIND | {"bins": 5, "l2": 4.0}, "training": {"rounds": 400}}


def trained(made, sites):
    """The model, by exact sums of all sites on the plan's grid."""
    tables = {name: read(rows, made.spec, name) for name, rows in sites.items()}
    return sums.run(TrainTask(made.spec, evaluated=False), tables, grid=True).model


def settled(name, **tables):
    """(model after many rounds, 0/1 features of the training rows' bins, their target)"""
    frame, columns, target = boosted.numbered(name) if name != "mixed" else boosted.mixed()
    sites = boosted.dealt(frame)
    made = boosted.plan(columns, target, **tables)
    features, truth, train = boosted.pooled(made, sites)
    how = layout(made.spec)
    row, cell = how.places(features)
    bits = np.zeros((len(features), how.cells))
    bits[row, cell] = 1.0
    return trained(made, sites), features[train], bits[train][:, 1:], truth[train]


@pytest.mark.slow
def test_many_rounds_lead_to_the_ridge_regression_on_bins():
    """scikit-learn's logistic regression of 0/1 features, one a bin, is the fit of the same objective."""
    model, features, bits, truth = settled("mixed", **LONG)
    theirs = LogisticRegression(C=1 / 4, tol=1e-10, max_iter=5000).fit(bits, truth)
    assert np.abs(model.margins(features)[:, 0] - theirs.decision_function(bits)).max() < 1e-3


def test_a_number_settles_at_the_ridge_regression_on_bins():
    model, features, bits, truth = settled("diabetes", **LONG)
    assert np.abs(model.margins(features)[:, 0] - Ridge(alpha=4.0).fit(bits, truth).predict(bits)).max() < 1e-3


@pytest.mark.slow
def test_classes_settle_at_the_regression_on_bins_and_weights_count():
    model, features, bits, truth = settled("wine", **LONG)
    theirs = LogisticRegression(C=1 / 4, tol=1e-10, max_iter=5000).fit(bits, truth)
    assert np.abs(model.scored_features(features) - theirs.predict_proba(bits)).max() < 1e-3
    weights = {"model": LONG["model"], "training": {"rounds": 400, "class_weights": {"1": 3.0}}}
    model, features, bits, truth = settled("mixed", **weights)
    theirs = LogisticRegression(C=1 / 4, tol=1e-10, max_iter=5000, class_weight={0: 1, 1: 3}).fit(bits, truth)
    assert np.abs(model.margins(features)[:, 0] - theirs.decision_function(bits)).max() < 1e-3


@pytest.mark.slow
def test_steps_go_down_though_columns_say_the_same():
    """Twelve copies of a column: a step by each alone would be twelve times too long. Its control: a rate of ten."""
    frame, columns, target = boosted.mixed()
    copies = {f"x{place}": frame.x for place in range(12)}
    columns = columns | dict.fromkeys(copies, columns["x"])
    sites = boosted.dealt(frame.assign(**copies))
    losses = []
    for rounds in (1, 2, 5, 20):
        made = boosted.plan(columns, target, model=KIND, training={"rounds": rounds})
        features, truth, train = boosted.pooled(made, sites)
        found = trained(made, sites).scored_features(features[train])
        losses.append(log_loss(truth[train], found))
    assert losses == sorted(losses, reverse=True)
    assert in_a_row(made.spec) == 1 + 13 + 1 + 1  # all rows; x and its copies; z; the category
    errors = potluck.check(boosted.plan(columns, target, model=KIND, training={"rate": 10.0})).errors
    assert errors == ["training.rate: 10 is beyond a whole step. hint: at most 1, e.g. 0.3"]


@pytest.mark.parametrize(
    "word", ["mask", *(pytest.param(word, marks=pytest.mark.slow) for word in ("he", "share", "tee"))]
)
def test_every_protection_gives_the_same_curves(word):
    frame, columns, target = boosted.mixed()
    few = {"model": KIND, "training": {"rounds": 3, "class_weights": {"1": 2.5}}}
    found = [potluck.run(boosted.plan(columns, target, one, **few), boosted.dealt(frame)) for one in ("clear", word)]
    assert found[1].model.digest() == found[0].model.digest()
    assert found[1].document["metrics"] == found[0].document["metrics"]


def test_a_bin_without_rows_says_what_the_nearest_with_rows_says():
    frame, columns, target = boosted.mixed()
    frame = frame[(frame.x < 4) | (frame.x > 8)].reset_index(drop=True)
    found = trained(boosted.plan(columns, target, model=KIND | {"bins": 10}), boosted.dealt(frame))
    (curve,) = found.curves.curves[0].values
    assert found.curves.curves[0].feature == "x"
    assert curve[3] == curve[4] == curve[5] != curve[6] == curve[7] == curve[8]


def test_a_model_is_read_as_it_was_written_and_a_broken_one_is_refused(tmp_path):
    frame, columns, target = boosted.mixed()
    made = boosted.plan(columns, target, model=KIND, training={"rounds": 2})
    model = potluck.run(made, boosted.dealt(frame)).model
    model.write(tmp_path / "model.json")
    again = potluck.Model.read(tmp_path / "model.json")
    assert again.digest() == model.digest()
    assert (again.scores(frame[["x", "z", "c"]]) == model.scores(frame[["x", "z", "c"]])).all()
    assert again.coefficients == {}
    whole = json.loads((tmp_path / "model.json").read_text())

    def broken(**change):
        path = tmp_path / "broken.json"
        path.write_text(json.dumps(whole | change))
        with pytest.raises(UsageError, match="broken model file") as caught:
            potluck.Model.read(path)
        return str(caught.value)

    curves = whole["curves"]["curves"]
    first = whole["curves"]["first"]
    assert "bins do not fit its kind" in broken(kind="trees")
    assert "not those of its encoding" in broken(curves={"first": first, "curves": curves[1:]})
    assert "other outputs" in broken(curves={"first": [*first, 0.0], "curves": curves})
    flag = [place for place, one in enumerate(curves) if one["feature"] == "z?"]
    for place, wide in ((0, 7), (0, 1), (*flag, 16)):
        odd = [one | {"values": [[0.0] * wide]} if at == place else one for at, one in enumerate(curves)]
        assert "several numbers of bins" in broken(curves={"first": first, "curves": odd})


def test_a_site_adds_nothing_to_curves_of_another_round():
    """A lying server announces what it likes: each of these ends the site's round, and the honest one does not."""
    frame, columns, target = boosted.mixed()
    spec = boosted.plan(columns, target, model=KIND).spec
    task, table = TrainTask(spec), read(boosted.dealt(frame)["a"], spec, "a")
    first = np.frombuffer(next(task.lead()).state, "<f8")

    def announced(rounds):
        weights = first.copy()
        weights[0] = rounds
        ask = task.ask(Kind.TRAIN, 1, weights.astype("<f8").tobytes())
        return list(task.contribute(ask, table, system))

    assert announced(1.0)  # the control
    for rounds in (0.0, 2.0, 0.5, -1.0, 1e6, np.nan):
        with pytest.raises(Abort) as caught:
            announced(rounds)
        assert caught.value.cause is Cause.TERMS
