"""What rows add to the one sum by which finished models are judged, side by side on the same rows.

Of two sides, labels and classes a row adds 1 to one cell of (output, group, side, bin of its score) of each output of
each model, and of classes 1 to one of (group, class, class that the model says). Bins part [0, 1] evenly, [a, b), the
last one closed. Of a number a row adds (1, squared error, target, its square, absolute error) to its group's sums, and
(1, target) to the bin of what the model says; what a model says is brought within REACH times the declared range, with
noise within the range itself.

Each model has blocks of its own: joint cells of several models would be bins to the power of their number, and each
model's noise a sum of as many. So the bound of one model is 1 where a row adds to one cell, and that of k models the
root of k times as much. With noise for persons a unit is at most `most_rows` rows, and every bound as many times that.
Counts are whole numbers and the grid's steps whole parts of 1: nothing is rounded and nothing is left to clip.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from potluck.core.asks import Block
from potluck.core.fixed import word
from potluck.core.plan import Plan, required
from potluck.core.stages import Clip, Contribution, Encoded, Floats, Grid, L
from potluck.learning.data.declared import find
from potluck.learning.data.table import Table
from potluck.learning.data.target import TWO_SIDED, Goal, goal_of, scores
from potluck.learning.data.units import Index, batches, counted, most_rows, most_units, updates
from potluck.learning.evaluation.steady import margins
from potluck.learning.evaluation.summed import Summed
from potluck.learning.models.finished.finished import here, taken_by
from potluck.learning.models.model import Model

SCORES, CLASSES, SUMS, BINNED = "scores", "classes", "sums", "binned"
REACH = 8.0
"""How far beyond the middle of the declared range a number may be said to lie, in halves of the range."""
OTHER = "other"
"""The group of rows whose value the plan does not declare, or that have none."""
OF_SUMS, OF_BINS = 5, 2


def groups(plan: Plan) -> tuple[str, ...]:
    """The names of the groups by which rows are told apart; one without a name where the plan tells none."""
    by = required(plan.evaluate).by
    return ("",) if by is None else (*required(find(plan, by)).values, OTHER)


def shape(plan: Plan, part: str) -> tuple[int, ...]:
    """What a block of one model is made of."""
    goal, bins, many = goal_of(plan), required(plan.evaluate).bins, len(groups(plan))
    shapes = {
        SCORES: (goal.outputs, many, 2, bins),
        CLASSES: (many, goal.cells, goal.cells),
        SUMS: (many, OF_SUMS),
        BINNED: (bins, OF_BINS),
    }
    return shapes[part]


def name(part: str, number: int) -> str:
    """Of a block: model `number`, from 1."""
    return f"{part} {number}"


def parts(goal: Goal) -> tuple[str, ...]:
    """The blocks of one model, by what is predicted."""
    if goal.side == "number":
        return SUMS, BINNED
    return (SCORES, CLASSES) if goal.side == "classes" else (SCORES,)


def blocks(plan: Plan) -> tuple[Block, ...]:
    """Of all models, from the plan alone."""
    goal, models = goal_of(plan), range(1, len(required(plan.model).digests) + 1)
    return tuple(_block(plan, goal, part, number) for number in models for part in parts(goal))


def norm(goal: Goal, part: str) -> float:
    """The L2 norm of what one row adds to a block is no larger."""
    return {SCORES: math.sqrt(goal.outputs), CLASSES: 1.0, SUMS: math.sqrt(OF_SUMS), BINNED: math.sqrt(OF_BINS)}[part]


def _block(plan: Plan, goal: Goal, part: str, number: int) -> Block:
    rows, counts = most_rows(plan), part in (SCORES, CLASSES)
    high = 1.0 if plan.noisy or part != SUMS else ((REACH + 1) / 2) ** 2
    bound = norm(goal, part)
    size = math.prod(shape(plan, part))
    single = counts and rows == 1 and bound == 1
    return Block(name(part, number), size, rows * high, rows * bound, most_units(plan), int(counts), single)


def contribute(plan: Plan, rows: Table) -> Iterator[Contribution]:
    """What a site adds. Raises PlanError: the models are not here."""
    models, index = here(plan), counted(plan, rows.person, np.flatnonzero(rows.test))
    if goal_of(plan).side != "number":
        yield Counts(plan, models, rows, index)
        return
    size = sum(block.size for block in blocks(plan))

    def each(some: Index) -> Floats:
        return np.hstack([_numbers(plan, model, rows, some) for model in models])

    if plan.noisy:
        yield from updates(plan, index, rows.person, size, each)
    else:
        yield Summed(index, size, each)


@dataclass(frozen=True, slots=True)
class Counts:
    """The rows of a site that count. See `core.stages.Unlaid`."""

    plan: Plan
    models: tuple[Model, ...] = field(repr=False)
    rows: Table = field(repr=False)
    index: Index = field(repr=False)

    def encode(self, grid: Grid, limit: L) -> Encoded[L]:
        """See the module. Raises ValueError: a clip below what a unit adds, or counts that would be rounded."""
        found, goal, most = list[Floats](), goal_of(self.plan), most_rows(self.plan)
        bounds = limit.l2 if isinstance(limit, Clip) else (math.inf,) * len(grid.parts)
        for part, bound in zip(grid.parts, bounds, strict=True):
            kind, _, number = part.name.partition(" ")
            one = 1 / part.step
            if one != round(one) or bound < most * norm(goal, kind):
                raise ValueError("these rows are counted: nothing is rounded or clipped")
            found.append(self._counted(kind, self.models[int(number) - 1]) * round(one))
        return Encoded(np.concatenate(found).astype(word(grid.bits)), grid, limit)

    def _counted(self, part: str, model: Model) -> Floats:
        size = math.prod(shape(self.plan, part))
        total = np.zeros(size)
        for some in batches(self.index, self.rows.features.shape[1] + 1):
            place = places(self.plan, part, model, self.rows, some)
            total += np.bincount(place.ravel(), minlength=size)
        return total


def places(plan: Plan, part: str, model: Model, rows: Table, some: Index) -> Index:
    """[k, cells] the cells of a block, of scores or classes, to which each of these rows adds 1."""
    goal, group = goal_of(plan), group_of(plan, rows, some)
    said = scores(goal, _margins(plan, model, rows, some))
    if part == CLASSES:
        actual = rows.target[some].astype(np.int64)
        return np.asarray((group * goal.cells + actual) * goal.cells + said.argmax(axis=1), np.int64)[:, None]
    _, many, _, bins = shape(plan, part)
    target = rows.target[some].reshape(len(some), -1)
    sides = target if goal.side in TWO_SIDED else target == np.arange(goal.cells)
    output = np.arange(goal.outputs) * many + group[:, None]
    return (output * 2 + sides.astype(np.int64)) * bins + binned(said, bins)


def binned(shares: Floats, bins: int) -> Index:
    """The bin of each number in [0, 1], of any shape."""
    return np.clip(np.floor(shares * bins), 0, bins - 1).astype(np.int64)


def group_of(plan: Plan, rows: Table, some: Index) -> Index:
    """[k] the group of each of these rows, by its number."""
    by = required(plan.evaluate).by
    if by is None:
        return np.zeros(len(some), np.int64)
    codes = np.nan_to_num(rows.columns[by][some], nan=-1.0)
    return np.where(codes < 0, len(groups(plan)) - 1, codes).astype(np.int64)


def _margins(plan: Plan, model: Model, rows: Table, some: Index) -> Floats:
    # Whatever the model, every row falls into some cell: a failure would tell of a row.
    with np.errstate(all="ignore"):
        return np.nan_to_num(margins(plan, model, taken_by(model, plan, rows, some)))


def placed(plan: Plan, part: str, model: Model, rows: Table, some: Index) -> Index:
    """[k] to which group's sums, or to which bin's, each of these rows adds a number."""
    if part == SUMS:
        return group_of(plan, rows, some)
    return _bin_of(_said(plan, model, rows, some), shape(plan, part)[0])


def _said(plan: Plan, model: Model, rows: Table, some: Index) -> Floats:
    """[k] what a model of a number says, within its reach."""
    reach = 1.0 if plan.noisy else REACH
    return np.clip(_margins(plan, model, rows, some)[:, 0], -reach, reach)


def _bin_of(said: Floats, bins: int) -> Index:
    return binned((said + 1) / 2, bins)


def _numbers(plan: Plan, model: Model, rows: Table, some: Index) -> Floats:
    """[k, size of a model's blocks]."""
    target, said = rows.target[some], _said(plan, model, rows, some)
    half = (said - target) / 2
    each = np.column_stack([np.ones(len(some)), half**2, target, target**2, np.abs(half)])
    (many, _), (bins, _), line = shape(plan, SUMS), shape(plan, BINNED), np.arange(len(some))
    sums, means = np.zeros((len(some), many, OF_SUMS)), np.zeros((len(some), bins, OF_BINS))
    sums[line, group_of(plan, rows, some)] = each
    means[line, _bin_of(said, bins)] = np.column_stack([np.ones(len(some)), target])
    return np.hstack([sums.reshape(len(some), -1), means.reshape(len(some), -1)])
