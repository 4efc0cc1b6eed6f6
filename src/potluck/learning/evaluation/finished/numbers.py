"""What sums say of a model of a number: r2, rmse and mean absolute error, by group, and its calibration by bins.

A number of a row is on [-1, 1], its declared range; a bin is of what the model says. What comes out is in the target's
own units.
"""

import math
from collections.abc import Sequence

import numpy as np

from potluck.core.stages import Floats
from potluck.learning.data.target import Goal
from potluck.learning.evaluation import intervals, metric_intervals
from potluck.learning.evaluation.finished.judgement import Bin, Judgement, Measure, count, of_within
from potluck.learning.evaluation.finished.two_sides import gaps
from potluck.learning.evaluation.intervals import Noised
from potluck.learning.evaluation.ranking import Z

GAPS = ("rmse", "mae")


def of_sums(sums: Floats, means: Floats, std: tuple[float, float], groups: Sequence[str], goal: Goal) -> Judgement:
    """sums [groups, 5]: rows, a quarter of squared errors, targets, their squares, half of absolute errors; means
    [bins, 2]: rows and targets; std: of a number of each."""
    each = {name: _group(one, std[0], goal) for name, one in zip(groups, sums, strict=True)} if len(groups) > 1 else {}
    bins = tuple(_bin(one, place, len(means), std[1], goal) for place, one in enumerate(means))
    whole = _group(sums.sum(axis=0), std[0] * math.sqrt(len(sums)), goal)
    return Judgement(whole, calibration=bins, groups=each, gaps=gaps(each, GAPS))


def _group(sums: Floats, std: float, goal: Goal) -> dict[str, Measure]:
    rows, quarter, total, squares, half = (Noised(one, std) for one in sums.tolist())
    errors, width = Noised(4 * quarter.value, 4 * quarter.std), (goal.high - goal.low) / 2
    told = {"rows": count(np.array([rows.value]), std)}
    if not std and not rows.value:
        return {"r2": Measure(None), "rmse": Measure(None), "mae": Measure(None)} | told
    within = metric_intervals.regression(rows, errors, total, squares, 4.0 if std else math.inf, width)
    r2 = rmse = mae = None
    if rows.value > 0 and errors.value >= 0:
        spread = squares.value - total.value**2 / rows.value
        r2 = 1 - errors.value / spread if spread > 0 else None
        rmse = math.sqrt(errors.value / rows.value) * width
        mae = 2 * half.value / rows.value * width if half.value >= 0 else None
    return {
        "r2": of_within(r2, within["r2"]),
        "rmse": of_within(rmse, within["rmse"]),
        "mae": _mae(mae, rows, half, errors, width),
    } | told


def _mae(value: float | None, rows: Noised, half: Noised, errors: Noised, width: float) -> Measure:
    """Its spread over rows like these follows from the mean squared error."""
    noise = None
    if rows.std:
        low, high = intervals.mean(rows, half, (0.0, 1.0))
        noise = (2 * low * width, 2 * high * width)
    if value is None:
        return Measure(None, noise)
    mean, count = value / width, max(rows.value, 1.0)
    reach = Z * math.sqrt(max(0.0, errors.value / count - mean**2) / count) * width
    ends = noise or (value, value)
    below, above = (math.hypot(value - ends[0], reach), math.hypot(ends[1] - value, reach))
    return Measure(value, noise, (max(0.0, value - below), value + above))


def _bin(cells: Floats, place: int, bins: int, std: float, goal: Goal) -> Bin:
    def told(scaled: float) -> float:
        return goal.low + (scaled + 1) / 2 * (goal.high - goal.low)

    rows, total = (Noised(one, std) for one in cells.tolist())
    known = rows.value > 0 and abs(total.value) <= rows.value
    low, high = intervals.mean(rows, total, (-1.0, 1.0)) if std else (0.0, 0.0)
    observed = Measure(told(total.value / rows.value) if known else None, (told(low), told(high)) if std else None)
    low, high = (told(2 * edge / bins - 1) for edge in (place, place + 1))
    return Bin(low, high, count(np.array([rows.value]), std), observed)
