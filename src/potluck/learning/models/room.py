"""What a site needs to train a plan's graph, before it runs: memory and arithmetic, from the graph and the plan alone.

The memory is what may be held at once: weights, vectors of a sum, and a batch. It leaves out the rows themselves
(`source.memory` bounds their reading), decoded files that are kept, and what Python, NumPy and torch take themselves.
A file that a cell names is decoded on its way to the plan's shape; how large it is nobody knows before it is read.
"""

from dataclasses import dataclass
from math import prod

from potluck.core.plan import Plan
from potluck.learning.data.encode import encoding, tensors
from potluck.learning.graph.value import WIDTHS
from potluck.learning.models.graphs import Equipped, length_of, needed

COPIES = 2
"""Of all weights: as the graph's file has them, and torch's."""
VECTORS = 4
"""Of 8 bytes a number that trains: the announced ones, the site's, their change and its words. Measured at ten million
numbers: 3.4. All of `memory` is about a quarter more than a site was measured to take, at four million numbers."""
DECODED = 16
"""Bytes a number of a file while it is decoded: as it is stored (at most 8), scaled, and resized."""
BACK = 3
"""Of the arithmetic forward: as much forward, and twice as much back."""


@dataclass(frozen=True, slots=True)
class Room:
    """Bytes: weights: all of the graph's; vectors: of a sum; batch: values and gradients of one; cells: files of one
    row while they are decoded, if they are as large as the plan's shapes. flops: of a row, forward and back."""

    weights: int
    vectors: int
    batch: int
    cells: int
    flops: int

    @property
    def memory(self) -> int:
        """All of them."""
        return self.weights + self.vectors + self.batch + self.cells

    def document(self) -> dict[str, int]:
        """As JSON has it."""
        parts = {"weights": self.weights, "vectors": self.vectors, "batch": self.batch, "cells": self.cells}
        return {"memory": self.memory, **parts, "flops_per_row": self.flops}

    def words(self) -> str:
        """One line."""
        bytes_ = f"a site needs {self.memory:,} bytes of memory beside its rows"
        parts = (
            f"weights {self.weights:,}, sums {self.vectors:,}, a batch {self.batch:,}, files of a row {self.cells:,}"
        )
        return f"{bytes_} ({parts}) and {self.flops:,} floating-point operations a row and pass"


def room(plan: Plan) -> Room | None:
    """Of a plan whose graph is at hand, else None."""
    batch = needed(plan)
    if batch is None or not isinstance(plan, Equipped):
        return None
    graph, checked = plan.network.graph, plan.network.checked
    held = sum(prod(one.shape) * WIDTHS[checked.values[one.name].dtype] for one in graph.held)
    decoded = sum(DECODED * prod(shape) for shape in tensors(encoding(plan)).values())
    return Room(COPIES * held, VECTORS * 8 * length_of(plan), batch, decoded, BACK * checked.flops)
