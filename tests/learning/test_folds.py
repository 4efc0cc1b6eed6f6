"""Cross-validation against scikit-learn's, and against runs of their own in which a fold's rows are the test rows."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import accuracy_score, roc_auc_score
from sklearn.model_selection import PredefinedSplit, cross_val_score

from potluck.core.asks import Kind
from potluck.core.plan import Data, Federation, Model, PrivacyPlan, Split, Target, Training
from potluck.core.rounds import Abort, Cause
from potluck.core.tables.evaluation import Evaluate
from potluck.core.tables.training import Stop, Vote
from potluck.drivers.sums import drive
from potluck.learning.check import check
from potluck.learning.data.table import read
from potluck.learning.evaluation.cells import BINS
from potluck.learning.folds import FEWEST, foreseen
from potluck.learning.kept import InMemory
from potluck.learning.loops import TrainTask, build
from potluck.tasks.sums.rows import least_summed
from support.learning.sums import category, gridded, heart, hospitals, make, number, replaced
from support.learning.sums import run as summed

FOLDS = 4
DEALT = Evaluate(folds=FOLDS)
NEWTON = Training(method="newton", rounds=12)


def run(task, tables):
    return summed(task, tables, grid=True)


def pooled(tables):
    """(features, target, fold) of the rows that train."""
    each = [(one.features[one.train], one.target[one.train], one.folds[one.train]) for one in tables.values()]
    return tuple(np.concatenate(some) for some in zip(*each, strict=True))


def two(tables):
    """The larger hospitals: of the others a batch would be too few rows."""
    return {name: tables[name] for name in ("cleveland", "hungarian")}


def alone(tables, fold):
    """The tables of a run whose test rows are a fold, and in which the others' test rows are in nothing: by hand."""
    return {
        name: replace(one, test=one.folds == fold, beyond=one.test, folds=one.folds[:0], kept=InMemory())
        for name, one in tables.items()
    }


def numbers(draw, rows=240):
    x = draw.uniform(0, 10, rows)
    return pd.DataFrame({"x": x, "c": draw.choice(["u", "v"], rows), "y": 0.4 * x + draw.normal(0, 1.5, rows)})


def plan_of_numbers(**keys):
    columns = {"x": number(0, 10), "c": category("u", "v"), "y": number(-5, 10)}
    return make(data=Data(columns=columns, target=Target(column="y"), split=Split(test=0.2)), **keys)


def binned(model, x, y):
    """scikit-learn's area, of scores snapped to bins: what bins cost is none of this test's business."""
    return roc_auc_score(y, np.floor(BINS / (1 + np.exp(-model.decision_function(x) / 2))))


def test_metrics_of_folds_are_those_of_scikit_learn():
    spec = heart(training=NEWTON, evaluate=DEALT)
    tables = hospitals(spec)
    x, y, fold = pooled(tables)
    found = run(build(spec), tables).folds
    model, parts = LogisticRegression(C=1.0, tol=1e-10, max_iter=1000), PredefinedSplit(fold)
    scorers = {"auc": binned, "accuracy": lambda one, x, y: accuracy_score(y, one.predict(x))}
    for name, scorer in scorers.items():
        by_sklearn = cross_val_score(model, x, y, cv=parts, scoring=scorer)
        assert [getattr(one, name) for one in found.each] == pytest.approx(by_sklearn.tolist(), abs=1e-9)
        assert found.mean[name] == pytest.approx(by_sklearn.mean(), abs=1e-9)
        assert found.spread[name] == pytest.approx(by_sklearn.std(ddof=1), abs=1e-9)
    assert [one.rows for one in found.each] == np.bincount(fold.astype(int))[1:].tolist()
    assert found.whole.rows == len(y)


def test_so_are_those_of_a_number():
    spec = plan_of_numbers(model=Model(kind="linear"), training=Training(method="newton"), evaluate=DEALT)
    draw = np.random.default_rng(1)
    tables = {name: read(numbers(draw), spec, name) for name in "ab"}
    x, y, fold = pooled(tables)
    found, parts = run(build(spec), tables).folds, PredefinedSplit(fold)
    for name, scorer, unit in (("r2", "r2", 1.0), ("rmse", "neg_root_mean_squared_error", -7.5)):
        by_sklearn = unit * cross_val_score(Ridge(alpha=1.0), x, y, cv=parts, scoring=scorer)
        assert [getattr(one, name) for one in found.each] == pytest.approx(by_sklearn.tolist(), abs=1e-6)
    assert found.curves is None


