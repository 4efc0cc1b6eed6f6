"""A graph over many rows, so many at a time that none of its bounds is broken: what plain scoring and an enclave do.

Where torch adds up follows from the size of a batch too. So whoever wants the same bits takes the same batches.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING

import numpy as np

from potluck.core.slices import slices
from potluck.core.stages import Floats
from potluck.learning.graph.file import Network
from potluck.learning.graph.interpreter import MOST_FLOPS, forward, memory, program
from potluck.learning.graph.steps import torch
from potluck.learning.graph.tensors import Array

if TYPE_CHECKING:
    from torch import Tensor

ROWS = 1024
"""Rows that are scored at a time, where fewer do not have to."""
Take = Callable[[slice], Mapping[str, Array]]
"""Of some rows, what a graph takes, by the names of its inputs: each [n, ...] of floats or whole numbers."""


def outputs(network: Network, weights: "Mapping[str, Tensor]", take: Take, rows: int, most: int) -> Floats:
    """rows n -> [n, outputs]. Arguments and errors are those of `made`."""
    found = np.empty((rows, network.checked.values[network.graph.output].shape[1]))
    for some, values in made(network, weights, take, rows, most):
        found[some] = values.numpy()
    return found


def made(
    network: Network, weights: "Mapping[str, Tensor]", take: Take, rows: int, most: int
) -> "Iterator[tuple[slice, Tensor]]":
    """Some rows after others, and what the graph makes of them, [k, ...]. weights: of the network, as the interpreter
    has them; most: bytes that a batch may take.

    Raises GraphError: torch is missing, rows do not fit the graph, or one alone is beyond a bound; and as `take`.
    """
    ready = program(network.checked)
    for some in slices(rows, rows_at_once(network, most)):
        with torch().no_grad():
            values = forward(ready, weights, as_tensors(network, take(some)))
        yield some, values


def as_tensors(network: Network, given: Mapping[str, Array]) -> "dict[str, Tensor]":
    """The inputs of a graph as torch has them, each of the graph's own type."""
    kinds = {one.name: one.dtype for one in network.graph.inputs}
    return {name: torch().from_numpy(array.astype(kinds.get(name))) for name, array in given.items()}


def rows_at_once(network: Network, most: int) -> int:
    """How many rows are scored at a time: as many as so many bytes and the bound of arithmetic let, up to ROWS."""
    checked = network.checked
    each = max(1, memory(checked, 1) - memory(checked, 0))
    room = max(0, most - memory(checked, 0)) // each
    return max(1, min(ROWS, room, MOST_FLOPS // max(1, checked.flops)))
