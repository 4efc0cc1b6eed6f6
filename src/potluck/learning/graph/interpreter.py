"""A graph, run: node by node with torch on this machine's processor, forward; torch derives the gradient.

A graph names operations of the table and nothing else, so nothing of it is code. Before it runs, `meta` follows the
same operations on torch's device without memory, at one size of batch, and whatever differs from what the walk
(`check`) has found is refused.

It does NOT promise the same bits on every machine: torch adds up in an order that follows from the processor, its
threads, and the size of the batch. Dropout draws from torch's own generator.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from potluck.core.errors import GraphError
from potluck.learning.graph.check import Checked
from potluck.learning.graph.file import Network
from potluck.learning.graph.schema import Graph
from potluck.learning.graph.steps import Step, Values, run_step, step_of, torch
from potluck.learning.graph.tensors import Array

if TYPE_CHECKING:
    from torch import Tensor

BATCH = 7
"""Rows of the batch that `meta` tries: tests compare each operation's rule with torch at others."""
MOST_MEMORY = 2**33
"""Bytes that a batch may take, where nobody says another bound."""
MOST_FLOPS = 2**46
"""Floating-point operations that a batch may take forward, where nobody says another bound."""


@dataclass(frozen=True, slots=True, eq=False)
class Program:
    """A graph with torch's operators in place of its words. It holds no number of any weight."""

    checked: Checked
    steps: tuple[Step, ...]

    @property
    def graph(self) -> Graph:
        """Of which it was made."""
        return self.checked.graph


@lru_cache(maxsize=8)
def program(checked: Checked) -> Program:
    """The graph, ready to run; made once for each graph that was checked, whatever its weights become. Raises
    GraphError: torch is missing, or does not do what the walk has found."""
    graph = checked.graph
    last: dict[str, int] = {}
    for i, node in enumerate(graph.nodes):
        for name in (*node.takes, *node.out):
            last[name] = i
    last[graph.output] = len(graph.nodes)
    inner = {name for node in graph.nodes for name in node.out}
    steps = []
    for i, node in enumerate(graph.nodes):
        done = tuple(name for name in dict.fromkeys((*node.takes, *node.out)) if last[name] == i and name in inner)
        steps.append(step_of(node, f"graph: node {i + 1} ({node.op})", done))
    made = Program(checked, tuple(steps))
    meta(made, BATCH)
    return made


def tensors(network: Network) -> dict[str, "Tensor"]:
    """Copies of a network's weights and constants that torch may change, by name; those that train ask for gradients.

    Raises GraphError: torch is missing, or weights of a base are.
    """
    loaded = torch()
    if network.missing:
        hint = f"give the file with {network.graph.base}"
        raise GraphError(f"weights of its base are missing: {', '.join(network.missing[:3])}", hint=hint)
    trained = {one.name for one in network.graph.weights if one.train}
    return {name: _tensor(loaded, array).requires_grad_(name in trained) for name, array in network.tensors.items()}


def _tensor(loaded: Any, array: Array) -> Any:
    return loaded.from_numpy(np.array(array, dtype=array.dtype.newbyteorder("="), order="C"))


def forward(
    made: Program,
    weights: Mapping[str, "Tensor"],
    inputs: Mapping[str, "Tensor"],
    *,
    train: bool = False,
    most_memory: int = MOST_MEMORY,
    most_flops: int = MOST_FLOPS,
) -> "Tensor":
    """The output [b, ...] for inputs by name, each [b, ...]; weights and constants by name.

    train: dropout draws. Nothing is computed where the bound of what the batch takes is beyond most_memory (bytes) or
    most_flops (operations). Raises GraphError: the inputs do not fit, a bound does not, or torch fails. Inputs that are
    places in a table have to lie within it (`Checked.below`): that is for whoever loads rows, before any batch.
    """
    batch = admitted(made, inputs, most_memory, most_flops)
    return _run(made, {**weights, **inputs}, batch, train=train)


def admitted(
    made: Program,
    inputs: Mapping[str, "Tensor"],
    most_memory: int = MOST_MEMORY,
    most_flops: int = MOST_FLOPS,
) -> int:
    """The rows of a batch that may run. Raises GraphError: inputs do not fit, or it is beyond a bound."""
    batch = _batch(made, inputs)
    need = memory(made.checked, batch)
    if need > most_memory:
        hint = f"at most {most_memory}: take fewer rows at once"
        raise GraphError(f"{batch} rows may take {need} bytes", where="graph", hint=hint)
    if (work := made.checked.flops * batch) > most_flops:
        hint = f"at most {most_flops}: take fewer rows at once"
        raise GraphError(f"{batch} rows may take {work} operations", where="graph", hint=hint)
    return batch


def memory(checked: Checked, rows: int) -> int:
    """Bytes that a batch may take at most, forward and back, beside the weights: each number, its gradient, and one
    more while gradients are added up, in the widest type."""
    held = checked.floats * rows + checked.public + checked.trained
    return 8 * (3 * held + checked.scratch * rows)


def _batch(made: Program, inputs: Mapping[str, "Tensor"]) -> int:
    """The rows of the batch. Raises GraphError: an input is missing or does not fit."""
    wanted = {one.name: one for one in made.graph.inputs}
    if set(inputs) != set(wanted):
        raise GraphError("its inputs are others", where="graph", hint=f"it takes {', '.join(wanted)}")
    batch = int(next(iter(inputs.values())).shape[0])
    for name, tensor in inputs.items():
        value = made.checked.values[name]
        if str(tensor.dtype) != f"torch.{value.dtype}" or tuple(tensor.shape) != value.of_batch(batch):
            said = f"{str(tensor.dtype).removeprefix('torch.')} {list(tensor.shape)}"
            raise GraphError(
                f'the input "{name}" is {said}', where="graph", hint=f"it takes {_shape(value.dtype, value.shape)}"
            )
    return batch


def _shape(dtype: str, shape: tuple[int, ...]) -> str:
    return f"{dtype} [{', '.join(('b', *map(str, shape[1:])))}]"


def _run(made: Program, values: Values, batch: int, *, train: bool, watch: "_Watch | None" = None) -> "Tensor":
    for step in made.steps:
        run_step(step, values, batch, train=train)
        if watch:
            watch(step, values)
        for name in step.done:
            del values[name]
    return values[made.graph.output]


_Watch = Callable[[Step, Values], None]


def numberless(checked: Checked, name: str, batch: int) -> "Tensor":
    """A value's shape and type for so many rows, on the device `meta`: no memory is taken."""
    value, loaded = checked.values[name], torch()
    found: Tensor = loaded.empty(value.of_batch(batch), dtype=getattr(loaded, value.dtype), device="meta")
    return found


def meta(made: Program, batch: int) -> None:
    """Follow the graph without memory. Raises GraphError: a value has another shape or type than was found."""
    loaded = torch()

    def same(step: Step, env: Values) -> None:
        for name in step.out:
            value, tensor = made.checked.values[name], env[name]
            if tuple(tensor.shape) != value.of_batch(batch) or str(tensor.dtype) != f"torch.{value.dtype}":
                found = f"{tensor.dtype} {list(tensor.shape)}"
                raise GraphError(
                    f"torch makes {found} for {batch} rows", where=step.where, hint="this is a bug of ours"
                )

    given = [one.name for one in made.graph.inputs] + [one.name for one in made.graph.held]
    env = {name: numberless(made.checked, name, batch) for name in given}
    with loaded.no_grad():
        _run(made, env, batch, train=False, watch=same)
