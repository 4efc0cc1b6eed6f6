"""Intervals of a noised AUC hold the area by ranks, where rows fill a corner of the declared ranges too."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from potluck.core.plan import Data, Model, PrivacyPlan, Split, Target, Training
from potluck.learning.data.target import sigmoid
from potluck.learning.evaluation import bins, metric_intervals, two_sided
from potluck.learning.models.model import model
from support.learning.sums import make, number

ROWS, STD = 10_000, 3.7
"""Held-out rows, and the noise in a count at epsilon 1."""


def drawn(kind, draw, rows):
    """Values of x in [0, 3000] and of z in [-4, 4]."""
    z = draw.normal(0, 1, rows).clip(-4, 4)
    x = {
        "even": lambda: draw.uniform(0, 3000, rows),
        "lognormal": lambda: np.minimum(draw.lognormal(5, 2, rows), 3000),
        "zeros": lambda: np.where(draw.random(rows) < 0.6, 0.0, np.minimum(draw.gamma(2, 200, rows), 3000)),
    }[kind]()
    return np.column_stack([x / 1500 - 1, z / 4])


def judged(kind, draws, seed, expected=None, rows=ROWS):
    """[draws] whether the interval held the area by ranks, and whether it did without what bins hide."""
    spec = make(
        data=Data(
            columns={"x": number(0, 3000), "z": number(-4, 4)},
            target=Target(column="y", positive=("1",)),
            split=Split(test=0.25),
        ),
        model=Model(kind="logistic"),
        training=Training(method="gradient", expected_rows=expected),
        privacy=PrivacyPlan(noise="shared", unit="row", epsilon=1.0, delta=1e-5, clip=1.0),
    )
    known = model(spec, np.array([1.0, 1.5, 5.0]))
    (edges,), draw = bins.edges(known, bins.count(spec)), np.random.default_rng(seed)
    found = np.zeros((draws, 2), bool)
    for one in found:
        margins = known.margins(drawn(kind, draw, rows))[:, 0]
        y = draw.random(rows) < sigmoid(margins)
        place, many = bins.place(edges, margins).astype(int), len(edges) + 1
        cells = np.stack([np.bincount(place[y == side], minlength=many) for side in (0, 1)])
        noised = cells + draw.normal(0, STD, cells.shape)
        told = two_sided.of_bins(noised, bins.positive_from(edges), STD).within["auc"].noise
        without = metric_intervals.area(*noised, STD).noise
        one[:] = [low <= roc_auc_score(y, margins) <= high for low, high in (told, without)]
    return found.mean(axis=0)


def test_a_skewed_column_is_covered_and_was_not():
    """Seeded."""
    told, without = judged("lognormal", 20, seed=1)
    assert told >= 0.95
    assert without < 0.9


@pytest.mark.slow
@pytest.mark.parametrize("expected", [None, 30_000])
@pytest.mark.parametrize("kind", ["even", "lognormal", "zeros"])
def test_so_are_others(kind, expected):
    told, _ = judged(kind, 1000, seed=2, expected=expected)
    assert told >= 0.93


def test_a_plan_that_expects_no_number_of_rows_has_bins_for_some_thousands():
    spec = make(privacy=PrivacyPlan(noise="shared", unit="row", epsilon=1.0, delta=1e-5, clip=1.0))
    assert bins.count(spec) == int(0.65 * 5000**0.4) == 19


def test_what_bins_hide_is_what_a_line_between_their_neighbours_says():
    """Scores of two normals, a distance of one apart: the area by ranks is Phi(1 / sqrt 2)."""
    from scipy.stats import norm

    edges = np.linspace(-2, 3, 12)
    negative, positive = (1e6 * np.diff(norm.cdf([-np.inf, *edges, np.inf], at)) for at in (0, 1))
    binned = float((np.cumsum(negative) - negative / 2) @ positive) / 1e12
    hidden = norm.cdf(np.sqrt(0.5)) - binned
    assert metric_intervals.unsorted(negative, positive, 1.0) == pytest.approx(hidden, rel=0.15)
    assert metric_intervals.unsorted(negative, negative, 1.0) == 0
    assert metric_intervals.unsorted(positive, negative, 1.0) == 0  # a model that is the wrong way round
