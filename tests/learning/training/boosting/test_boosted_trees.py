"""Trees grown from summed histograms: the known answer, XGBoost's margins, every protection, early ends, lies."""

import json
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

import potluck
from potluck.core.asks import Kind
from potluck.core.rounds import Abort, Cause
from potluck.learning.data.table import read
from potluck.learning.loops import TrainTask
from potluck.learning.models.boosted.forest import MOST
from potluck.learning.models.boosted.layout import layout
from potluck.secret.random import system
from support.learning import boosted, sums

KEPT = json.loads((Path(__file__).parent / "xgboost_margins.json").read_text())
"""By case, margins of XGBoost 3.2 on every 19th row: `make test-all` makes them again (test_xgboost.py)."""


def test_the_known_answer_on_breast_cancer():
    """20 trees of depth 3 on 16 bins: XGBoost's first cut, AUC on held-out rows to eight digits."""
    frame, columns, target = boosted.numbered("cancer")
    sites = boosted.dealt(frame)
    found = potluck.run(boosted.plan(columns, target), sites)
    held = np.arange(len(frame)) % 3 == 0
    score = found.model.predict_proba(frame)[:, 1]
    assert roc_auc_score(frame.y[held], score[held]) == pytest.approx(0.98978532, abs=5e-9)
    first = found.model.forest.trees[0]
    assert first.features[0] == "f27"
    assert np.float32(first.cuts[0]) == np.nextafter(np.float32(0.0), np.float32(-1))  # below bin 8 of 16
    assert len(found.document["rounds"]) == 60


@pytest.mark.parametrize("name", boosted.CASES)
def test_margins_are_those_of_xgboost_on_the_same_bins(name):
    made, sites = boosted.case(name)
    model = potluck.run(made, sites).model
    features, _, _ = boosted.pooled(made, sites)
    assert np.abs(model.margins(features)[:: boosted.EVERY] - np.array(KEPT[name])).max() < 1e-5


@pytest.mark.parametrize(
    "word", ["mask", *(pytest.param(word, marks=pytest.mark.slow) for word in ("he", "share", "tee"))]
)
def test_every_protection_grows_the_same_trees(word):
    frame, columns, target = boosted.gaps()
    small = {"training": {"rounds": 2}, "model": {"depth": 2}}
    found = [potluck.run(boosted.plan(columns, target, one, **small), boosted.dealt(frame)) for one in ("clear", word)]
    assert found[1].model.digest() == found[0].model.digest()
    assert found[1].document["metrics"] == found[0].document["metrics"]


def test_a_look_ends_training_after_whole_rounds():
    frame, columns, target = boosted.mixed()
    stop = {"rounds": 30, "rate": 1.0, "stop": {"metric": "loss", "patience": 2}}
    data = {"split": {"test": 0.2, "validation": 0.3}}
    columns = {name: one for name, one in columns.items() if name != "part"}
    found = potluck.run(
        boosted.plan(columns, target, training=stop, data=data | {"columns": columns}), boosted.dealt(frame)
    )
    looks, best = found.document["history"], found.document["model"]["round"]
    assert [one["round"] for one in looks] == list(range(1, best + 3))
    assert min(looks, key=lambda one: one["loss"])["round"] == best == len(found.model.forest.trees) < 30
    assert len(found.document["rounds"]) == 3 * (best + 2)


def test_the_cost_that_check_foretells_is_that_of_all_levels():
    """A sum of depth d has twice as many nodes as one of d - 1: the last of three is 4/7 of a round."""
    made, sites = boosted.case("two sides")
    said, run = potluck.check(made), potluck.run(made, sites)
    assert said.rounds == len(run.document["rounds"]) == 12
    sent = sum(one["bytes_up"] for one in run.document["rounds"]) / 3
    assert said.bytes_all == pytest.approx(sent, rel=0.02)
    assert said.bytes_up * 4 * (1 + 1 / 2 + 1 / 4) == pytest.approx(said.bytes_all, rel=0.05)


def test_trees_with_noise_are_refused_and_told_what_goes():
    _, columns, target = boosted.mixed()
    noise = {"noise": "reveal", "unit": "row", "epsilon": 1.0, "delta": 1e-5}
    errors = potluck.check(boosted.plan(columns, target, privacy=noise)).errors
    assert any(one.startswith("model.kind") and 'kind = "additive"' in one for one in errors)


@pytest.mark.parametrize(
    ("model", "training", "word"),
    [
        ({"kind": "trees"}, {"method": "gradient"}, 'method = "boosting"'),
        ({"kind": "logistic"}, {"method": "boosting"}, '"newton"'),
        ({"kind": "trees"}, {"rounds": 1001}, "training.rounds"),
        ({"kind": "trees"}, {"rate": 1.5}, "training.rate"),
    ],
)
def test_what_is_not_boosted_is_refused(model, training, word):
    _, columns, target = boosted.mixed()
    errors = potluck.check(boosted.plan(columns, target, model=model, training=training)).errors
    assert len(errors) == 1
    assert word in errors[0]


def test_the_hint_beside_no_rounds_says_the_most_of_boosting():
    _, columns, target = boosted.mixed()
    (error,) = potluck.check(boosted.plan(columns, target, training={"rounds": 0})).errors
    assert error.endswith(f"of boosting at most {MOST}")


