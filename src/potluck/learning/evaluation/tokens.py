"""How well a language model says the next tokens of rows that it was not trained on: exact sums, and means over tokens.

A row adds 1 to the rows, its tokens that follow another, how many of them the model holds to be the likeliest, and
their losses, each cut off at MOST_LOSS and their sum truncated on the grid. What comes of it is by token, as
perplexities are told, while training counts every row the same: a long row weighs more here.
It promises nothing about noise: plans with texts have none (`learning.data.check`).
Reference: Jelinek, Mercer, Bahl, Baker 1977, "Perplexity - a measure of the difficulty of speech recognition tasks".
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from potluck.core.asks import Answer, Block
from potluck.core.plan import Plan, required
from potluck.core.stages import Contribution, Encoded, Floats, Grid, L
from potluck.learning.data.table import Table
from potluck.learning.data.target import Goal
from potluck.learning.data.units import Index, most_units
from potluck.learning.models.losses import MOST_LOSS
from potluck.learning.models.model import Model
from potluck.learning.training.row_sums import encoded, exact

ROWS, TOKENS, RIGHT, LOSS = "rows", "tokens", "right", "loss"


@dataclass(frozen=True, slots=True)
class Said:
    """loss, accuracy: means over tokens, of which there is one at least where there is a row. The loss in nats."""

    rows: int
    tokens: int
    loss: float
    accuracy: float

    @property
    def perplexity(self) -> float:
        """exp of the loss: as many tokens as would be as hard to tell apart if all were alike."""
        return math.exp(self.loss)


def blocks(plan: Plan, goal: Goal) -> tuple[Block, ...]:
    """The blocks of a sum over rows. A text of so many places has one token less that follows another."""
    most, units = float(required(plan.data.columns[goal.column].length) - 1), most_units(plan)
    return (
        Block(ROWS, 1, 1.0, 1.0, units, parts=1),
        Block(TOKENS, 1, most, most, units, parts=1),
        Block(RIGHT, 1, most, most, units, parts=1),
        Block(LOSS, 1, most * MOST_LOSS, most * MOST_LOSS, units),
    )


def contribute(model: Model, rows: Table, index: Index) -> Iterator[Contribution]:
    """What the rows in `index` add."""
    yield _Rows(model, rows, index)


@dataclass(frozen=True, slots=True)
class _Rows:
    """Rows of a site. See `core.stages.Unlaid`."""

    model: Model = field(repr=False)
    rows: Table = field(repr=False)
    index: Index = field(repr=False)

    def encode(self, grid: Grid, limit: L) -> Encoded[L]:
        """Each row's loss is truncated on the grid before it is added up, as if rows were laid out."""
        exact(limit)
        count, losses, right = told(self.model, self.rows, self.index).T
        found = {ROWS: np.ones(len(self.index)), TOKENS: count, RIGHT: right, LOSS: losses}
        totals = {part.name: np.trunc(found[part.name] / part.step).astype(np.int64).sum() for part in grid.parts}
        return encoded({name: np.array([total]) for name, total in totals.items()}, grid, limit)


def of_answer(answer: Answer) -> Said | None:
    """What an opened sum says; None: it is of no row."""
    return _said(*(float(answer.part(name).values[0]) for name in (ROWS, TOKENS, LOSS, RIGHT)))


def of_rows(model: Model, tables: Sequence[Table]) -> Said | None:
    """The same of held-out rows at hand."""
    each = [told(model, table, np.flatnonzero(table.test)) for table in tables]
    count, losses, right = np.vstack(each).sum(axis=0).tolist()
    return _said(sum(map(len, each)), count, losses, right)


def _said(rows: float, count: float, losses: float, right: float) -> Said | None:
    return Said(round(rows), round(count), losses / count, right / count) if count else None


def told(model: Model, rows: Table, index: Index) -> Floats:
    """[n, 3], as `GraphModel.told`."""
    return required(model.graph).told(model.target.column, rows.inputs[index])
