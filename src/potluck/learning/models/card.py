"""What of a model its owner shows to whoever has its rows scored: how rows are encoded, what is predicted, its shape.

A card holds no weight. It comes from elsewhere, as a model file may: `fault` says what of it cannot be.
"""

import math
from collections.abc import Iterator
from itertools import pairwise
from typing import Literal

import msgspec

from potluck.core.plan import MOST_LABELS
from potluck.core.predicting import Mode
from potluck.core.tables.model import WIDEST_LAYER
from potluck.learning.data.check import of_files
from potluck.learning.data.column import COLUMNS, Field
from potluck.learning.data.encode import NARROWEST, WIDEST_RANGE, Encoding, tensors, worded
from potluck.learning.data.expressions import made_wrong
from potluck.learning.data.target import Goal
from potluck.learning.models.boosted.curves import MOST_BINS
from potluck.learning.models.boosted.layout import binned
from potluck.learning.models.kinds import MODELS
from potluck.learning.models.layers import MOST_VALUES


class Card(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A model without its weights. layers, activation: of one with hidden layers, else empty; drawn: whether it is a
    graph, of which the card holds nothing more; bins: of a number's curve, where it is made of curves, else 0."""

    kind: str
    encoding: Encoding
    target: Goal
    layers: tuple[int, ...] = ()
    activation: Literal["", "relu", "tanh", "square"] = ""
    drawn: bool = False
    bins: int = 0

    @property
    def whole(self) -> Mode | None:
        """What it is where it is no layers, as a plan's `predict.mode` says it."""
        if self.drawn:
            return "graph"
        return "trees" if self.kind in MODELS.entries and MODELS.of(self.kind).holds == "forest" else None

    @property
    def inputs(self) -> int:
        """How many numbers of a row it takes: its features, or of curves the cells that a row may lie in."""
        return binned(self.encoding, self.bins).cells - 1 if self.bins else len(self.encoding.names)

    @property
    def shapes(self) -> tuple[tuple[int, int], ...]:
        """(inputs, outputs) of each layer; of a model without hidden ones its one layer."""
        return tuple(pairwise((self.inputs, *self.layers, self.target.outputs)))


def fault(card: Card) -> str:
    """The first thing that cannot be, in words that name columns and no value; empty where there is none."""
    return next(_faults(card), "")


def _faults(card: Card) -> Iterator[str]:
    if card.kind not in MODELS.entries:
        yield "it is of a kind that is not in this version"
        return
    how = card.encoding
    every = (*how.fields, *how.beside)
    if any(one.kind not in COLUMNS.entries for one in every):
        yield "a column of it is of a kind that is not in this version"
        return
    for one in every:
        yield from COLUMNS.of(one.kind).fault(one, how.notation)
    yield from made_wrong(every)
    if any(COLUMNS.of(one.kind).dated for one in how.fields):
        yield "a date of it would be a feature"
    if of_files(how.separator or ",", how.encoding or "utf-8"):
        yield "nobody knows how its files are written"
    yield from _columns(how, card.drawn)
    if len(set(how.names)) < len(how.names) or "intercept" in how.names:
        yield "two of its features have one name"
    yield from _target(card)
    deep = MODELS.of(card.kind).deep
    if card.drawn and (card.activation or card.layers or not deep):
        yield "a graph does not fit its kind or layers"
    elif (deep and not card.drawn) != bool(card.activation) or (card.layers and not deep):
        yield "its layers do not fit its kind"
    if MODELS.of(card.kind).binned != bool(card.bins) or not (card.bins == 0 or 2 <= card.bins <= MOST_BINS):
        yield "its bins do not fit its kind"
        return
    if not all(1 <= width <= WIDEST_LAYER for width in card.layers):
        yield f"a layer has 1 to {WIDEST_LAYER} units"
    if sum((before + 1) * after for before, after in card.shapes) > MOST_VALUES:
        yield f"it has more than {MOST_VALUES} weights"


def _columns(how: Encoding, drawn: bool) -> Iterator[str]:
    if not all(map(_filled, how.fields)):
        yield "what fills the gaps of a column of it is no mean"
    apart = tensors(how)
    if not how.names and not apart:
        yield "it has no column"
    if apart and not drawn:
        yield "it has columns of tensors and no graph"


def _filled(one: Field) -> bool:
    """Whether it says what fills its gaps, where it is a number whose gaps are filled, and nothing else does."""
    if one.missing != "mean":
        return one.fill is msgspec.UNSET
    kind = COLUMNS.of(one.kind)
    return kind.measured and kind.spread and one.fill is not msgspec.UNSET and abs(one.fill) <= 1


def _range(low: float, high: float) -> bool:
    return math.isfinite(low) and math.isfinite(high) and NARROWEST <= high - low <= WIDEST_RANGE


def _target(card: Card) -> Iterator[str]:
    goal = card.target
    if goal.side not in MODELS.of(card.kind).targets:
        yield "its target does not fit its kind"
    if not goal.apart and goal.column not in {one.name for one in worded(card.encoding)}:
        yield "the tokens that it predicts are of no text"
    if goal.side == "number" and not _range(goal.low, goal.high):
        yield "the range of its target cannot be computed with"
    if goal.side == "classes" and (len(goal.classes) < 2 or len(set(goal.classes)) < len(goal.classes)):
        yield "it has fewer than two classes, or one of them twice"
    labels = goal.columns or ()
    if (goal.side == "labels") != bool(labels):
        yield "its labels do not fit its target"
    if labels and not (2 <= len(set(labels)) == len(labels) <= MOST_LABELS):
        yield f"it has fewer than two labels, more than {MOST_LABELS}, or one of them twice"
