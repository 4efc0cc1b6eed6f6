"""What is read off cells, against other programs on scores snapped to the middles of their bins."""

import numpy as np
import pytest
import statsmodels.api as sm
from sklearn.metrics import (
    accuracy_score,
    brier_score_loss,
    confusion_matrix,
    mean_absolute_error,
    r2_score,
    roc_auc_score,
    root_mean_squared_error,
)

from potluck.drivers.memory import Memory
from potluck.learning.evaluation.finished.task import EvaluateTask
from potluck.learning.evaluation.finished.two_sides import of_counts
from potluck.tasks.evaluate.document import document
from potluck.tasks.sums.local import here
from potluck.tasks.sums.together import by_hand
from support.learning.judged import LABELS, finished, plan, rows, sites

CLOSE = {"rel": 1e-9, "abs": 1e-9}


@pytest.fixture
def judge(tmp_path):
    def judged(*models, frames=None, **more):
        made = plan(tmp_path, models, **more)
        played = here(made, frames or sites(models[0]))
        found = by_hand(played.spec, EvaluateTask(played.spec), played.rows, Memory(played.spec.sites, bytes(32)))
        return document(found, played.spec, tmp_path, None)

    return judged


def pooled(of):
    frames = sites(of)
    whole = {name: np.concatenate([frame[name] for frame in frames.values()]) for name in frames["a"].columns}
    return whole, np.concatenate([of.scores(frame) for frame in frames.values()])


def snapped(scores, bins):
    return (np.floor(scores * bins) + 0.5) / bins


@pytest.mark.parametrize("kind", ["logistic", pytest.param("trees", marks=pytest.mark.slow)])
@pytest.mark.parametrize("bins", [20, *(pytest.param(bins, marks=pytest.mark.slow) for bins in (4, 50))])
def test_two_sides_are_as_scikit_learn_has_them(judge, kind, bins):
    model = finished(kind)
    found = judge(model, bins=bins, by="sex")["metrics"]["federated"]
    whole, raw = pooled(model)
    y, scores = whole["y"], snapped(raw, bins)
    assert found["rows"] == len(y)
    assert found["auc"] == pytest.approx(roc_auc_score(y, scores), **CLOSE)
    assert found["brier"] == pytest.approx(brier_score_loss(y, scores), **CLOSE)
    assert found["accuracy"] == pytest.approx(accuracy_score(y, raw >= 0.5), **CLOSE)
    assert [list(row) for row in found["confusion"]["counts"]] == confusion_matrix(y, raw >= 0.5).tolist()
    for one in found["calibration"]:
        inside = (raw >= one["low"]) & (raw < one["high"])
        assert one["rows"] == inside.sum()
        assert one["observed"] == (pytest.approx(y[inside].mean(), **CLOSE) if inside.any() else None)
    for edge, curve in zip(found["roc"], found["decision_curve"], strict=True):
        at, said = edge["threshold"], raw >= edge["threshold"]
        assert edge["tpr"] == pytest.approx(said[y == 1].mean(), **CLOSE)
        assert edge["fpr"] == pytest.approx(said[y == 0].mean(), **CLOSE)
        odds = at / (1 - at)
        benefit = (said & (y == 1)).mean() - odds * (said & (y == 0)).mean()
        assert curve["net_benefit"] == pytest.approx(benefit, **CLOSE)
        assert curve["treat_all"] == pytest.approx(y.mean() - odds * (1 - y.mean()), **CLOSE)
    for name, group in found["groups"].items():
        here = whole["sex"] == name
        if not here.any():
            assert (name, group["rows"], group["tpr"]) == ("other", 0, None)
            continue
        assert group["auc"] == pytest.approx(roc_auc_score(y[here], scores[here]), **CLOSE)
        assert group["selection_rate"] == pytest.approx((raw[here] >= 0.5).mean(), **CLOSE)
        assert group["brier"] == pytest.approx(brier_score_loss(y[here], scores[here]), **CLOSE)
    rates = [(raw[(whole["sex"] == name) & (y == 1)] >= 0.5).mean() for name in ("f", "m")]
    assert found["gaps"]["tpr"] == pytest.approx(abs(rates[0] - rates[1]), **CLOSE)


@pytest.mark.slow
def test_recalibration_is_the_logistic_regression_of_statsmodels(judge):
    found = judge(finished())["metrics"]["federated"]
    whole, raw = pooled(finished())
    scores = snapped(raw, 20)
    fit = sm.Logit(whole["y"], sm.add_constant(np.log(scores / (1 - scores)))).fit(disp=0, method="newton", tol=1e-14)
    names = ("calibration_intercept", "calibration_slope")
    assert [found[name] for name in names] == pytest.approx(fit.params.tolist(), rel=1e-7)
    ends = [found[f"{name}_population"] for name in names]
    np.testing.assert_allclose(ends, fit.conf_int(), rtol=1e-5)