def announced(change):
    """A site's answer to the second sum of a first tree, after its server changed what it announces."""
    made, sites = boosted.case("two sides")
    spec = made.spec
    task, table = TrainTask(spec), read(sites["a"], spec, "a")
    lead = task.lead()
    first = np.frombuffer(next(lead).state, "<f8")
    weights = first.copy()
    weights[0] = 1.0
    change(weights)
    ask = task.ask(Kind.TRAIN, 1, weights.astype("<f8").tobytes())
    return list(task.contribute(ask, table, system))


def test_a_site_adds_nothing_to_trees_that_are_none():
    """A lying server announces what it likes: each of these ends the site's round, and the honest one does not."""

    def put(place, value):
        return lambda weights: weights.__setitem__(place, value)

    assert announced(put(0, 1.0))  # the control
    levels, feature, left = (0, 2.0), (1, 30.0), (15, 2.0)
    for place, value in (levels, (0, 0.5), (0, -3.0), (0, 1e6), (0, np.nan), feature, (1, -1.0), (1, 0.5), left):
        with pytest.raises(Abort) as caught:
            announced(put(place, value))
        assert caught.value.cause is Cause.TERMS


def test_what_a_site_found_before_changes_no_word_of_its_sums():
    """It keeps margins from sum to sum: a fresh process adds the same, also where a server announces other trees."""
    made, sites = boosted.case("two sides")
    spec, tables = made.spec, {name: read(rows, made.spec, name) for name, rows in sites.items()}
    warm, lead, asks = TrainTask(spec, evaluated=False), TrainTask(spec, evaluated=False).lead(), []
    ask = next(lead)
    while len(asks) < 8:
        asks.append(ask)
        ask = lead.send(sums.gridded(warm.ask(ask.kind, ask.step, ask.state), warm, tables))
    other = np.frombuffer(ask.state, "<f8").copy()
    other[1 + 3 * 7] += 0.25  # a leaf of the first tree
    lies = ask.kind, ask.step, other.astype("<f8").tobytes()

    def words(task, kind, step, state):
        return sums.gridded(task.ask(kind, step, state), task, {"a": tables["a"]}).release.values.tobytes()

    honest = ask.kind, ask.step, bytes(ask.state)
    fresh = [words(TrainTask(spec, evaluated=False), *one) for one in (honest, lies)]
    assert fresh[0] != fresh[1]
    assert [words(warm, *one) for one in (honest, lies, honest)] == [fresh[0], fresh[1], fresh[0]]


def test_a_server_that_starts_again_goes_on_from_the_sums_that_it_kept():
    """After a crash opened sums are read back in their order: the next model is the same to the last bit, and so is the
    last."""
    made, sites = boosted.case("missing and weighed")
    spec, tables = made.spec, {name: read(rows, made.spec, name) for name, rows in sites.items()}
    task, kept = TrainTask(spec, evaluated=False), []
    lead = task.lead()
    ask = next(lead)
    try:
        while True:
            kept.append((bytes(ask.state), sums.gridded(ask, task, tables)))
            ask = lead.send(kept[-1][1])
    except StopIteration as stop:
        whole = stop.value
    again = TrainTask(spec, evaluated=False).lead()
    ask = next(again)
    for state, answer in kept[:-1]:
        assert bytes(ask.state) == state
        ask = again.send(answer)
    with pytest.raises(StopIteration) as stop:
        again.send(kept[-1][1])
    assert stop.value.value.model.digest() == whole.model.digest()


def test_of_cuts_that_part_alike_the_one_below_a_bin_with_rows_is_taken():
    """XGBoost cuts at values that are there: rows in bins 1 and 6 of 8 are parted below 6, by which others go left."""
    rng = np.random.default_rng(1)
    frame, columns, target = boosted.mixed()
    frame = frame.assign(x=np.where(rng.random(600) < 0.5, 2.0, 8.0))
    frame["y"] = (frame.x > 5).astype(int)
    found = potluck.run(
        boosted.plan(columns, target, model={"bins": 8}, training={"rounds": 1}), boosted.dealt(frame)
    ).model
    first = found.forest.trees[0]
    assert first.features[0] == "x"
    assert np.float32(first.cuts[0]) == np.nextafter(np.float32(0.5), np.float32(-1))


def test_a_row_on_an_edge_lies_in_the_bin_that_begins_there():
    """[a, b), the end of the range in the last bin, whatever rounding made of a value: 3 of 10 begins one of ten."""
    columns = {"x": {"kind": "number", "low": 0, "high": 10}, "y": {"kind": "category", "values": ["0", "1"]}}
    made = boosted.plan(
        columns | {"part": {"kind": "category", "values": ["test", "train"]}},
        {"column": "y", "positive": ["1"]},
        model={"bins": 10},
    )
    how = layout(made.spec)
    whole = np.arange(11.0)
    _, cell = how.places((2 * whole / 10 - 1)[:, None])
    assert (cell[11:] - 1).tolist() == [*range(10), 9]
    _, cell = how.places((2 * (whole[1:] - 1e-5) / 10 - 1)[:, None])
    assert (cell[10:] - 1).tolist() == list(range(10))
