"""Looks at the model while it is trained: exact sums over validation rows, which are neither trained on nor held out.

Each row adds its loss and, as in `evaluate`, a 1 to one cell of scores, so that a look gives loss and metrics. A row's
loss is cut off at MOST_LOSS and truncated on the grid, so that no row moves the sum by more. What comes of looks (a
curve, an earlier end, which round's model is kept) follows from the opened sums alone: after a crash it is the same.
Reference: Prechelt 1998, "Early Stopping - But When?", the criterion UP with strips of one look.
It promises nothing about noise: plans with noise take no looks (`check`).
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from potluck.core.asks import Answer, Block
from potluck.core.errors import DataError
from potluck.core.plan import Plan
from potluck.core.stages import Contribution, Encoded, Floats, Grid, L
from potluck.learning.data.table import Table
from potluck.learning.data.target import TWO_SIDED, Goal, goal_of
from potluck.learning.data.units import batches, most_units
from potluck.learning.evaluation import cells, evaluate, tokens
from potluck.learning.models.fitted import training
from potluck.learning.models.losses import MOST_LOSS
from potluck.learning.models.model import Model
from potluck.learning.training.row_sums import encoded, exact

LOSS = "loss"
RISING = ("auc", "accuracy")
"""Metrics of which more is better."""


@dataclass(frozen=True, slots=True)
class Look:
    """What validation rows said of the model after a round. loss: the mean log-loss (of next tokens by token), or half
    the mean squared error on the target's scale of [-1, 1]; auc, accuracy, rmse: None where the target has none. Of
    labels their means."""

    round: int
    loss: float
    auc: float | None = None
    accuracy: float | None = None
    rmse: float | None = None


def blocks(plan: Plan, weights: Floats) -> tuple[Block, ...]:
    """The blocks of a look at the model with these weights."""
    found = evaluate.blocks(plan, weights)
    if goal_of(plan).side in ("number", "tokens"):
        return found
    return (*found, Block(LOSS, 1, MOST_LOSS, MOST_LOSS, most_units(plan)))


def contribute(plan: Plan, model: Model, rows: Table) -> Iterator[Contribution]:
    """What the validation rows of a site add, each by itself."""
    index = np.flatnonzero(rows.validation)
    if not model.target.apart:
        yield from tokens.contribute(model, rows, index)
    elif model.target.side == "number":
        yield from evaluate.numbers(plan, model, rows, index)
    else:
        yield _Seen(model, rows)


@dataclass(frozen=True, slots=True)
class _Seen:
    """Validation rows, counted and with their losses. See `core.stages.Unlaid`."""

    model: Model = field(repr=False)
    rows: Table = field(repr=False)

    def encode(self, grid: Grid, limit: L) -> Encoded[L]:
        """Each row's loss is truncated on the grid before it is added up, as if rows were laid out."""
        exact(limit)
        steps = {part.name: part.step for part in grid.parts}
        totals = {part.name: np.zeros(part.size, dtype=np.int64) for part in grid.parts}
        for some in batches(np.flatnonzero(self.rows.validation), self.rows.features.shape[1] + 1):
            margins, target = self.model.margins(self.rows.inputs[some]), self.rows.target[some]
            cells.add(totals["cells"], self.model, margins, target)
            totals[LOSS] += np.trunc(row_losses(self.model, margins, target) / steps[LOSS]).astype(np.int64).sum()
        totals["cells"] *= round(1 / steps["cells"])
        return encoded(totals, grid, limit)


def row_losses(model: Model, given: Floats, target: Floats) -> Floats:
    """[k] the log-loss of each row with these margins [k, outputs], of labels the mean of theirs, cut off."""
    # Whatever the announced model, every row has a loss: a failure would tell of a row.
    margins = np.nan_to_num(given)
    if model.target.side in TWO_SIDED:
        sides = target.reshape(margins.shape)
        found = np.logaddexp(0.0, np.where(sides == 1, -margins, margins)).mean(axis=1)
    else:
        highest = margins.max(axis=1)
        whole = highest + np.log(np.exp(margins - highest[:, None]).sum(axis=1))
        found = whole - margins[np.arange(len(target)), target.astype(np.int64)]
    found[np.isnan(given).any(axis=1)] = MOST_LOSS  # a model that says nothing of a row is not half right
    return np.asarray(np.clip(found, 0.0, MOST_LOSS), dtype=np.float64)


def look(plan: Plan, model: Model, answer: Answer, number: int) -> Look:
    """What an opened look says, after so many rounds. Raises DataError: there is no validation row, or by these rows
    the metric by which training would stop is not defined."""
    if not model.target.apart:
        said = tokens.of_answer(answer)
        if said is None:
            raise _none()
        return Look(number, said.loss, accuracy=said.accuracy)
    name = "rows" if model.target.side == "number" else "cells"
    rows = float(answer.part(name).values.sum()) / len(model.target.names)
    if rows == 0:
        raise _none()
    found, _ = evaluate.metrics(plan, model, answer)
    loss = float(answer.part("errors" if name == "rows" else LOSS).values[0]) / rows
    seen = Look(number, loss / 2 if name == "rows" else loss, found.auc, found.accuracy, found.rmse)
    stop = training(plan).stop
    if stop is not None and getattr(seen, stop.metric) is None:
        what = f"the validation rows give no {stop.metric}: they are of one class"
        raise DataError(what, hint='raise data.split.validation, or take metric = "loss"')
    return seen


def _none() -> DataError:
    return DataError("there are no validation rows", hint="raise data.split.validation")


def better(metric: str, one: Look, other: Look) -> bool:
    """Whether the metric is better at one look than at another."""
    found, before = getattr(one, metric), getattr(other, metric)
    return bool(found > before if metric in RISING else found < before)


def metrics(goal: Goal) -> tuple[str, ...]:
    """What looks give of such a target."""
    known = {"classes": (LOSS, "accuracy"), "tokens": (LOSS, "accuracy"), "number": (LOSS, "rmse")}
    return known.get(goal.side, (LOSS, "auc", "accuracy"))
