"""What noise will leave open of an evaluation, before anything is spent: half the width of each 95 % interval.

Intervals are read off the sum that made-up rows would give, by the code that reads the real one: half of them positive,
log-odds of two normals whose area is `forecast.AREA`, right as they stand; three of four right among classes; an r2 of
one half. So it says nothing about a model's quality. Where rows are few on one side, less will be known.
"""

import math
from collections.abc import Mapping
from statistics import NormalDist

import numpy as np

from potluck.core.plan import Plan, required
from potluck.core.stages import Floats
from potluck.learning.data.target import Goal, goal_of
from potluck.learning.evaluation.finished import cells
from potluck.learning.evaluation.finished.judgement import Judgement, proportion
from potluck.learning.evaluation.finished.numbers import of_sums
from potluck.learning.evaluation.finished.two_sides import of_counts
from potluck.learning.evaluation.intervals import half
from potluck.learning.forecast import AREA, FILLED, R2, RIGHT, Forecast

TOLD = ("auc", "accuracy", "r2", "rmse")


def foreseen(plan: Plan, stds: Mapping[str, float], rows: float) -> Forecast:
    """Of one model, over all groups: of several labels of each one. stds: by block, the noise in each number."""
    found = _made_up(plan, goal_of(plan), stds, rows)
    told = {name: one for name, one in found.measures.items() if name in TOLD}
    counted = plan.privacy.unit == "row"
    noise = {name: half(one.noise) for name, one in told.items()}
    return Forecast(rows, noise, {name: half(one.population) for name, one in told.items()} if counted else {})


def _made_up(plan: Plan, goal: Goal, stds: Mapping[str, float], rows: float) -> Judgement:
    spec, groups = required(plan.evaluate), math.sqrt(len(cells.groups(plan)))
    if goal.side == "number":
        errors = (1 - R2) * FILLED**2
        sums = np.array([[1.0, errors / 4, 0.0, FILLED**2, math.sqrt(errors * 2 / math.pi) / 2]]) * rows
        spread = stds[cells.name(cells.SUMS, 1)] * groups
        return of_sums(sums, np.zeros((spec.bins, 2)), (spread, stds[cells.name(cells.BINNED, 1)]), ("",), goal)
    if goal.side == "classes":
        std = stds[cells.name(cells.CLASSES, 1)] * groups
        right, wrong = np.full(goal.cells, RIGHT), np.full(goal.cells * (goal.cells - 1), 1 - RIGHT)
        hits = proportion(right * rows / len(right), wrong * rows / len(wrong), std)
        return Judgement({"accuracy": hits})
    counts = _sides(spec.bins)[None] * rows / 2
    return of_counts(counts, stds[cells.name(cells.SCORES, 1)] * groups, ("",))


def _sides(bins: int) -> Floats:
    """[2, bins] shares of either side in each bin of its probability: log-odds of a side are normal with a variance of
    twice their mean."""
    apart = math.sqrt(2) * NormalDist().inv_cdf(AREA)
    edges = [-math.inf, *(math.log(place / (bins - place)) for place in range(1, bins)), math.inf]
    each = (NormalDist(sign * apart**2 / 2, apart) for sign in (-1, 1))
    return np.diff([[one.cdf(edge) for edge in edges] for one in each], axis=1)