WAYS = {
    "newton": (Model(kind="logistic"), NEWTON),
    "gradient": (Model(kind="logistic"), Training(method="gradient", rounds=5, expected_rows=500, batch=200)),
    "scaffold": (Model(kind="logistic"), Training(method="average", local="scaffold", rounds=4, steps=5, rate=0.3)),
    "trees": (Model(kind="trees", depth=3), Training(method="boosting", rounds=3, rate=0.3)),
    "additive": (Model(kind="additive"), Training(method="boosting", rounds=6, rate=0.3)),
    "looks": (
        Model(kind="logistic"),
        Training(method="gradient", rounds=30, rate=8.0, stop=Stop(metric="loss", patience=1)),
    ),
}


FAST = ("gradient", "scaffold")


@pytest.mark.parametrize("way", [way if way in FAST else pytest.param(way, marks=pytest.mark.slow) for way in WAYS])
def test_a_fold_is_the_same_training_without_its_rows(way):
    """Each as a run of its own whose test rows are the fold's, and the run's model as if there were no fold: what sites
    keep of one training is not in the next, and nothing of a fold's rows is in its model."""
    model, training = WAYS[way]
    split = Split(test=0.34, seed=43, validation=0.2 if training.stop else None)
    plain = heart(model=model, training=training)
    plain = replaced(plain, data=replaced(plain.data, split=split))
    spec = replaced(plain, evaluate=DEALT)
    tables, before = (two(hospitals(one)) for one in (spec, plain))
    found, whole = run(build(spec), tables), run(build(plain), before)
    assert (found.model.digest(), found.metrics, found.kept) == (whole.model.digest(), whole.metrics, whole.kept)
    fewer = training if training.expected_rows is None else replaced(training, expected_rows=375)
    for fold, told in enumerate(found.folds.each, 1):
        assert told == run(build(replaced(plain, training=fewer)), alone(two(hospitals(spec)), fold)).metrics


def test_curves_are_of_all_rows_by_models_that_did_not_see_them():
    spec = heart(training=NEWTON, evaluate=DEALT)
    tables = hospitals(spec)
    x, y, fold = pooled(tables)
    found = run(build(spec), tables).folds
    said = np.zeros(len(y))
    for one in range(1, FOLDS + 1):
        fitted = LogisticRegression(C=1.0, tol=1e-10, max_iter=1000).fit(x[fold != one], y[fold != one])
        said[fold == one] = fitted.predict_proba(x[fold == one])[:, 1]
    assert found.whole.auc == pytest.approx(roc_auc_score(y, said), abs=2e-3)  # ties within bins of a score
    assert found.whole.accuracy == pytest.approx(np.mean((said >= 0.5) == y), abs=1e-9)
    assert sum(one.rows.value for one in found.curves.calibration) == len(y)
    for one in found.curves.thresholds:
        called, near = said >= one.at, np.abs(said - one.at) < 0.002  # rows whose bin lies across the edge
        assert abs(one.tpr.value - called[y == 1].mean()) <= near[y == 1].sum() / y.sum() + 1e-9
        assert abs(one.fpr.value - called[y == 0].mean()) <= near[y == 0].sum() / (1 - y).sum() + 1e-9


def test_a_rows_fold_is_its_own_whatever_rows_there_are_beside_it():
    spec = plan_of_numbers(training=NEWTON, evaluate=Evaluate(folds=5))
    rows = numbers(np.random.default_rng(2), 2000)
    whole, half = read(rows, spec, "a"), read(rows.iloc[1::2], spec, "a")
    assert np.array_equal(whole.folds[1::2], half.folds)
    assert np.array_equal(whole.test, read(rows, replaced(spec, evaluate=None), "a").test)
    assert np.array_equal(whole.folds > 0, whole.train)
    counts = np.bincount(whole.folds)[1:]
    assert len(counts) == 5
    assert np.abs(counts - whole.train.sum() / 5).max() < 5 * np.sqrt(whole.train.sum() * 0.16)


