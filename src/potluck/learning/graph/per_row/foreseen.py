"""What a microbatch of units takes, and how many fit, before there is a row: gradients on torch's device `meta`.

It follows from the graph, its weights that train and the rows of a unit alone, so it is the same on every machine.
"""

from collections.abc import Sequence
from functools import lru_cache

from potluck.learning.graph.check import Checked
from potluck.learning.graph.interpreter import MOST_FLOPS, memory, numberless, program
from potluck.learning.graph.per_row.gradients import Gradients, gradients
from potluck.learning.graph.per_row.pieces import Laid, Outer, Piece
from potluck.learning.graph.per_row.uses import uses
from potluck.learning.graph.steps import torch

MOST_UNITS, FEWEST_ROWS = 256, 16
"""Units at a time: of more, sums in float32 lose much of the clip. Rows at a time: of fewer, the bits of some
networks' rows follow from the place where they stand."""
AT_HAND = 2**20
"""Numbers of a microbatch, forward: where MOST_UNITS rows have more, half as many units are quicker, since a core's
cache holds them."""
COPIES = 3
"""Of what factors and laid gradients take in 8 bytes a number: themselves, copies that are weighed or joined, and
products that norms are made of."""


def foreseen(checked: Checked, trained: Sequence[str], units: int, each: int) -> Gradients:
    """Gradients of so many units of `each` rows, without their numbers. Raises GraphError: they would not be sound, or
    more would be laid out than may be."""
    loaded, made, rows = torch(), program(checked), units * each

    held = {one.name: numberless(checked, one.name, rows) for one in checked.graph.held}
    inputs = {one.name: numberless(checked, one.name, rows) for one in checked.graph.inputs}
    there = loaded.ones(rows, dtype=loaded.bool, device="meta")
    return gradients(uses(made, trained), held, inputs, lambda out: out.flatten(1).sum(1), there, each=each)


@lru_cache(maxsize=8)
def at_once(checked: Checked, trained: tuple[str, ...], each: int, room: int) -> tuple[int, int]:
    """(units of a microbatch at most, bytes it may take): as many as so many bytes let, MOST_UNITS at most; FEWEST_ROWS
    rows whatever they take. Raises GraphError as `foreseen`."""
    fewest = -(-FEWEST_ROWS // each)
    most = MOST_UNITS if checked.floats * MOST_UNITS <= AT_HAND else MOST_UNITS // 2
    units = max(most // each, fewest)
    while True:
        fits = checked.flops * units * each <= MOST_FLOPS
        need = _bytes(checked, trained, units, each) if fits or units == fewest else room + 1
        if need <= room or units == fewest:
            return units, need
        units = max(units // 2, fewest)


def _bytes(checked: Checked, trained: tuple[str, ...], units: int, each: int) -> int:
    found = foreseen(checked, trained, units, each)
    numbers = sum(_numbers(one, units) for one in found.pieces.values())
    return memory(checked, units * each) + 8 * COPIES * numbers


def _numbers(piece: Piece, units: int) -> int:
    """Of factors and of the two small matrices that a norm comes from, or of what is laid out."""
    if isinstance(piece, Laid):
        return piece.each.numel()
    left, blocks = (piece.left.numel(), piece.left.shape[1]) if isinstance(piece, Outer) else (0, 1)
    return left + piece.right.numel() + 2 * units * blocks * piece.terms**2
