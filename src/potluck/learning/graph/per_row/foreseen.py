"""What a microbatch of units takes, and how many fit, before there is a row: the whole sum on torch's device `meta`.

It follows from the graph, its weights that train and the rows of a unit alone, not from a machine's memory.
"""

from collections.abc import Sequence
from functools import lru_cache

from potluck.learning.graph.check import Checked
from potluck.learning.graph.interpreter import MOST_FLOPS, MOST_MEMORY, memory, numberless, program
from potluck.learning.graph.per_row.gradients import Gradients, gradients
from potluck.learning.graph.per_row.held import most_held
from potluck.learning.graph.per_row.uses import uses
from potluck.learning.graph.steps import torch

MOST_UNITS, FEWEST_ROWS = 256, 16
"""Units at a time: of more, sums in float32 lose much of the clip. Rows at a time: of fewer, the bits of some
networks' rows follow from the place where they stand."""
INPUTS = 3
"""Copies of a microbatch's inputs: as they are read, in the graph's type, and in their slots."""
WIDEST = 8
"""Bytes of a number."""


def foreseen(checked: Checked, trained: Sequence[str], units: int, each: int) -> Gradients:
    """Gradients of so many units of `each` rows, without their numbers. Raises GraphError: they would not be sound, or
    more would be laid out than may be."""
    loaded, made, rows = torch(), program(checked), units * each
    held = {one.name: numberless(checked, one.name, rows) for one in checked.graph.held}
    inputs = {one.name: numberless(checked, one.name, rows) for one in checked.graph.inputs}
    there = loaded.ones(rows, dtype=loaded.bool, device="meta")
    # No loss keeps more than logarithms of what comes out, and their exponentials.
    return gradients(
        uses(made, trained), held, inputs, lambda out: out.log_softmax(-1).exp().flatten(1).sum(1), there, each=each
    )


@lru_cache(maxsize=8)
def at_once(checked: Checked, trained: tuple[str, ...], each: int, room: int) -> tuple[int, int]:
    """(units of a microbatch at most, bytes it may take): as many as so many bytes let, MOST_UNITS at most; FEWEST_ROWS
    rows whatever they take. Raises GraphError as `foreseen`."""
    fewest = -(-FEWEST_ROWS // each)
    units = max(MOST_UNITS // each, fewest)
    while True:
        rows = units * each
        fits = checked.flops * rows <= MOST_FLOPS and memory(checked, rows) <= MOST_MEMORY
        need = _bytes(checked, trained, units, each) if fits or units == fewest else room + 1
        if need <= room or units == fewest:
            return units, need
        units = max(units // 2, fewest)


def _bytes(checked: Checked, trained: tuple[str, ...], units: int, each: int) -> int:
    def run() -> None:
        found = foreseen(checked, trained, units, each)
        found.clipped(1.0, double=found.dear)

    rows = units * each
    given = sum(numberless(checked, one.name, rows).nbytes for one in checked.graph.inputs)
    return most_held(run) + WIDEST * checked.scratch * rows + INPUTS * given
