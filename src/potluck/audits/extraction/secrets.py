"""Secret rows that nobody has, many of one kind: of numbers an end of the range, of categories a value, of a text
random tokens. All are drawn alike, so that nothing but training tells one from the others.
"""

from dataclasses import dataclass, field, replace
from math import prod

import numpy as np

from potluck.core.plan import Plan
from potluck.core.seeded import Generator
from potluck.core.stages import Floats
from potluck.learning.data.encode import encode, encoding, tensors, worded
from potluck.learning.data.files.cells import NONE, Cells, HeldCells
from potluck.learning.data.mixed import Inputs, inputs
from potluck.learning.data.table import Table
from potluck.learning.data.target import Goal, goal_of
from potluck.learning.data.texts.cells import TextCells
from potluck.learning.data.texts.worded import tokenizers_of
from potluck.learning.data.units import Index

MOST, APART = 1 << 16, 1 << 10
"""Secrets; and of rows with texts or tensors."""
ROOM = 1 << 25
"""Numbers of all of them together."""


@dataclass(frozen=True, slots=True, eq=False)
class Secrets:
    """features [n, p], no two of them alike where they are all that a row has; cells: by column, of all n."""

    goal: Goal
    features: Floats = field(repr=False)
    cells: dict[str, TextCells | HeldCells] = field(repr=False)

    @property
    def many(self) -> int:
        """How many."""
        return len(self.features)

    @property
    def inputs(self) -> Inputs:
        """As a model takes them."""
        return inputs(self.features, dict[str, Cells](self.cells))

    def targets(self, count: int) -> Floats:
        """[count] or of labels [count, labels] for rows that are trained on: each side or class by turns."""
        turns = np.arange(count)
        if self.goal.side == "classes":
            return (turns % len(self.goal.classes)).astype(np.float64)
        if self.goal.side == "tokens":
            return np.zeros(count)
        sides = (turns % 2).astype(np.float64)
        if self.goal.side == "number":
            return 2 * sides - 1
        return sides if self.goal.side == "binary" else np.stack([sides] * len(self.goal.names), axis=1)

    def table(self, site: str, index: Index, target: Floats, person: bool) -> Table:
        """A site's rows: some of the secrets, all trained on. person: each is a person's."""
        held = {name: _some(one, index) for name, one in self.cells.items()}
        who = np.arange(len(index)) if person else None
        nobody = np.zeros(len(index), np.bool_)
        return Table(self.features[index], target, who, nobody, {}, (), cells=held, site=site)


def secrets(plan: Plan, draw: Generator) -> Secrets:
    """As many as there is room for, at most as many as there are. plan: its patterns are resolved."""
    how, apart = encoding(plan), tensors(encoding(plan))
    many = min(APART if apart else MOST, ROOM // max(1, len(how.names)))
    columns = {
        one.name: np.array([one.low, one.high])[draw.integers(2, size=many)]
        if one.measured
        else draw.integers(len(one.values), size=many).astype(np.float64)
        for one in how.fields
        if not one.apart
    }
    if not apart:
        columns = _distinct(columns, draw)
    features = encode(how, columns | {name: np.zeros(many) for name in apart})
    words, cells = tokenizers_of(plan), dict[str, TextCells | HeldCells]()
    for one in worded(how):
        of = words[one.tokenizer or ""]
        tokens = draw.integers(of.vocabulary, size=(many, one.length or 0)).astype(np.uint32)
        held = np.array([row.tobytes() for row in tokens], object)
        cells[one.name] = TextCells(held, _digests(draw, many), one.length or 0, of.pad)
    for name, shape in apart.items():
        if name not in cells:
            some = max(1, min(many, ROOM // (8 * prod(shape))))
            values = draw.choice(np.array([-1, 1], np.float32), size=(some, *shape))
            cells[name] = HeldCells(values, np.arange(many) % some)
    return Secrets(goal_of(plan), features, cells)


def _distinct(columns: dict[str, Floats], draw: Generator) -> dict[str, Floats]:
    """The rows of which no two are alike, in another order: by their places along a line of a random direction."""
    table = np.stack(list(columns.values()), axis=1)
    _, first = np.unique(table @ draw.standard_normal(table.shape[1]), return_index=True)
    some = draw.permutation(first)
    return {name: values[some] for name, values in columns.items()}


def _digests(draw: Generator, many: int) -> np.ndarray[tuple[int, int], np.dtype[np.uint8]]:
    return draw.integers(256, size=(many, len(NONE))).astype(np.uint8)


def _some(cells: TextCells | HeldCells, index: Index) -> TextCells | HeldCells:
    if isinstance(cells, TextCells):
        return replace(cells, held=cells.held[index], digests=cells.digests[index])
    return replace(cells, which=cells.which[index])