@pytest.mark.torch
def test_classes_are_each_against_the_rest(judge):
    model = finished("classes")
    found = judge(model)["metrics"]["federated"]
    whole, raw = pooled(model)
    y, names = whole["y"], list(model.target.classes)
    truth = np.array([names.index(one) for one in y])
    scores = snapped(raw, 20)
    each = [roc_auc_score(truth == place, scores[:, place]) for place in range(3)]
    assert found["auc"] == pytest.approx(np.mean(each), **CLOSE)
    assert [found["classes"][name]["auc"] for name in names] == pytest.approx(each, **CLOSE)
    assert found["accuracy"] == pytest.approx(accuracy_score(truth, raw.argmax(axis=1)), **CLOSE)
    assert [list(row) for row in found["confusion"]["counts"]] == confusion_matrix(truth, raw.argmax(axis=1)).tolist()
    assert found["brier"] == pytest.approx(((scores - np.eye(3)[truth]) ** 2).sum(axis=1).mean(), **CLOSE)


@pytest.mark.slow
@pytest.mark.torch
def test_labels_are_judged_each_by_itself(judge):
    model = finished("labels")
    found = judge(model)["metrics"]["federated"]
    whole, raw = pooled(model)
    scores = snapped(raw, 20)
    for place, name in enumerate(LABELS):
        one = found["labels"][name]
        assert one["auc"] == pytest.approx(roc_auc_score(whole[name], scores[:, place]), **CLOSE)
        assert one["brier"] == pytest.approx(brier_score_loss(whole[name], scores[:, place]), **CLOSE)
    assert found["auc"] == pytest.approx(np.mean([one["auc"] for one in found["labels"].values()]), **CLOSE)


def test_a_number_has_its_errors_and_the_mean_in_each_bin(judge):
    model = finished("linear")
    found = judge(model, by="sex")["metrics"]["federated"]
    whole, raw = pooled(model)
    y = whole["out"]
    assert found["r2"] == pytest.approx(r2_score(y, raw), **CLOSE)
    assert found["rmse"] == pytest.approx(root_mean_squared_error(y, raw), **CLOSE)
    assert found["mae"] == pytest.approx(mean_absolute_error(y, raw), **CLOSE)
    held = np.clip(raw, 100, 299.999999)
    for one in found["calibration"]:
        inside = (held >= one["low"]) & (held < one["high"])
        assert one["rows"] == inside.sum()
        assert one["observed"] == (pytest.approx(y[inside].mean(), rel=1e-9) if inside.any() else None)
    women = whole["sex"] == "f"
    assert found["groups"]["f"]["rmse"] == pytest.approx(root_mean_squared_error(y[women], raw[women]), **CLOSE)


def test_models_side_by_side_are_what_each_is_by_itself_on_rows_that_all_can_score(judge):
    """Trees take n, m and c, and no row without m; the other model takes n alone, and by itself all rows."""
    trees, other = finished("trees"), finished("narrow")
    frames = {name: frame.assign(m=frame["m"].where(frame.index > 20)) for name, frame in sites().items()}
    found = judge(trees, other, frames=frames)
    assert judge(other, frames=frames)["metrics"]["federated"]["rows"] == 3 * len(rows())
    frames = {name: frame[frame.index > 20] for name, frame in frames.items()}
    alone = [judge(one, frames=frames) for one in (trees, other)]
    assert [one["metrics"] for one in found["models"]] == [one["metrics"]["federated"] for one in alone]
    assert found["metrics"]["federated"] == alone[0]["metrics"]["federated"]
    more = [one["metrics"]["federated"]["auc"] for one in alone]
    assert found["differences"][0]["auc"] == pytest.approx(more[1] - more[0], **CLOSE)


@pytest.mark.slow
def test_a_row_that_no_model_can_score_is_no_row(judge):
    frames = sites()
    frames["a"].loc[:9, "m"] = np.nan  # which the models' plan drops
    found = judge(finished(), frames=frames)["metrics"]["federated"]
    assert found["rows"] == 3 * len(rows()) - 10


@pytest.mark.slow
def test_nothing_is_said_of_groups_that_noise_hides():
    """One of 800 rows, one of none and one of seven: of these two no value, and no gap to them."""
    draw = np.random.default_rng(5)
    exact = np.zeros((3, 2, 20))
    exact[0], exact[2, 0, 3], exact[2, 1, 15] = 20.0, 4.0, 3.0
    for _ in range(100):
        found = of_counts(exact + draw.normal(0, 3.7, exact.shape), 3.7, ("p", "none", "few"))
        assert found.groups["p"]["accuracy"].value is not None
        assert found.groups["p"]["auc"].value is not None
        for name in ("none", "few"):
            assert {found.groups[name][one].value for one in ("accuracy", "auc", "tpr")} == {None}
        assert found.gaps["accuracy"].value is None
