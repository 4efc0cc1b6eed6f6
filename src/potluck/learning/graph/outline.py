"""What an owner can read of a graph before it runs: its layers, what is trained, what it takes, what a row costs.

Everything here follows from the file alone: no torch is needed, and nothing of it runs. It says what is computed, and
NOT what it is good for.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

from potluck.core.prose import agree
from potluck.core.visible import aligned, visible
from potluck.learning.graph.file import Network
from potluck.learning.graph.interpreter import memory
from potluck.learning.graph.schema import Weight
from potluck.learning.graph.value import Value

MOST_NAMED = 8
"""Names that a line says; JSON has all."""


@dataclass(frozen=True, slots=True)
class Layer:
    """A node that has weights. parameters: of those that no layer above it has; trained: of them; flops: a row."""

    name: str
    op: str
    weights: tuple[str, ...]
    parameters: int
    trained: int
    shape: tuple[str | int, ...]
    flops: int


@dataclass(frozen=True, slots=True)
class Outline:
    """A graph in words and numbers. notes: what to mind of the model that it is, where a run said so."""

    network: Network
    layers: tuple[Layer, ...]
    operations: dict[str, int]
    notes: tuple[str, ...] = ()

    def document(self) -> dict[str, object]:
        """The JSON."""
        graph, checked = self.network.graph, self.network.checked
        return {
            "graph": self.network.digest,
            "weights": self.network.weights,
            "base": graph.base,
            "inputs": [{"name": one.name, "dtype": one.dtype, "shape": list(one.shape)} for one in graph.inputs],
            "output": {
                "dtype": checked.values[graph.output].dtype,
                "shape": list(_shape(checked.values[graph.output])),
            },
            "parameters": self._parameters(),
            "layers": [
                {
                    "name": one.name,
                    "op": one.op,
                    "weights": list(one.weights),
                    "parameters": one.parameters,
                    "trained": one.trained,
                    "shape": list(one.shape),
                    "flops": one.flops,
                }
                for one in self.layers
            ],
            "operations": self.operations,
            "row": {"numbers": checked.floats, "flops": checked.flops, "bytes": memory(checked, 1)},
            "notes": list(self.notes),
        }

    def __str__(self) -> str:
        return "\n".join(self.lines())

    def _parameters(self) -> dict[str, int]:
        graph, missing = self.network.graph, set(self.network.missing)
        return {
            "trained": sum(prod(one.shape) for one in graph.weights if one.train),
            "frozen": sum(prod(one.shape) for one in graph.weights if not one.train),
            "missing": sum(prod(one.shape) for one in graph.weights if one.name in missing),
            "constants": sum(prod(one.shape) for one in graph.constants),
        }

    def lines(self) -> list[str]:
        """The table, a line each."""
        graph, checked = self.network.graph, self.network.checked
        held = self._parameters()
        rows = [("layer", "operation", "parameters", "trained", "makes")]
        rows += [(one.name, one.op, f"{one.parameters:,}", _trained(one), _written(one.shape)) for one in self.layers]
        words = ", ".join(f"{word} {many}" for word, many in sorted(self.operations.items()))
        base = []
        if graph.base is not None:
            said = f"not given, holds {held['missing']:,} of the frozen" if self.network.missing else "given"
            base = [f"base    {graph.base}: {said}"]
        return [
            *(f"takes   {one.name}: {one.dtype} {_written(one.shape)}" for one in graph.inputs),
            f"makes   {checked.values[graph.output].dtype} {_written(_shape(checked.values[graph.output]))}",
            f"graph   {self.network.digest}",
            f"weights {self.network.weights}",
            *base,
            "",
            *aligned(rows),
            "",
            f"{held['trained']:,} parameters trained, {held['frozen']:,} frozen; "
            f"{held['constants']:,} constant numbers",
            f"{agree(len(graph.nodes), '1 operation', f'{len(graph.nodes)} operations')}: {words}",
            f"a row costs at most {checked.floats:,} numbers ({memory(checked, 1):,} bytes with gradients) "
            f"and {checked.flops:,} floating-point operations forward",
            *(f"note: {visible(one)}" for one in self.notes),
        ]


def outline(network: Network) -> Outline:
    """What is to be read of a graph."""
    graph, checked = network.graph, network.checked
    weights, seen, layers = {one.name: one for one in graph.weights}, set(), []
    for node, flops in zip(graph.nodes, checked.costs, strict=True):
        held = list(dict.fromkeys(name for name in node.takes if name in weights))
        if not held:
            continue
        new = [weights[name] for name in held if name not in seen]
        seen.update(held)
        shape = _shape(checked.values[node.out[0]])
        trained = _count([one for one in new if one.train])
        layers.append(Layer(_common(held), node.op, tuple(held), _count(new), trained, shape, flops))
    return Outline(network, tuple(layers), dict(Counter(node.op for node in graph.nodes)))


def _count(weights: Sequence[Weight]) -> int:
    return sum(prod(one.shape) for one in weights)


def _common(names: Sequence[str]) -> str:
    """The module that these weights belong to; of a weight alone without one its name."""
    modules = {name.rpartition(".")[0] for name in names}
    return next(iter(modules)) if len(modules) == 1 and "" not in modules else some(names)


def some(names: Sequence[str]) -> str:
    """The first few: a node may take thousands of weights, and each line of a table is as long as the longest."""
    more = f" and {len(names) - MOST_NAMED:,} more" if len(names) > MOST_NAMED else ""
    return ", ".join(names[:MOST_NAMED]) + more


def _shape(value: Value) -> tuple[str | int, ...]:
    """A shape in which b is the rows of the batch."""
    if value.rows is None:
        return value.shape
    axis, times = value.rows.axis, value.rows.outer * value.rows.inner
    return tuple(("b" if times == 1 else f"{times}b") if i == axis else size for i, size in enumerate(value.shape))


def _written(shape: Sequence[str | int]) -> str:
    return f"[{', '.join(map(str, shape))}]"


def _trained(layer: Layer) -> str:
    if layer.parameters == 0:
        return "above"
    return {0: "no", layer.parameters: "yes"}.get(layer.trained, f"{layer.trained:,}")
