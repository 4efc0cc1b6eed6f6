"""What is computed on ciphertexts, planned before any key exists: depth, parameter set, sizes, and the program.

`forecast` and `problems` need shapes alone; `compile` needs the weights. It bounds every number by interval arithmetic
over the features' ranges: no activation can leave the interval that its polynomial was fitted on, and no score the
room of the last level, as long as the client's rows are in range (they are refused there if not).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from math import ceil, floor, log10
from typing import Literal

import numpy as np

from potluck.core.errors import PlanError
from potluck.core.predicting import Activation, Net
from potluck.he import diagonals, levels, polynomial
from potluck.he.diagonals import Turns
from potluck.he.levels import Levels
from potluck.he.margins import Margins, follow

Mode = Literal["batch", "single"]
DEGREES = {1: 59, 2: 27, 3: 5}
"""The highest degree of a fitted activation that the deepest set carries, by number of hidden layers."""
SQUARES = (levels.DEEPEST - 1) // 2
"""Hidden layers of squares that the deepest set carries."""
PRODUCTS = 20_000
"""Weights of the hidden layers that a batch bears: each is a product of a whole ciphertext."""
ASKS = 4000
"""Letters of ciphertexts that one run bears."""
BLOCK = 256 << 20
"""Bytes of one block of a batch: they lie in the owner's engine together."""
WHERE = "model"


@dataclass(frozen=True, slots=True)
class Outline:
    """A model and a run as far as a plan knows them. widths: inputs, hidden units a layer, outputs. rows: at most."""

    widths: tuple[int, ...]
    activation: Activation
    mode: Mode
    rows: int


@dataclass(frozen=True, slots=True)
class Forecast:
    """What a run uses and sends, in bytes (within some percent).

    parameters: the set's name; ring: N; depth: levels; degree: of the activation's fit, at most (0: none, or exact).
    keys: public and evaluation keys, sent once a run; query: ciphertexts of all rows; reply: of all scores.
    """

    parameters: str
    ring: int
    depth: int
    degree: int
    keys: int
    query: int
    reply: int