def test_a_person_is_in_one_fold_and_a_split_column_or_none_deals_too():
    rows = numbers(np.random.default_rng(3), 600).assign(who=np.arange(600) % 90, side=["test", "", ""] * 200)
    spec = plan_of_numbers(training=NEWTON, evaluate=DEALT)
    for data in (
        replaced(spec.data, person="who"),
        replaced(spec.data, person="who", split=Split(column="side")),
        replaced(spec.data, person="who", split=None),
    ):
        found = read(rows, replaced(spec, data=data), "a")
        pairs = {(who, fold) for who, fold in zip(found.person[found.train], found.folds[found.train], strict=True)}
        assert len(pairs) == len(set(found.person[found.train].tolist())) > 50
        assert np.array_equal(found.folds > 0, found.train)
    unsplit = run(build(replaced(spec, data=replaced(spec.data, split=None), model=Model(kind="linear"))), {"a": found})
    assert unsplit.metrics is None
    assert unsplit.folds.whole.rows == 600


def test_every_sum_has_a_number_of_its_own_and_a_site_knows_no_other():
    spec = heart(training=NEWTON, evaluate=DEALT)
    task = build(spec)
    first = next(task.lead()).state
    asks = [task.ask(Kind.TRAIN, step, first) for step in range(spec.sums)]
    assert [one.step for one in asks] == list(range(NEWTON.rounds * (FOLDS + 1)))
    assert [one.fold for one in asks] == [step // NEWTON.rounds for step in range(spec.sums)]
    assert [task.ask(Kind.EVALUATE, step, first).fold for step in range(FOLDS + 1)] == list(range(FOLDS + 1))
    for kind, step in ((Kind.TRAIN, spec.sums), (Kind.EVALUATE, FOLDS + 1), (Kind.VALIDATE, 0)):
        with pytest.raises(Abort, match="no sum"):
            task.ask(kind, step, first)
    other = np.full(len(first) // 8, 0.1).tobytes()
    with pytest.raises(Abort, match="initial one"):  # of a fold's first sum too
        task.ask(Kind.TRAIN, 2 * NEWTON.rounds, other)


def test_what_is_learnt_rests_on_no_more_rows_than_the_smallest_fold_has():
    spec = heart(training=NEWTON, evaluate=DEALT)
    plain = replaced(spec, evaluate=None)
    for one, other in zip(hospitals(spec).values(), hospitals(plain).values(), strict=True):
        assert least_summed(spec, one) == min(np.bincount(one.folds)[1:])
        assert least_summed(plain, other) == other.train.sum() == one.train.sum()


def test_a_fold_without_rows_ends_no_run():
    """Fourteen rows of one site in 20 folds: the run's model is that without folds, and the mean is of folds that have
    rows, which scikit-learn judges alike."""
    spec = plan_of_numbers(model=Model(kind="linear"), training=Training(method="newton"), evaluate=Evaluate(folds=20))
    rows = numbers(np.random.default_rng(4), 14)
    table = read(rows, spec, "a")
    found, plain = run(build(spec), {"a": table}), run(build(replaced(spec, evaluate=None)), {"a": table})
    assert (found.model.digest(), found.metrics) == (plain.model.digest(), plain.metrics)
    counts = np.bincount(table.folds, minlength=21)[1:]
    assert [one.rows for one in found.folds.each] == counts.tolist()
    empty = np.flatnonzero(counts == 0) + 1
    assert len(empty) > 5
    line = next(line for line in found.warnings if "no rows at any site" in line)
    assert line.startswith(f"folds {', '.join(map(str, empty[:-1]))} and {empty[-1]} have no rows")
    assert all(found.folds.each[fold - 1].rmse is None for fold in empty)
    x, y, fold = pooled({"a": table})
    parts = PredefinedSplit(fold)
    by_sklearn = -7.5 * cross_val_score(Ridge(alpha=1.0), x, y, cv=parts, scoring="neg_root_mean_squared_error")
    assert found.folds.known["rmse"] == len(by_sklearn) == 20 - len(empty)
    assert found.folds.mean["rmse"] == pytest.approx(by_sklearn.mean(), abs=1e-6)
    assert found.folds.spread["rmse"] == pytest.approx(by_sklearn.std(ddof=1), abs=1e-6)
    assert found.folds.whole.rows == len(y)
    assert any("of one value" in line for line in found.warnings)  # r2 of a fold of one row


def test_nor_does_one_without_which_there_is_one_class():
    spec = heart(training=NEWTON, evaluate=Evaluate(folds=3))
    one = hospitals(spec)["cleveland"]
    sick = one.train & (one.target == 1)
    dealt = np.where(one.train, 2 + np.arange(one.rows) % 2, 0)
    found = run(build(spec), {"a": replace(one, folds=np.where(sick, 1, dealt))})
    plain = run(build(replaced(spec, evaluate=None)), {"a": one})
    assert (found.model.digest(), found.metrics) == (plain.model.digest(), plain.metrics)
    assert found.folds.each[0].rows is None
    assert found.folds.each[0].accuracy is None
    assert found.folds.known == {"accuracy": 2}  # folds 2 and 3 are of one side: no AUC in any
    assert found.folds.mean["accuracy"] == np.mean([one.accuracy for one in found.folds.each[1:]])
    assert found.folds.whole.rows == (one.train & ~sick).sum()
    words = "without fold 1 nothing is trained (the target 'num' has one class on the training side)"
    assert any(line.startswith(words) for line in found.warnings)


@pytest.mark.slow
def test_of_fewer_than_two_folds_there_is_no_mean():
    """One fold has all sick rows and the other all well ones: neither model can be trained."""
    spec = heart(training=NEWTON, evaluate=Evaluate(folds=2))
    one = hospitals(spec)["cleveland"]
    found = run(build(spec), {"a": replace(one, folds=np.where(one.train, 1 + (one.target == 1), 0))})
    assert found.metrics.auc > 0.8
    assert (found.folds.mean, found.folds.known, found.folds.whole.rows) == ({}, {}, 0)
    assert found.folds.curves is None
    halves = np.where(one.train & (np.arange(one.rows) % 2 > 0), 1 + (one.target == 1), 3 * one.train)
    found = run(build(replaced(spec, evaluate=Evaluate(folds=3))), {"a": replace(one, folds=halves)})
    assert [one.auc is None for one in found.folds.each] == [True, True, False]
    assert found.folds.known == {"auc": 1, "accuracy": 3}
    assert (found.folds.mean["auc"], found.folds.spread["auc"]) == (None, None)
    assert any("the rows of folds 1 and 2 are of one side: there is no mean of auc" in one for one in found.warnings)


def test_a_fold_of_one_side_leaves_the_mean_to_the_others():
    spec = heart(training=NEWTON, evaluate=Evaluate(folds=3))
    one = hospitals(spec)["cleveland"]
    dealt = np.where(one.train, 2 + np.arange(one.rows) % 2, 0)
    dealt[np.flatnonzero(one.train & (one.target == 0))[:10]] = 1
    folds = (found := run(build(spec), {"a": replace(one, folds=dealt)})).folds
    assert folds.each[0].auc is None
    assert folds.mean["auc"] == np.mean([one.auc for one in folds.each[1:]])
    assert (folds.known["auc"], folds.known["accuracy"]) == (2, 3)
    assert any("the rows of fold 1 are of one side: mean and spread of auc are of 2 folds" in x for x in found.warnings)


@pytest.mark.parametrize("cause", [Cause.RANGE, pytest.param(Cause.TOO_FEW, marks=pytest.mark.slow)])
def test_a_sum_out_of_range_ends_its_fold_and_a_site_that_is_gone_the_run(cause):
    """A run that sites left is gone on with; what is out of range would be so again."""
    spec = heart(training=NEWTON, evaluate=DEALT)
    tables = hospitals(spec)
    whole = run(build(spec), tables)

    def one_sum(ask):
        if ask.fold == 2 and ask.kind is Kind.TRAIN and ask.step % NEWTON.rounds == 1:
            raise Abort(cause, detail="a row is beyond")
        return gridded(ask, build(spec), tables)

    if cause is Cause.TOO_FEW:
        with pytest.raises(Abort, match="too few"):
            drive(build(spec), one_sum)
        return
    found = drive(build(spec), one_sum)
    assert found.model.digest() == whole.model.digest()
    assert [one.rows is None for one in found.folds.each] == [False, True, False, False]
    assert found.folds.each[2:] == whole.folds.each[2:]
    assert any("without fold 2 nothing is trained (a row is beyond)" in line for line in found.warnings)


def test_check_warns_of_folds_of_few_rows_and_of_what_cannot_be_trained():
    spec = heart(training=NEWTON, evaluate=Evaluate(folds=3))
    one = hospitals(spec)["cleveland"]
    assert list(foreseen(spec, [one])) == []
    dealt = np.where(one.train, 2 + np.arange(one.rows) % 2, 0)
    for rows, said in ((FEWEST, 0), (FEWEST - 1, 1), (0, 1)):
        some = dealt.copy()
        some[np.flatnonzero(one.train)[:rows]] = 1
        lines = list(foreseen(spec, [replace(one, folds=some)]))
        assert len(lines) == said
        assert all("of 3 folds 1 has fewer than 10 rows" in line for line in lines)
    halves = [replace(one, folds=np.where(one.train, 1 + (one.target == side), 0)) for side in (0, 1)]
    assert list(foreseen(replaced(spec, evaluate=Evaluate(folds=2)), halves)) == []  # what one site lacks another has
    (line,) = foreseen(replaced(spec, evaluate=Evaluate(folds=2)), halves[:1])
    assert "without folds 1 and 2 nothing is trained (the target 'num' has one class" in line
    expected = replaced(spec, training=Training(method="gradient", expected_rows=29))
    (line,) = foreseen(expected, [])
    assert "about 9.67 of training.expected_rows are in each fold" in line
    assert list(foreseen(replaced(expected, training=Training(method="gradient", expected_rows=30)), [])) == []


def test_equal_rows_may_be_in_different_folds_but_not_those_of_a_person():
    rows = numbers(np.random.default_rng(5), 200)
    twice = pd.concat([rows, rows]).assign(who=np.arange(400) % 200)
    spec = plan_of_numbers(training=NEWTON, evaluate=DEALT)
    spec = replaced(spec, data=replaced(spec.data, split=None))
    apart = read(twice.drop(columns="who"), spec, "a").folds.reshape(2, 200)
    assert 0.5 < np.mean(apart[0] != apart[1]) < 0.95
    together = read(twice, replaced(spec, data=replaced(spec.data, person="who")), "a").folds.reshape(2, 200)
    assert np.array_equal(*together)


NOISE = PrivacyPlan(noise="shared", unit="row", epsilon=1.0, delta=1e-5, clip=1.0)
FAULTS = {
    "more models over the same rows": {
        "privacy": NOISE,
        "training": Training(method="gradient", expected_rows=500),
    },
    "ends nothing": {"training": Training(method="gradient", vote=Vote())},
    "no fold judges": {"training": Training(method="average", local="ditto")},
    "of finished models": {"evaluate": Evaluate(folds=5, by="sex")},
    "is missing": {"evaluate": Evaluate()},
}


@pytest.mark.parametrize("words", FAULTS)
def test_what_folds_do_not_go_with_is_refused_by_name(words):
    fed = Federation(sites=("cleveland", "hungarian", "switzerland", "va"), server="curious")
    errors, _ = check(heart(**{"training": NEWTON, "evaluate": DEALT, "federation": fed} | FAULTS[words]))
    assert len(errors) == 1
    assert words in errors[0]
    assert " hint: " in errors[0]
    assert check(heart(training=NEWTON, evaluate=DEALT, federation=fed)) == ([], [])


def test_a_run_that_is_not_judged_trains_its_own_model_alone():
    spec = heart(training=NEWTON, evaluate=DEALT)
    found = run(TrainTask(spec, evaluated=False), hospitals(spec))
    assert found.folds is None
    assert found.metrics is None
