"""The sum of units' gradients of a graph, each unit clipped, on the grid: in microbatches of slots that always run.

A unit is a row, or rows of one person. Units stand in slots, some of which are empty. So many slots at a time are a
microbatch: one pass (`graph.per_row`), whose sum of floats is truncated toward zero on the grid. The whole numbers of
all microbatches are added up exactly.

The bound. Let C be the clip, u the grid's step, d the numbers of the sum, E how far a microbatch's sum of floats is
from the sum in real numbers (`Gradients.error`). Fill or empty one slot, and leave the others. In the microbatch of
that slot the other units' gradients and factors have the same bits, for they are computed of their rows alone, in a
batch of the same size, on one thread. So its sum in real numbers changes by at most C in L2 norm, its sum of floats by
C + 2E, and that in whole steps by at most (C + 2E) / u + sqrt(d): truncation moves each number by less than one step
more than it moved itself (Minkowski). Other microbatches do not change. Since E is C times a number that follows from
the graph, the rows of a unit and the slots alone, C is chosen such that the bound is `most` / u.

Which unit stands in which slot, the seeds and the size of a microbatch may not depend on other units: that is for
whoever fills slots. It does NOT hide how long it takes to read rows. Where rounding in the graph's type would take much
of the clip, the sum is added up in float64.
"""

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from potluck.core.slices import slices
from potluck.core.stages import GridBlock
from potluck.learning.data.units import Index
from potluck.learning.graph.per_row.gradients import Gradients, gradients
from potluck.learning.graph.per_row.uses import Uses
from potluck.learning.graph.steps import torch
from potluck.learning.graph.tensors import Array
from potluck.learning.models.losses import Measured
from potluck.learning.models.one_thread import one_thread
from potluck.learning.training.row_sums import Whole

if TYPE_CHECKING:
    from torch import Tensor

STRETCH = 1 << 16
"""Numbers that are put on the grid at a time."""
LEAST_CLIP, MOST_CLIP = 2.0**-20, 2.0**20
"""Beside clips between them what is too small for a float32 is nothing, as `per_row.pieces.LARGEST` has it."""
Take = Callable[[Index], tuple[Mapping[str, Array], Array]]
"""Row numbers [k] -> what a graph takes of them, by the names of its inputs, and their targets, [k, ...] each."""


@dataclass(frozen=True, eq=False)
class Work:
    """loss: of each row; weights: and constants, by name; at_once: slots of a microbatch."""

    uses: Uses
    loss: Measured
    weights: "Mapping[str, Tensor]" = field(repr=False)
    take: Take = field(repr=False)
    at_once: int


def clipped_sum(
    work: Work,
    slots: Index,
    part: GridBlock,
    most: float,
    seeds: Iterator[int],
    seen: Callable[[Gradients], None] = lambda found: None,
) -> Whole:
    """[d] in whole steps of `part`, of the graph's weights that train, one after another.

    slots [n, each]: row numbers of a unit, -1 where there is none; n is a multiple of `at_once`. most: the sensitivity
    in L2 norm, as the module proves it; seeds: public, of what a graph draws, one a microbatch; seen: is told each of
    these. Raises ValueError: the step is too coarse for the clip; GraphError: torch fails, or a batch is beyond bounds.
    """
    if len(slots) % work.at_once:
        raise ValueError("the last microbatch would be shorter than the others")
    total = np.zeros(part.size, dtype=np.int64)
    with one_thread(), torch().random.fork_rng(devices=[]):
        for some in slices(len(slots), work.at_once):
            torch().default_generator.manual_seed(next(seeds))
            found = _gradients(work, slots[some])
            seen(found)
            sums = found.clipped(clip(found, part, most), double=found.dear)
            start = 0
            for one in sums.values():
                start = _added(total, start, one, part.step)
    return total


def _added(total: Whole, start: int, one: "Tensor", step: float) -> int:
    """In whole steps from `start` on, truncated as a cast does it; a stretch at a time, which a processor has at hand.
    Returns where it ends."""
    sums = one.reshape(-1).numpy()
    for some in slices(len(sums), STRETCH):
        steps = sums[some] * (1 / step)  # exact, and in the same type: steps are powers of two
        total[start + some.start : start + some.stop] += steps.astype(np.int64)
    return start + len(sums)


def clip(found: Gradients, part: GridBlock, most: float) -> float:
    """C: the norm of a unit in real numbers, such that no unit changes whole steps by more than most / step. Raises
    ValueError: truncation alone could."""
    left = most - part.step * math.sqrt(part.size)
    at_last = left / (1 + 2 * found.error(1.0, double=found.dear)) * (1 - 2.0**-40)
    if not LEAST_CLIP <= at_last <= MOST_CLIP:
        raise ValueError("the grid is too coarse for the clip, or the clip is out of range")
    return at_last


def _gradients(work: Work, slots: Index) -> Gradients:
    """Of one microbatch; zeros stand where there is no unit. Where a unit has fewer rows its first one stands again and
    does not count: zeros may be where a graph has no derivative, which would lose the unit."""
    each, there = slots.shape[1], slots.reshape(-1) >= 0
    rows = np.where(slots >= 0, slots, slots[:, :1]).reshape(-1)
    stand = rows >= 0
    inputs, targets = work.take(rows[stand])
    kinds = {one.name: one.dtype for one in work.uses.program.graph.inputs}
    filled = {name: _filled(array.astype(kinds[name]), stand) for name, array in inputs.items()}
    wanted = _filled(targets, stand)
    return gradients(
        work.uses, work.weights, filled, lambda made: work.loss(made, wanted), torch().from_numpy(there), each=each
    )


def _filled(array: Array, there: Array) -> "Tensor":
    found = np.zeros((len(there), *array.shape[1:]), dtype=array.dtype)
    found[there] = array
    made: Tensor = torch().from_numpy(found)
    return made
