"""What the counts of a fit say of held-out rows: see `engines.spu.metrics`, which forms them in secret.

AUC counts a tie within a bin half; log-odds of 0 are a bin's edge, so accuracy is exact.
"""

import math
from collections.abc import Sequence

import numpy as np

from potluck.core.fitting import Array, Give
from potluck.core.stages import Floats
from potluck.learning.data.target import Goal
from potluck.learning.evaluation import metric_intervals, two_sided
from potluck.learning.evaluation.evaluate import Metrics
from potluck.learning.evaluation.intervals import Noised

BINS = 256
STEP = 2.0**-18
UNCOUNTED = ("no held-out row was counted: there are no metrics",)
EMPTY = ("the test split is empty: there are no metrics",)


def gives(goal: Goal, test: int) -> tuple[Give, ...]:
    """What a program opens to the model's readers about held-out rows; nothing where there are none."""
    if not test:
        return ()
    return (Give("integer", (2, BINS)) if goal.side == "binary" else Give("fixed", (4,)),)


def metrics(goal: Goal, opened: Sequence[Array]) -> tuple[Metrics | None, tuple[str, ...]]:
    """(metrics, warnings) of what was opened; no metrics where none was counted, or none is complete."""
    if not opened:
        return None, UNCOUNTED
    if goal.side == "binary":
        return _sides(opened[0].astype(np.float64))
    found = _numbers(goal, opened[0].astype(np.float64))
    return found, () if found else EMPTY


def _sides(cells: Floats) -> tuple[Metrics | None, tuple[str, ...]]:
    rows, found = float(cells.sum()), two_sided.of_bins(cells, BINS // 2, 0.0)
    if rows == 0:
        return None, EMPTY
    population = {name: one.population for name, one in found.within.items()}
    return Metrics(round(rows), auc=found.auc, accuracy=found.accuracy, population=population), two_sided.mind(
        {"": found}
    )


def _numbers(goal: Goal, sums: Floats) -> Metrics | None:
    rows, errors, total, squares = sums.tolist()
    if rows < 1:
        return None
    spread = squares - total**2 / rows
    # Below what the fixed point adds up, a spread is no spread.
    r2 = 1 - errors / spread if spread > rows * STEP else None
    width = (goal.high - goal.low) / 2
    known = Noised(rows, 0.0), Noised(max(errors, 0.0), 0.0), Noised(total, 0.0), Noised(squares, 0.0)
    within = metric_intervals.regression(*known, most=math.inf, width=width)
    population = {name: one.population for name, one in within.items()}
    return Metrics(round(rows), r2=r2, rmse=math.sqrt(max(errors, 0.0) / rows) * width, population=population)
