"""A model as a file of ONNX: encoded features in, scores out, as `potluck score` has them.

Its inputs are those of the model's graph: `features` [b, p] in the encoding's order, and columns of tensors by their
names. Linear and logistic models and layers, which Potluck computes in float64, are said in float32; a graph is said in
its own type. Trees and curves are an ensemble of `ai.onnx.ml`, in float32. How raw rows become features is not computed
by the
file: the encoding stands in it as JSON text, with the names of the features, the target, and the digest of the model.
It does NOT promise the last bits: a program for ONNX adds up in an order of its own.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np

from potluck.core.errors import UsageError
from potluck.learning.data.mixed import FEATURES
from potluck.learning.data.target import Goal, Side
from potluck.learning.graph.schema import Input
from potluck.learning.graph.value import DType
from potluck.learning.models.exports.as_graph import as_graph
from potluck.learning.models.exports.branching import branching
from potluck.learning.models.exports.onnx_trees import SET, VERSION, ensemble
from potluck.learning.models.model import Model
from potluck.learning.onnx.network import said
from potluck.learning.onnx.writer import IR, OPSET, Writer, onnx

OUTPUT, LOGITS = "scores", "logits"
"""Of a language model the file gives the logits of each place's next token."""
Link = Callable[[Writer, str, Goal, DType], str]


def onnx_file(model: Model) -> bytes:
    """The file's bytes. Raises UsageError: the package onnx is missing, the kind is made of no layers, or the target's
    range does not fit; GraphError: ONNX has no words for an operation."""
    package = onnx()
    made = _of_trees(package, model) if model.forest or model.curves else _of_graph(package, model)
    out = OUTPUT if model.target.apart else LOGITS
    while out in {one.name for one in made.inputs}:
        out += "_"
    last = _LINKS[model.target.side](made.writer, made.margins, model.target, made.dtype)
    made.writer.nodes.append(package.helper.make_node("Identity", [last], [out]))

    def shaped(name: str, kind: DType, shape: tuple[int | str, ...]) -> object:
        return package.helper.make_tensor_value_info(name, made.writer.type_of(kind), shape)

    inputs = [shaped(one.name, one.dtype, one.shape) for one in made.inputs]
    outputs = [shaped(out, made.dtype, ("b", *made.shape))]
    body = package.helper.make_graph(made.writer.nodes, "potluck", inputs, outputs, made.writer.held)
    version = [package.helper.make_opsetid(*one) for one in made.sets]
    whole = package.helper.make_model(body, opset_imports=version, ir_version=IR, producer_name="potluck")
    package.helper.set_model_props(whole, _told(model))
    package.checker.check_model(whole)
    return bytes(whole.SerializeToString(deterministic=True))


@dataclass(frozen=True, slots=True)
class _Said:
    """A model's margins, as far as they are written: their name, type and shape but for the rows; the inputs, and the
    sets of operators."""

    writer: Writer
    inputs: Sequence[Input]
    margins: str
    dtype: DType
    shape: tuple[int | str, ...]
    sets: tuple[tuple[str, int], ...] = (("", OPSET),)


def _of_graph(package: Any, model: Model) -> _Said:
    network = as_graph(model, "float32")
    graph, made = network.graph, network.checked.values[network.graph.output]
    writer = Writer(package, graph.inputs[0].name)
    return _Said(writer, graph.inputs, said(network, writer), made.dtype, tuple(made.shape[1:]))


def _of_trees(package: Any, model: Model) -> _Said:
    rows, outputs = Input(FEATURES, "float32", ("b", len(model.taken))), model.target.outputs
    writer = Writer(package, rows.name)
    margins = ensemble(writer, branching(model), rows.name, outputs)
    return _Said(writer, (rows,), margins, "float32", (outputs,), (("", OPSET), (SET, VERSION)))


def _told(model: Model) -> dict[str, str]:
    """What stands beside the numbers, as text."""
    said = {"encoding": model.encoding, "features": model.taken, "target": model.target}
    found = {f"potluck.{key}": msgspec.json.encode(one, order="sorted").decode() for key, one in said.items()}
    return found | {"potluck.model": model.digest()}


def _number(writer: Writer, margins: str, target: Goal, kind: DType) -> str:
    """From [-1, 1] to the target's own units. Raises UsageError: the type has no numbers of that range."""
    half, least, most = (target.high - target.low) / 2, float(np.finfo(kind).tiny), float(np.finfo(kind).max)
    if not least <= half <= most or max(-target.low, target.high) > most:
        what = f"{kind} has no numbers of the range of its target, {target.low:g} to {target.high:g}"
        raise UsageError(what, hint="--to graph")
    moved = writer.add("Mul", (writer.add("Add", (margins, writer.number(1.0, kind))), writer.number(half, kind)))
    return writer.add("Add", (moved, writer.number(target.low, kind)))


def _sigmoid(writer: Writer, margins: str, target: Goal, kind: DType) -> str:
    return writer.add("Sigmoid", (margins,))


_LINKS: Mapping[Side, Link] = {
    "binary": _sigmoid,
    "labels": _sigmoid,
    "classes": lambda writer, margins, target, kind: writer.add("Softmax", (margins,), {"axis": -1}),
    "number": _number,
    "tokens": lambda writer, margins, target, kind: margins,
}