@dataclass(frozen=True, slots=True)
class Layout:
    """What both ends must know of a circuit: the set, where ciphertexts start and how rows lie in them. It is public.

    start: the level of the client's ciphertexts, so that scores come out at the last level. multiply: whether products
    of ciphertexts are made. rotations: for which keys are needed, ascending. rows: of the first layer.
    """

    levels: Levels
    start: int
    mode: Mode
    inputs: int
    outputs: int
    first_rows: int
    multiply: bool
    rotations: tuple[int, ...]

    def blocks(self, rows: int) -> list[int]:
        """Rows in each block: what is scored in one call."""
        size = self.levels.slots if self.mode == "batch" else self.levels.group(self.start)
        return [min(size, rows - at) for at in range(0, rows, size)]

    @property
    def keys_together(self) -> int:
        """Keys for rotations in one body."""
        return max(1, levels.PART // self.levels.switch)

    def sent(self, rows: int) -> int:
        """Ciphertexts of a block with so many rows, on the way to the owner."""
        return self.inputs if self.mode == "batch" else rows

    def answered(self, rows: int) -> int:
        """Ciphertexts of a block's scores."""
        return self.outputs if self.mode == "batch" else rows


@dataclass(frozen=True, slots=True, eq=False)
class Compiled:
    """A model ready for the owner's engine. text, buffers: as `ckks.model` takes them, but for the counts of rows.

    exponent: scores leave as margin / 2^exponent. bound, cost: of a margin's error, and of the fit's part in it.
    """

    layout: Layout
    layers: tuple[dict[str, object], ...]
    buffers: tuple[bytes, ...] = field(repr=False)
    exponent: int
    bound: float
    cost: float
    degree: int
    misfit: float

    def text(self, counts: Sequence[int]) -> bytes:
        """The program. counts: how many rows blocks have, so that masks are ready before the client asks."""
        wanted = {"mode": self.layout.mode, "start": self.layout.start, "counts": sorted({*counts})}
        return json.dumps(wanted | {"layers": self.layers}, sort_keys=True).encode()


def problems(outline: Outline) -> list[str]:
    """What keeps such a model from being scored; each line says what, then ". hint: " and what to do."""
    hidden, wrong = len(outline.widths) - 2, []
    if hidden < 0 or min(outline.widths) < 1 or outline.rows < 1:
        return ["there is nothing to score. hint: a model has inputs and outputs, and max_rows is at least 1"]
    if (hidden > 0) != bool(outline.activation):
        return ["an activation stands between layers, and only there. hint: write the model file anew"]
    most = SQUARES if outline.activation == "square" else max(DEGREES)
    if hidden > most:
        wrong.append(
            f"{hidden} hidden layers, he carries {most} with {outline.activation}. hint: train a smaller network"
        )
    if max(outline.widths) > levels.WIDEST and outline.mode == "single":
        wrong.append(f"{max(outline.widths)} numbers in a layer, he carries {levels.WIDEST}. hint: {_BATCH}")
    if wrong:
        return wrong
    if outline.mode == "single":
        if -(-outline.rows // _levels(outline)[0].group(0)) > ASKS:
            wrong.append(f"{outline.rows} rows, each a ciphertext of its own. hint: lower max_rows, or {_BATCH}")
        return wrong
    products = sum(a * b for a, b in pairwise(outline.widths[:-1]))
    size = outline.widths[0] * _levels(outline)[0].ciphertext(0)
    if products > PRODUCTS or size > BLOCK:
        wrong.append(f"a batch multiplies every weight by itself, {products} with {size >> 20} MB. hint: {_SINGLE}")
    return wrong


_BATCH = 'mode = "batch" carries wide linear models'
_SINGLE = 'mode = "single" carries such a network'


def forecast(outline: Outline) -> Forecast:
    """What a run will use and send: no keys, no weights, no engine. Raises PlanError: see `problems`."""
    for problem in problems(outline):
        what, _, hint = problem.partition(". hint: ")
        raise PlanError(what, where=WHERE, hint=hint)
    chosen, depth, degree = _levels(outline)
    layout = _layout(outline, chosen, depth)
    blocks = layout.blocks(outline.rows)
    public, switches = chosen.ciphertext(0), len(layout.rotations) + layout.multiply
    return Forecast(
        chosen.name,
        chosen.ring,
        depth,
        degree,
        keys=public + switches * chosen.switch,
        query=sum(map(layout.sent, blocks)) * chosen.ciphertext(layout.start),
        reply=sum(map(layout.answered, blocks)) * chosen.ciphertext(chosen.depth),
    )


def _levels(outline: Outline) -> tuple[Levels, int, int]:
    """The set, the depth and the degree of fits, each the highest that may be needed."""
    hidden = len(outline.widths) - 2
    degree = DEGREES[hidden] if outline.activation in ("relu", "tanh") else 0
    depth = 1 + hidden * (1 + (polynomial.LEVELS[degree] if degree else 1))
    chosen = levels.smallest(depth, _width(outline))
    if chosen is None:
        raise ValueError("no set carries this")
    return chosen, depth, degree


def _width(outline: Outline) -> int:
    """Numbers that must fit into one ciphertext."""
    return max(outline.widths) if outline.mode == "single" else 1


def _layout(outline: Outline, chosen: Levels, depth: int) -> Layout:
    rotations: frozenset[int] = frozenset()
    if outline.mode == "single":
        rotations = frozenset().union(*(turns.rotations for turns in _turns(outline, chosen)))
    widths = outline.widths
    return Layout(
        chosen,
        chosen.depth - depth,
        outline.mode,
        widths[0],
        widths[-1],
        widths[1],
        len(widths) > 2,
        tuple(sorted(rotations)),
    )


def _turns(outline: Outline, chosen: Levels) -> list[Turns]:
    pairs = list(pairwise(outline.widths))
    start = diagonals.first(pairs[0][1], pairs[0][0], chosen.slots)
    return [start, *(diagonals.later(rows, columns) for columns, rows in pairs[1:])]


def compile(net: Net, mode: Mode, rows: int) -> Compiled:
    """The program for this model. rows: the most that are scored. It is deterministic.

    Raises PlanError: the model is malformed, has a weight that is no number or too large, or see `problems`.
    """
    outline = _outline(net, mode, rows)
    forecast(outline)
    chosen, found = _fitting(net, outline)
    turns = _turns(outline, chosen) if mode == "single" else []
    layers, buffers = [], []
    for index, layer in enumerate(found.layers):
        weights, bias = layer.weights, layer.bias
        said: dict[str, object] = {"folds": [], "babies": 1}
        if mode == "single":
            lay = diagonals.later_vectors if index else diagonals.first_vectors
            weights, bias = lay(weights, chosen.slots), diagonals.spread(bias, chosen.slots)
            said = {"folds": list(turns[index].folds), "babies": turns[index].babies}
        said |= {"shape": list(weights.shape), "activation": layer.kind, "levels": layer.levels}
        layers.append(said | {"series": list(layer.series)})
        buffers += [np.ascontiguousarray(each, "<f8").tobytes() for each in (weights, bias)]
    layout = _layout(outline, chosen, found.depth)
    told = [upward(value) for value in (found.bound, found.cost, found.misfit)]
    return Compiled(layout, tuple(layers), tuple(buffers), found.exponent, told[0], told[1], found.degree, told[2])


def _fitting(net: Net, outline: Outline) -> tuple[Levels, Margins]:
    """The smallest set that carries the model: an activation on a narrow interval needs fewer levels than forecast."""
    chosen, _, degree = _levels(outline)
    found = follow(net, chosen, _babies(outline, chosen), degree)
    smaller = levels.smallest(found.depth, _width(outline))
    if smaller is None or smaller is chosen:
        return chosen, found
    again = follow(net, smaller, _babies(outline, smaller), degree)
    return (smaller, again) if again.depth <= smaller.depth else (chosen, found)


def _babies(outline: Outline, chosen: Levels) -> list[bool]:
    """Which layers turn their input before they multiply it."""
    if outline.mode == "batch":
        return [False] * (len(outline.widths) - 1)
    return [turns.babies > 1 for turns in _turns(outline, chosen)]


def _outline(net: Net, mode: Mode, rows: int) -> Outline:
    """Raises PlanError: layers that do not fit together, or ranges that are none."""
    widths = [net.low.size]
    for layer in net.layers:
        if layer.weights.ndim != 2 or layer.bias.shape != (layer.weights.shape[0],):
            raise PlanError("a layer is not a matrix with its bias", where=WHERE)
        if layer.weights.shape[1] != widths[-1]:
            raise PlanError("a layer does not take what the one before gives", where=WHERE)
        widths.append(layer.weights.shape[0])
    fits = net.low.shape == net.high.shape and net.low.ndim == 1
    if not fits or not bool(((net.low >= -1) & (net.low <= net.high) & (net.high <= 1)).all()):
        raise PlanError("a feature's range is not within [-1, 1]", where=WHERE)
    return Outline(tuple(widths), net.activation, mode, rows)


def letters(bodies: Sequence[bytes]) -> list[list[bytes]]:
    """The bodies in order, cut into letters: as many in one as stay below PART bytes, but at least one."""
    parts: list[list[bytes]] = []
    size = levels.PART
    for body in bodies:
        if not parts or size + len(body) > levels.PART:
            parts.append([])
            size = 0
        parts[-1].append(body)
        size += len(body)
    return parts


def upward(value: float) -> float:
    """`value` rounded up to one significant digit: all that a client is told of what depends on weights."""
    if value <= 0:
        return 0.0
    step = 10.0 ** floor(log10(value))
    return float(f"{ceil(round(value / step, 9)) * step:.6g}")
