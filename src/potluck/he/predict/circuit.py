"""What is computed on ciphertexts, planned before any key exists: depth, parameter set, sizes, and the program.

`forecast` and `problems` need shapes alone; `compile` needs the weights. It bounds every number by interval arithmetic
over the features' ranges: no activation can leave the interval that its polynomial was fitted on, and no score the
room of the last level, as long as the client's rows are in range (they are refused there if not).
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from math import ceil, floor, log10
from typing import Literal

import numpy as np

from potluck.core.errors import PlanError
from potluck.core.predicting import Activation, Net
from potluck.he.predict import diagonals, levels, polynomial
from potluck.he.predict.diagonals import Turns
from potluck.he.predict.levels import Levels
from potluck.he.predict.margins import Margins, follow
from potluck.he.predict.work import HOPS, MOST, SLACK, Work, of_block, of_rows

Mode = Literal["batch", "single"]
DEGREES = {1: 59, 2: 27, 3: 5}
"""The highest degree of a fitted activation that the deepest set carries, by number of hidden layers."""
SQUARES = (levels.DEEPEST - 1) // 2
"""Hidden layers of squares that the deepest set carries."""
ASKS = 4000
"""Letters of ciphertexts that one run bears."""
BLOCK = 256 << 20
"""Bytes of one block of a batch: they lie in the owner's engine together."""
WHERE = "model"


@dataclass(frozen=True, slots=True)
class Outline:
    """A model and a run as far as a plan knows them. widths: inputs, hidden units a layer, outputs. rows: at most.

    patience: seconds that a step may take; a long answer takes several. compute: how many parties compute; 0: none do.
    """

    widths: tuple[int, ...]
    activation: Activation
    mode: Mode
    rows: int
    patience: float = 30.0
    compute: int = 0


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
    of ciphertexts are made. rotations: for which keys are needed, ascending. first_rows: of the first layer.
    together: rows in a block.
    """

    levels: Levels
    start: int
    mode: Mode
    inputs: int
    outputs: int
    first_rows: int
    multiply: bool
    rotations: tuple[int, ...]
    together: int

    def blocks(self, rows: int) -> list[int]:
        """Rows in each block: what is scored in one call."""
        return [min(self.together, rows - at) for at in range(0, rows, self.together)]

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
    hidden = len(outline.widths) - 2
    if hidden < 0 or min(outline.widths) < 1 or outline.rows < 1:
        return ["there is nothing to score. hint: a model has inputs and outputs, and max_rows is at least 1"]
    if (hidden > 0) != bool(outline.activation):
        return ["an activation stands between layers, and only there. hint: write the model file anew"]
    most = SQUARES if outline.activation == "square" else max(DEGREES)
    if hidden > most:
        what = f"{hidden} hidden layers, he carries {most} with {outline.activation}"
        return [f"{what}. hint: {_SMALLER}"]
    wrong = _beyond(outline)
    if wrong is None:
        return []
    other = replace(outline, mode="batch" if outline.mode == "single" else "single")
    what, hint = wrong
    if _beyond(other) is None:
        hint = f'mode = "{other.mode}" carries it'
    return [f"{what}. hint: {hint}"]


_SMALLER = "train a smaller network"


def _beyond(outline: Outline) -> tuple[str, str] | None:
    """(what, hint) of a shape whose depth fits, but not its width, its rows, its time or its size; None: it fits."""
    fewer = _SMALLER if len(outline.widths) > 2 else "train it on fewer columns"
    if outline.mode == "single" and max(outline.widths) > levels.WIDEST:
        return f"{max(outline.widths)} numbers in a layer, and a ciphertext holds {levels.WIDEST}", fewer
    chosen, depth, degree = _levels(outline)
    size = outline.widths[0] * chosen.ciphertext(chosen.depth - depth)
    if outline.mode == "batch" and size > BLOCK:
        return f"a batch of {outline.widths[0]} columns fills {size >> 20} MB, {BLOCK >> 20} are the most", fewer
    layout, work = _layout(outline, chosen, depth, degree)
    blocks = -(-outline.rows // layout.together)
    if blocks * (-(-layout.sent(layout.together) // chosen.group(layout.start))) > ASKS:
        most = ASKS // -(-layout.sent(layout.together) // chosen.group(layout.start)) * layout.together
        return f"{outline.rows} rows take more than {ASKS} letters", f"max_rows = {most} at most"
    held = work.bytes + (len(layout.rotations) + layout.multiply) * chosen.switch
    if held > MOST:
        return f"the model fills {held / 1e9:.1f} GB in an engine, {MOST / 1e9:.1f} are the most", fewer
    seconds = work.seconds * (min(outline.rows, layout.together) if outline.mode == "single" else 1)
    if SLACK * seconds > HOPS * outline.patience:
        patience = ceil(SLACK * seconds / HOPS)
        what = f"an answer takes some {seconds:.0f} s, {SLACK:.0f} times as long on a slow machine"
        return f"{what}: no wait is longer than {HOPS * outline.patience:g} s", f"federation.patience = {patience}"
    return None


def forecast(outline: Outline) -> Forecast:
    """What a run will use and send: no keys, no weights, no engine. Raises PlanError: see `problems`."""
    for problem in problems(outline):
        what, _, hint = problem.partition(". hint: ")
        raise PlanError(what, where=WHERE, hint=hint)
    chosen, depth, degree = _levels(outline)
    layout, _ = _layout(outline, chosen, depth, degree)
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


def _layout(outline: Outline, chosen: Levels, depth: int, degree: int) -> tuple[Layout, Work]:
    start, widths, together = chosen.depth - depth, outline.widths, chosen.slots
    rotations: frozenset[int] = frozenset()
    if outline.mode == "single":
        turns = _turns(outline, chosen)
        rotations = frozenset().union(*(turn.rotations for turn in turns))
        work = of_rows(chosen, start, turns, widths, degree)
        together = min(work.together, chosen.group(start))
    else:
        work = of_block(chosen, start, widths, degree)
    ends, turned = (widths[0], widths[-1], widths[1]), tuple(sorted(rotations))
    return Layout(chosen, start, outline.mode, *ends, len(widths) > 2, turned, together), work


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
    layout, _ = _layout(outline, chosen, found.depth, found.degree)
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


def letters(bodies: Iterable[bytes]) -> Iterator[list[bytes]]:
    """The bodies in order, cut into letters: as many in one as stay below PART bytes, but at least one."""
    part: list[bytes] = []
    for body in bodies:
        if part and sum(map(len, part)) + len(body) > levels.PART:
            yield part
            part = []
        part.append(body)
    if part:
        yield part


def upward(value: float) -> float:
    """`value` rounded up to one significant digit: all that a client is told of what depends on weights."""
    if value <= 0:
        return 0.0
    step = 10.0 ** floor(log10(value))
    return float(f"{ceil(round(value / step, 9)) * step:.6g}")
