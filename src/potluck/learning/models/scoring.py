"""Scores by somebody else's model: what is shown of it, the model as layers, rows as features, margins as scores.

Rows are encoded by the code that training used, from the model's card alone. What protects model and rows on the way
is not here.
"""

import csv
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from math import prod
from typing import Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from potluck.core.errors import DataError, UsageError
from potluck.core.plan import Data
from potluck.core.predicting import WHOLE, Columns, Dense, Mode, Net, Scored, Trees
from potluck.core.stages import Floats
from potluck.learning.data.column import COLUMNS
from potluck.learning.data.encode import Encoding, tensors, worded
from potluck.learning.data.mixed import FEATURES, taken
from potluck.learning.data.notation import to_number
from potluck.learning.data.rows import Inputs, inputs, layout_of
from potluck.learning.data.source import Source
from potluck.learning.data.tally import Tally
from potluck.learning.data.target import TWO_SIDED, Goal, score_error, scores
from potluck.learning.graph.bases import FOLDER, LOOKED
from potluck.learning.models import layers
from potluck.learning.models.boosted.forest import trees
from potluck.learning.models.boosted.layout import binned
from potluck.learning.models.card import Card, fault
from potluck.learning.models.kinds import MODELS
from potluck.learning.models.model import Model

FORMULAS = ("=", "+", "-", "@", "\t", "\r")
"""What a spreadsheet takes for the beginning of a formula."""


@dataclass(frozen=True, slots=True, eq=False)
class Predicted:
    """table [n, columns]: what `potluck score` would print of each row; NaN where the encoding drops the row.

    bound: of |error| of any score, None where nobody can prove one. notes: what else the protection says of them.
    tally: what became of the rows' values, for their client alone; warnings: what to mind.
    """

    target: Goal
    table: Floats = field(repr=False)
    bound: float | None
    notes: tuple[str, ...] = ()
    tally: Tally = field(default=Tally(), repr=False)
    warnings: tuple[str, ...] = ()

    @property
    def columns(self) -> tuple[str, ...]:
        """What each score is called."""
        return self.target.scores

    @property
    def rows(self) -> int:
        """How many rows were scored."""
        return int((~np.isnan(self.table[:, 0])).sum())


@dataclass(frozen=True, slots=True)
class Agreement:
    """Scores beside plain ones of the same rows. same: how many labels agree (None: of numbers there are none)."""

    rows: int
    same: int | None
    largest: float


def mode_of(model: Model) -> Mode:
    """How rows are best packed: many at once for one layer, one after another for a network of layers; or what the
    model is, where it is no layers."""
    return model.card.whole or ("single" if MODELS.of(model.kind).deep else "batch")


def lent(model: Model, where: str, mode: Mode | None) -> Model:
    """The model, with which rows of others may be scored: layers, trees, or a graph that has its weights and takes
    numbers.

    mode: of the plan; None: it leaves that to the model. Raises UsageError, by name: another one, which is scored at
    home; or the mode does not fit.
    """
    home = "at home: potluck score MODEL CSV"
    kind, whole = MODELS.of(model.kind), model.card.whole
    if not (kind.layered or kind.binned or whole):
        raise UsageError(f"is a model of kind {model.kind!r}, which no protection scores with", where=where, hint=home)
    if texts := worded(model.encoding):
        what = f"reads texts ({texts[0].name!r}), and no protection scores texts: the client has no tokenizer"
        raise UsageError(what, where=where, hint=home)
    if model.graph and model.graph.network.missing:
        hint = f"put the file into {FOLDER}/ beside the model; {LOOKED}"
        raise UsageError(f"lacks its base {model.graph.network.graph.base}", where=where, hint=hint)
    if mode is not None and whole != (mode if mode in WHOLE else None):
        fits = whole or "batch or single"
        raise UsageError(f"does not go with predict.mode = {mode!r}", where=where, hint=f"{fits} does")
    return model


def row_bytes(card: Card) -> int:
    """Bytes of a row as it travels to a graph: what `columns` takes of it."""
    return 8 * len(card.encoding.names) + 4 * sum(prod(shape) for shape in tensors(card.encoding).values())


def columns(card: Card, read: Inputs) -> Columns:
    """Rows that were read as a graph takes them, without those that the encoding drops. Raises Abort(CHANGED)."""
    rows, (kept,) = read.taken, np.nonzero(read.kept)
    apart = tensors(card.encoding)
    names = [*([FEATURES] if len(card.encoding.names) or not apart else []), *apart]
    return {name: _numbers(taken(rows[kept], name)) for name in names}


def _numbers(values: NDArray[np.generic]) -> NDArray[np.float32] | NDArray[np.float64]:
    return values.astype(np.float32) if values.dtype == np.float32 else values.astype(np.float64)


def lying(card: Card, read: Inputs) -> Floats:
    """Rows that were read as layers take them [n, inputs], without those that the encoding drops: their features, or of
    curves a 1 in each cell where a row lies."""
    features = read.features[read.kept]
    if not card.bins:
        return features
    row, cell = binned(card.encoding, card.bins).places(features)
    bits = np.zeros((len(features), 1 + card.inputs))
    bits[row, cell] = 1.0
    return bits[:, 1:]


def net(model: Model) -> Net:
    """A model of layers as such, and the range of each encoded feature; curves as one layer over the cells in which a
    row lies."""
    if model.curves:
        weights = model.curves.weights
        nothing = np.zeros(weights.shape[1] - 1)
        return Net((Dense(weights[:, 1:].copy(), weights[:, 0].copy()),), "", nothing, nothing + 1)
    low, high = _ranges(model.encoding)
    if model.network is None:
        each = model.weights.reshape(model.target.outputs, -1)
        only = Dense(each[:, 1:].copy(), each[:, 0].copy())
        return Net((only,), "", low, high)
    whole = tuple(Dense(matrix.T.copy(), bias.copy()) for matrix, bias in layers.unpacked(model.weights, model.shapes))
    return Net(whole, model.network.activation if len(whole) > 1 else "", low, high)


