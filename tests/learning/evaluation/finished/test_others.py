"""What is read off cells beside dcurves 1.1.7 (Vickers' program) and fairlearn 0.15.0 on snapped scores, to 1e-9."""

import sys
from types import ModuleType

import numpy as np
import pandas as pd
import pytest

from potluck.learning.evaluation.finished.two_sides import of_counts
from support import oracles

BINS = 20
CLOSE = {"rel": 1e-9, "abs": 1e-9}


@pytest.fixture(scope="module")
def rows():
    """Snapped scores, sides and groups of 3,000 made-up rows, and their cells."""
    rng = np.random.default_rng(0)
    place = np.minimum((rng.beta(1.2, 2.8, 3000) * BINS).astype(int), BINS - 1)
    group = rng.choice(3, 3000, p=[0.5, 0.3, 0.2])
    score = (place + 0.5) / BINS
    y = (rng.random(3000) < np.clip(score + 0.1 * (group - 1), 0, 1)).astype(int)
    cells = np.zeros((3, 2, BINS))
    np.add.at(cells, (group, y, place), 1)
    return score, y, group, of_counts(cells, 0.0, ("a", "b", "c"))


@pytest.fixture
def others(monkeypatch):
    """A program by its name. What it draws and survives with is not installed, and asked for when it is loaded."""

    def found(name):
        oracles.folder(name)
        monkeypatch.syspath_prepend(oracles.FOLDER)
        for beside in ("lifelines", "matplotlib", "matplotlib.pyplot"):
            monkeypatch.setitem(sys.modules, beside, ModuleType(beside))
        return pytest.importorskip(name)

    return found


@pytest.mark.slow
def test_net_benefit_is_that_of_dcurves(rows, others):
    score, y, _, found = rows
    at = np.array([one.at for one in found.thresholds])
    told = others("dcurves").dca(data=pd.DataFrame({"y": y, "p": score}), outcome="y", modelnames=["p"], thresholds=at)
    for name, mine in (("p", "net_benefit"), ("all", "treat_all")):
        theirs = told[told["model"] == name].sort_values("threshold")["net_benefit"].to_numpy()
        assert [getattr(one, mine).value for one in found.thresholds] == pytest.approx(theirs, **CLOSE)


@pytest.mark.slow
def test_groups_and_gaps_are_those_of_fairlearn(rows, others):
    score, y, group, found = rows
    others("fairlearn")
    from fairlearn import metrics as fair

    names = {
        "selection_rate": fair.selection_rate,
        "tpr": fair.true_positive_rate,
        "fpr": fair.false_positive_rate,
    }
    frame = fair.MetricFrame(metrics=names, y_true=y, y_pred=(score >= 0.5).astype(int), sensitive_features=group)
    for name in names:
        mine = [found.groups[one][name].value for one in ("a", "b", "c")]
        assert mine == pytest.approx(frame.by_group[name].tolist(), **CLOSE)
        assert found.gaps[name].value == pytest.approx(frame.difference()[name], **CLOSE)
    said = (score >= 0.5).astype(int)
    parity = fair.demographic_parity_difference(y, said, sensitive_features=group)
    assert found.gaps["selection_rate"].value == pytest.approx(parity, **CLOSE)
    odds = fair.equalized_odds_difference(y, said, sensitive_features=group)
    assert max(found.gaps["tpr"].value, found.gaps["fpr"].value) == pytest.approx(odds, **CLOSE)


def test_net_benefit_by_pencil_and_paper():
    """Ten rows, two bins: 3 of 4 positives and 1 of 6 negatives above one half; at odds of 1, (3 - 1) / 10."""
    found = of_counts(np.array([[[5.0, 1.0], [1.0, 3.0]]]), 0.0, ("",))
    (one,) = found.thresholds
    assert (one.at, one.net_benefit.value, one.treat_all.value) == (0.5, pytest.approx(0.2), pytest.approx(-0.2))
    assert found.measures["brier"].value == pytest.approx((5 * 0.0625 + 0.5625 + 0.5625 + 3 * 0.0625) / 10)
