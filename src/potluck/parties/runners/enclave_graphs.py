"""How an enclave scores by a graph: the strict reader, the walk and the interpreter, which run everywhere else too.

The walk (`learning.graph.check`) bounds a graph's memory and arithmetic, refuses every operation that is not in the
table, and keeps rows apart, before there is room for anything. torch computes what is left, on one thread. It is a
library: the digest of the enclave's code does NOT cover it.
"""

from collections.abc import Callable

import numpy as np

from potluck.core.errors import GraphError
from potluck.core.predicting import Columns
from potluck.core.stages import Floats
from potluck.engines.frames import OpError
from potluck.learning.graph.batches import outputs
from potluck.learning.graph.file import Network, parsed, written
from potluck.learning.graph.interpreter import MOST_FLOPS, MOST_MEMORY, memory, program, tensors
from potluck.learning.graph.schema import Graph, Input, Node, Special, Weight
from potluck.learning.graph.steps import torch
from potluck.learning.graph.value import FLOATS
from potluck.tee.predict.graphs import Graphs

_PLACE = "the graph"


def prepared(content: bytes, columns: Columns) -> Callable[[], Floats]:
    """What computes the margins [n, outputs] of these columns. See `tee.predict.graphs`. Raises GraphError."""
    network = parsed(content, _PLACE)
    _fitting(network, columns)
    program(network.checked)
    weights, rows = tensors(network), len(next(iter(columns.values())))

    def scored() -> Floats:
        try:
            return outputs(network, weights, lambda some: _of(columns, some), rows, MOST_MEMORY)
        finally:
            program.cache_clear()  # nothing of a prediction stays

    return scored


def _of(columns: Columns, some: slice) -> Columns:
    return {name: one[some] for name, one in columns.items()}


def _fitting(network: Network, columns: Columns) -> None:
    """Raises GraphError: weights are not in it; it takes other columns, of other shapes or of whole numbers, makes no
    table, or one row is beyond a bound."""
    checked, graph = network.checked, network.graph
    if network.missing:
        raise GraphError("rests on a base, and only its own file is here", where=_PLACE)
    wanted = {one.name: checked.values[one.name].shape[1:] for one in graph.inputs}
    if wanted != {name: one.shape[1:] for name, one in columns.items()}:
        raise GraphError("takes other columns than there are", where=_PLACE)
    if any(one.dtype not in FLOATS for one in graph.inputs) or checked.values[graph.output].rank != 2:
        raise GraphError("takes floats, and makes a table", where=_PLACE)
    if memory(checked, 1) > MOST_MEMORY or checked.flops > MOST_FLOPS:
        raise GraphError("is beyond the bounds of one row", where=_PLACE)


def ready() -> list[str]:
    """See `tee.predict.graphs`. Raises OpError: torch is missing, or gives another answer than pencil and paper."""
    try:
        torch().set_num_threads(1)
        torch().backends.nnpack.is_available()  # it reads files of the machine once, and chooses a convolution by them
        found = prepared(_self_test(), {"x": np.array([[[1.0, 2.0, 3.0, -9.0]]])})()
    except GraphError as error:
        raise OpError(str(error)) from None
    if found.tolist() != [[17.0]]:
        raise OpError("the self-test scores wrongly by a graph")
    return [f"torch {torch().__version__}"]


def _self_test() -> bytes:
    """A convolution of two ones, relu, and a linear layer: of 1, 2, 3, -9 that is 3, 5, 0, and 3 + 10 + 0 + 4."""
    weights = {"k": np.ones((1, 1, 2)), "w": np.array([[1.0, 2.0, 3.0]]), "b": np.array([4.0])}

    def node(op: str, out: str, *args: str) -> Node:
        return Node(op, tuple(Special(v=one) for one in args), {}, (out,))

    flat = Node("reshape", (Special(v="r"), (Special(b=1), 3)), {}, ("f",))
    graph = Graph(
        format="potluck graph",
        version=1,
        base=None,
        inputs=(Input("x", "float64", ("b", 1, 4)),),
        weights=tuple(Weight(name, name, "float64", one.shape, True) for name, one in weights.items()),
        constants=(),
        nodes=(node("conv1d", "c", "x", "k"), node("relu", "r", "c"), flat, node("linear", "y", "f", "w", "b")),
        output="y",
    )
    return written(graph, weights)


GRAPHS = Graphs(prepared, ready)