def _ranges(how: Encoding) -> tuple[Floats, Floats]:
    """low, high [inputs]: a number's feature is in [-1, 1], a 0/1 feature in [0, 1]."""
    numbers = {one.name for one in how.fields if COLUMNS.of(one.kind).spread}
    low = np.array([-1.0 if name in numbers else 0.0 for name in how.names])
    return low, np.ones(len(low))


def encoded(card: Card, data: Data, source: Source, where: str) -> Inputs:
    """Raw rows as a card's features [n, inputs]; a row that the encoding drops is NaN.

    The plan's `missing` texts are added to the card's, so that the client's files may say "no value" in their own way,
    and its `decimal` takes the place of the card's.
    Raises DataError: a row that cannot be encoded, by column and line; columns that are not there.
    """
    both = tuple(dict.fromkeys((*card.encoding.missing, *data.missing)))
    decimal: Literal[","] | msgspec.UnsetType = "," if data.decimal == "," else msgspec.UNSET
    how = msgspec.structs.replace(card.encoding, missing=both, decimal=decimal)
    wrong = fault(msgspec.structs.replace(card, encoding=how))
    if wrong:
        hint = "data.missing names texts that the model takes for values: list those of this file alone"
        raise DataError(f"the plan's data.missing does not go with the model: {wrong}", where=where, hint=hint)
    if data.header:
        return inputs(how, None, source, where)
    if not how.layout:
        hint = "give the file a first line with the columns' names, and leave data.header out"
        raise DataError("the model knows its columns by name, the file has no names", where=where, hint=hint)
    return inputs(how, layout_of(how, card.target.names, source, where), source, where)


def routed(model: Model) -> Trees:
    """A model of trees as such."""
    assert model.forest is not None
    return trees(model.forest, model.encoding, model.target.outputs)


def drawn(model: Model) -> bytes:
    """The file of a model's graph, with all weights in it."""
    assert model.graph is not None
    return model.graph.whole


def predicted(card: Card, kept: NDArray[np.bool_], scored: Scored, tally: Tally) -> Predicted:
    """Margins -> scores, each at its row's place. kept [n]: whether the row was sent; tally: of the rows."""
    table = np.full((len(kept), card.target.outputs), np.nan)
    table[kept] = scores(card.target, scored.margins)
    without = int(len(kept) - kept.sum())
    left = (f"{without} of {len(kept)} rows lack a value that the model needs, and have no score",) if without else ()
    unsure = 0 if scored.bound is None else border(card.target, scored.margins, scored.bound)
    near = (f"{unsure} of {len(scored.margins)} labels may differ from plain scoring: {_NEAR}",) if unsure else ()
    bound = None if scored.bound is None else score_error(card.target, scored.bound)
    return Predicted(card.target, table, bound, (*scored.notes, *near, *left), tally)


_NEAR = "their margins are nearer to the border than they may be off"


def border(target: Goal, margins: Floats, bound: float) -> int:
    """How many of these rows might get another label if no margin [n, outputs] were off, each by at most `bound`."""
    if target.side == "number":
        return 0
    if target.side in TWO_SIDED:
        return int((np.abs(margins) <= bound).any(axis=1).sum())
    best = np.partition(margins, -2, axis=1)[:, -2:]
    return int((best[:, 1] - best[:, 0] <= 2 * bound).sum())


def text_of(found: Predicted) -> str:
    """The scores as CSV, as `potluck score` writes them."""
    return table_text(found.columns, found.table.tolist())


def table_text(
    columns: Sequence[str], table: Sequence[Sequence[float | str]], ids: Sequence[str] = (), known_by: str = "row"
) -> str:
    """Scores as CSV with a header: which row it is, then its scores in full precision, "" where it has none. A row is
    known by its number from 0, or by its id, of a column of that name."""
    names: Iterable[float | str] = ids or range(len(table))
    return lines_of([(known_by, *columns), *([who, *row] for who, row in zip(names, table, strict=True))])


def lines_of(rows: Iterable[Sequence[float | str]]) -> str:
    """Rows as CSV: numbers in full precision, NaN as nothing, no text that a spreadsheet takes for a formula."""
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows(["" if one != one else _told(one) for one in row] for row in rows)
    return out.getvalue()


def _told(cell: float | str) -> float | str:
    """A cell that no spreadsheet takes for a formula. The names of classes are those of the model's author, who may be
    another party."""
    return f"'{cell}" if isinstance(cell, str) and is_formula(cell) else cell


def is_formula(text: str) -> bool:
    """Whether a spreadsheet may take it for one: CSV has ' before such a text."""
    return text.startswith(FORMULAS) and to_number(text) is None


def agreement(found: Predicted, plain: Floats) -> Agreement:
    """plain [n] or [n, columns]: `Model.scores` of the same rows."""
    right = plain if plain.ndim == 2 else plain[:, None]
    here = ~np.isnan(right[:, 0])
    ours, right = found.table[here], right[here]
    largest = float(np.abs(ours - right).max(initial=0.0))
    if found.target.side == "number":
        return Agreement(len(right), None, largest)
    same = ours.argmax(axis=1) == right.argmax(axis=1)
    if found.target.side in TWO_SIDED:
        same = ((ours >= 0.5) == (right >= 0.5)).all(axis=1)
    return Agreement(len(right), int(same.sum()), largest)
