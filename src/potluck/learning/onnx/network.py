"""A whole graph said in ONNX: its inputs, its numbers, and node by node what it computes where nothing trains."""

from potluck.core.errors import GraphError, UsageError
from potluck.learning.graph.check import made_by
from potluck.learning.graph.file import Network
from potluck.learning.onnx.call import Call
from potluck.learning.onnx.ops import SAID
from potluck.learning.onnx.writer import Writer


def said(network: Network, writer: Writer) -> str:
    """Add a graph's numbers and nodes; gives the name of its output. A graph's inputs keep their names.

    Raises GraphError: ONNX has no words for an operation; UsageError: frozen weights of its base are not here.
    """
    graph, known = network.graph, network.checked.values
    if network.missing:
        hint = "put the file into models/ beside the model, or here"
        raise UsageError("its frozen weights are not here", where=str(graph.base), hint=hint)
    named = {one.name: one.name for one in graph.inputs}
    named |= {one.name: writer.hold(f"graph/{one.name}", network.tensors[one.name]) for one in graph.held}
    for i, node in enumerate(graph.nodes):
        say = SAID.get(node.op)
        if say is None:
            where = f"node {i + 1} ({node.op})"
            hint = "--to graph holds every operation; potluck score reads the model itself"
            raise GraphError("ONNX files cannot say this operation", where=where, hint=hint)
        _, bound, made = made_by(node, known)
        named.update(zip(node.out, say(Call(writer, bound, named, made)), strict=True))
    return named[graph.output]
