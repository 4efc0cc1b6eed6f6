"""What counts by group, side and bin of scores say of a model of two sides: [groups, 2, bins].

Every number is that of scores snapped to the middles of their bins: the area and Brier's score are exactly what they
would be of such scores. Rates and net benefit at the edges of bins are those of the scores themselves.
Calibration is the logistic recalibration logit P(positive) = intercept + slope logit(score): 0 and 1 where scores are
right (Cox 1958, "Two further applications of a model for binary regression"). There is no expected calibration error:
within a bin it would be that of the snapping.
References: Brier 1950, "Verification of forecasts expressed in terms of probability"; Vickers and Elkin 2006,
"Decision curve analysis".
"""

import math
from collections.abc import Mapping, Sequence

import numpy as np

from potluck.core.stages import Floats
from potluck.learning.data.target import sigmoid
from potluck.learning.evaluation import two_sided
from potluck.learning.evaluation.finished.judgement import (
    LEAST,
    Bin,
    Judgement,
    Measure,
    Threshold,
    apart,
    count,
    mean,
    of_within,
    proportion,
)
from potluck.learning.evaluation.ranking import Z

GAPS = ("selection_rate", "tpr", "fpr", "accuracy")
"""Of which groups are compared."""
STEPS, NEAR = 100, 1e-12
"""Of Newton's method, and where it ends."""


def of_counts(cells: Floats, std: float, groups: Sequence[str]) -> Judgement:
    """cells [groups, 2, bins], each with noise `std`; groups: their names, one without a name where there are none."""
    whole, spread = cells.sum(axis=0), std * np.sqrt(len(cells))
    found = two_sided.of_bins(whole, whole.shape[1] // 2, spread)
    within, bins = found.within, whole.shape[1]
    slope = recalibrated(whole, spread)
    measures = {
        "auc": of_within(found.auc, within["auc"]) if "auc" in within else Measure(None),
        "accuracy": of_within(found.accuracy, within["accuracy"]),
        "brier": brier(whole, spread),
        "calibration_intercept": slope[0],
        "calibration_slope": slope[1],
        "prevalence": proportion(whole[1], whole[0], spread),
        "rows": count(whole, spread),
    }
    several = len(groups) > 1
    each = {name: _group(one, std) for name, one in zip(groups, cells, strict=True)} if several else {}
    calibration = tuple(
        Bin(place / bins, (place + 1) / bins, count(whole[:, place], spread), _rate(whole[:, place], spread))
        for place in range(bins)
    )
    return Judgement(
        measures,
        found.confusion,
        calibration,
        tuple(_threshold(whole, place, spread) for place in range(1, bins)),
        each,
        gaps(each, GAPS),
        ties=found.ties,
    )


def middles_of(bins: int) -> Floats:
    """[bins] the middle of each part of [0, 1]."""
    return (np.arange(bins) + 0.5) / bins


def brier(cells: Floats, std: float) -> Measure:
    """The mean squared error of snapped scores. cells [2, bins]."""
    middles = middles_of(cells.shape[1])
    return mean(cells, np.stack([middles**2, (1 - middles) ** 2]), std, (0.0, 1.0))


def _rate(cells: Floats, std: float) -> Measure:
    """The share of positives in a bin. cells [2]."""
    return proportion(cells[1:], cells[:1], std)


def _threshold(cells: Floats, place: int, std: float) -> Threshold:
    """At the edge below bin `place`. cells [2, bins]."""
    bins = cells.shape[1]
    at = place / bins
    odds, called = at / (1 - at), np.arange(bins) >= place
    worth = np.stack([-odds * called, 1.0 * called])
    every = np.stack([np.full(bins, -odds), np.ones(bins)])
    return Threshold(
        at,
        proportion(cells[1, place:], cells[1, :place], std),
        proportion(cells[0, place:], cells[0, :place], std),
        mean(cells, worth, std, (-odds, 1.0)),
        mean(cells, every, std, (-odds, 1.0)),
    )


def _group(cells: Floats, std: float) -> dict[str, Measure]:
    """Of one group [2, bins], at a score of one half."""
    found, half = two_sided.of_bins(cells, cells.shape[1] // 2, std), cells.shape[1] // 2
    negative, positive = cells
    right = np.concatenate([negative[:half], positive[half:]])
    wrong = np.concatenate([negative[half:], positive[:half]])
    told = found.auc if all(one.sum() > LEAST * std * math.sqrt(one.size) for one in cells) else None
    return {
        "selection_rate": proportion(cells[:, half:], cells[:, :half], std),
        "tpr": proportion(positive[half:], positive[:half], std),
        "fpr": proportion(negative[half:], negative[:half], std),
        "accuracy": proportion(right, wrong, std),
        "auc": of_within(told, found.within["auc"]) if "auc" in found.within else Measure(None),
        "brier": brier(cells, std),
        "prevalence": proportion(positive, negative, std),
        "rows": count(cells, std),
    }


def gaps(each: Mapping[str, Mapping[str, Measure]], names: Sequence[str]) -> dict[str, Measure]:
    """How far groups lie apart in each of these."""
    return {name: apart([one[name] for one in each.values()]) for name in names} if each else {}


def recalibrated(cells: Floats, std: float) -> tuple[Measure, Measure]:
    """(intercept, slope). cells [2, bins], which noise may bring below 0: the equations are linear in them.

    Not defined where no finite slope is best, or where the noise in the curvature is not far below the curvature.
    """
    bins, none = cells.shape[1], (Measure(None), Measure(None))
    middles, rows = middles_of(bins), cells.sum(axis=0)
    x = np.column_stack([np.ones(bins), np.log(middles / (1 - middles))])
    beta = np.array([0.0, 1.0])
    for _ in range(STEPS):
        p = sigmoid(x @ beta)
        curve = (x * (rows * p * (1 - p))[:, None]).T @ x
        loud = std * np.sqrt(2 * ((p * (1 - p) * (x**2).sum(axis=1)) ** 2).sum())
        if np.linalg.eigvalsh(curve)[0] <= max(2 * loud, NEAR * max(rows.sum(), 1.0)):
            return none
        step = np.linalg.solve(curve, x.T @ (cells[1] - rows * p))
        beta = beta + step
        if np.abs(step).max() < NEAR:
            break
    else:
        return none
    inverse = np.linalg.inv(curve)
    noise = std * std * (x * (p**2 + (1 - p) ** 2)[:, None]).T @ x
    told = []
    for place, value in enumerate(beta.tolist()):
        reaches = [Z * float(np.sqrt((inverse @ meat @ inverse)[place, place])) for meat in (noise, noise + curve)]
        low, high = ((value - one, value + one) for one in reaches)
        told.append(Measure(value, low if std else None, high))
    return told[0], told[1]
