"""Held-out rows counted in cells, without laying rows out: each adds a 1 to (side, score bin), or of classes to
(class, class that the model says) or (class, right), and of labels to a (side, score bin) of each label.

The bound: of a unit `learning.data.units.most_rows` rows count at most, and each adds 1 to one cell, or to one cell of
each label. So what a unit adds is no longer in L2 norm than so many rows times the square root of the labels (`norm`),
whichever cells they are, and where one row counts and there is one label it changes one cell alone.
Counts are whole numbers and the grid's steps whole parts of 1: nothing is rounded and nothing is left to clip.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from potluck.core.fixed import word
from potluck.core.plan import Plan
from potluck.core.stages import Clip, Contribution, Encoded, Floats, Grid, L, Update
from potluck.learning.data.table import Table
from potluck.learning.data.target import TWO_SIDED, Goal, sigmoid
from potluck.learning.data.units import Index, batches, counted, most_rows
from potluck.learning.evaluation import bins
from potluck.learning.evaluation.confusion import paired
from potluck.learning.evaluation.steady import margins
from potluck.learning.models.model import Model

BINS = 1024


def size(plan: Plan, goal: Goal) -> int:
    """How many there are, of a target of sides, classes or labels."""
    if goal.side in TWO_SIDED:
        return 2 * len(goal.names) * (bins.count(plan) if plan.noisy else BINS)
    return goal.cells * (goal.cells if paired(plan, goal.cells) else 2)


def norm(plan: Plan, goal: Goal) -> float:
    """The L2 norm of what a unit adds is no larger: that of its rows, each in one cell of every label."""
    return most_rows(plan) * math.sqrt(len(goal.names))


def middles() -> Floats:
    """[BINS] the probability in the middle of each bin of an exact sum, .002 wide at one half and less beyond."""
    half = (np.arange(BINS) + 0.5) / BINS
    return np.asarray(sigmoid(2 * np.log(half / (1 - half))))


def contribute(plan: Plan, model: Model, rows: Table) -> Iterator[Contribution]:
    """What the held-out rows of a site add: their counts, or with noise for sites its cells' shares."""
    index = np.flatnonzero(rows.test)
    if plan.noisy and plan.privacy.unit == "site":
        yield Update((counts(plan, model, rows, index) / max(len(index), 1))[None, :])
    else:
        yield _Counts(plan, model, rows, counted(plan, rows.person, index))


@dataclass(frozen=True, slots=True)
class _Counts:
    """The rows of a site that count. See `core.stages.Unlaid`."""

    plan: Plan
    model: Model = field(repr=False)
    rows: Table = field(repr=False)
    index: Index = field(repr=False)

    def encode(self, grid: Grid, limit: L) -> Encoded[L]:
        """See the module. Raises ValueError: a clip below what a unit adds, or counts that would be rounded."""
        (part,) = grid.parts
        one = 1 / part.step
        if one != round(one) or (isinstance(limit, Clip) and limit.l2[0] < norm(self.plan, self.model.target)):
            raise ValueError("these rows are counted: nothing is rounded or clipped")
        found = counts(self.plan, self.model, self.rows, self.index) * round(one)
        return Encoded(found.astype(word(grid.bits)), grid, limit)


def edges(plan: Plan, model: Model) -> Floats | None:
    """[outputs, bins - 1] of the bins of its scores; None: the fixed ones of an exact sum.

    Exact sums by which models are compared follow each model's scores as noised ones do: fixed bins hide more of a
    model that is held down, whose scores lie close together, and would choose another for that.
    """
    if model.target.side not in TWO_SIDED or not (plan.noisy or plan.validated):
        return None
    return bins.edges(model, bins.count(plan) if plan.noisy else BINS)


def counts(plan: Plan, model: Model, rows: Table, index: Index) -> NDArray[np.int64]:
    """[size]: how many of the rows in `index` are in each cell."""
    bounds = edges(plan, model)
    total = np.zeros(size(plan, model.target), dtype=np.int64)
    for some in batches(index, rows.features.shape[1] + 1):
        add(total, model, margins(plan, model, rows.inputs[some]), rows.target[some], bounds)
    return total


def add(total: NDArray[np.int64], model: Model, margins: Floats, target: Floats, bounds: Floats | None = None) -> None:
    """Count rows with these margins [k, outputs] and target [k] (of labels [k, outputs]) into `total` [size], in place.
    bounds: of `edges`."""
    # Whatever the announced model, every row falls into some cell: a failure would tell of a row.
    margins = np.nan_to_num(margins)
    if model.target.side in TWO_SIDED:
        sides, each = target.reshape(margins.shape), total.reshape(margins.shape[1], -1)  # a view
        for label, counts in enumerate(each):
            cell = _two_sided(margins[:, label], sides[:, label], None if bounds is None else bounds[label])
            counts += np.bincount(cell.astype(np.int64), minlength=len(counts))
        return
    said, kinds = margins.argmax(axis=1), model.target.cells
    cell = target * kinds + said if len(total) == kinds**2 else 2 * target + (said == target)
    total += np.bincount(cell.astype(np.int64), minlength=len(total))


def _two_sided(margins: Floats, target: Floats, bounds: Floats | None) -> Floats:
    """[k] the cell of each row. bounds: of one output of `edges`."""
    if bounds is not None:
        return target * (len(bounds) + 1) + bins.place(bounds, margins)
    # Half the log-odds spreads rare outcomes over many bins (`middles`).
    return target * BINS + np.minimum(np.floor(sigmoid(margins / 2) * BINS), BINS - 1)
