"""A model as a file of ONNX: encoded features in, or raw columns, and scores out, as `potluck score` has them.

Its inputs are those of the model's graph: `features` [b, p] in the encoding's order, or a raw column each
(`exports.onnx_columns`), and columns of tensors by their names, as a network takes them. A graph is said in its own
type. Linear and logistic models and layers, which Potluck computes in float64, are said in float64 of raw columns and
in float32 of features; trees and curves are an ensemble of `ai.onnx.ml` in float64. The encoding stands in the file as
JSON text, with the names of the features, the target, and the digest of the model.
It does NOT promise the last bits: a program for ONNX adds up in an order of its own.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np

from potluck.core.errors import UsageError
from potluck.learning.data.mixed import FEATURES
from potluck.learning.data.raw.said import unsaid
from potluck.learning.data.target import Goal, Side
from potluck.learning.graph.value import DType
from potluck.learning.models.exports.as_graph import as_graph
from potluck.learning.models.exports.branching import branching
from potluck.learning.models.exports.onnx_columns import Columns
from potluck.learning.models.exports.onnx_trees import SET, VERSION, ensemble
from potluck.learning.models.model import Model
from potluck.learning.onnx.network import said
from potluck.learning.onnx.writer import IR, OPSET, Writer, onnx

OUTPUT, LOGITS = "scores", "logits"
"""Of a language model the file gives the logits of each place's next token."""
Link = Callable[[Writer, str, Goal, DType], str]


def onnx_file(model: Model, raw: bool = False) -> bytes:
    """The file's bytes. raw: its inputs are raw columns.

    Raises UsageError: the package onnx is missing, the kind is made of no layers, the target's range does not fit, or
    by name a column that cannot be read; GraphError: ONNX has no words for an operation.
    """
    package = onnx()
    made = (_of_trees if model.boosted else _of_graph)(package, model, raw)
    writer, out = made.writer, OUTPUT if model.target.apart else LOGITS
    taken = {one.name for one in made.inputs}
    while out in taken:
        out += "_"
    last = _LINKS[model.target.side](writer, made.margins, model.target, made.dtype)
    last = made.read.scored(last, made.dtype) if made.read else last
    writer.nodes.append(package.helper.make_node("Identity", [last], [out]))
    inside = {name for node in writer.nodes for name in node.output} | {one.name for one in writer.held}
    if odd := sorted(taken & inside):
        raise unsaid(odd[0], "is called as something inside the file is")
    outputs = [_shaped(writer, out, made.dtype, ("b", *made.shape))]
    body = package.helper.make_graph(writer.nodes, "potluck", list(made.inputs), outputs, writer.held)
    version = [package.helper.make_opsetid(*one) for one in made.sets]
    whole = package.helper.make_model(body, opset_imports=version, ir_version=IR, producer_name="potluck")
    package.helper.set_model_props(whole, _told(model))
    package.checker.check_model(whole)
    return bytes(whole.SerializeToString(deterministic=True))


@dataclass(frozen=True, slots=True)
class _Said:
    """A model's margins, as far as they are written: their name, type and shape but for the rows; the inputs, and the
    sets of operators. read: the raw columns, where they are the inputs."""

    writer: Writer
    inputs: Sequence[Any]
    margins: str
    dtype: DType
    shape: tuple[int | str, ...]
    sets: tuple[tuple[str, int], ...] = (("", OPSET),)
    read: Columns | None = None


def _shaped(writer: Writer, name: str, kind: DType, shape: tuple[int | str, ...]) -> Any:
    return writer.package.helper.make_tensor_value_info(name, writer.type_of(kind), shape)


def _of_graph(package: Any, model: Model, raw: bool) -> _Said:
    network = as_graph(model, "float64" if raw else "float32")
    graph, made = network.graph, network.checked.values[network.graph.output]
    taken = {one.name: one for one in graph.inputs}
    read = None
    writer = Writer(package, graph.inputs[0].name)
    if raw and FEATURES in taken:
        read = Columns(Writer(package, ""), model.encoding)
        writer, kind = read.writer, taken.pop(FEATURES).dtype
        to = {"to": writer.type_of(kind)}
        writer.nodes.append(package.helper.make_node("Cast", [read.features()], [FEATURES], **to))
    others = [_shaped(writer, one.name, one.dtype, one.shape) for one in taken.values()]
    inputs = [*(read.inputs() if read else []), *others]
    return _Said(writer, inputs, said(network, writer), made.dtype, tuple(made.shape[1:]), read=read)


def _of_trees(package: Any, model: Model, raw: bool) -> _Said:
    outputs, sets = model.target.outputs, (("", OPSET), (SET, VERSION))
    if raw:
        read = Columns(Writer(package, ""), model.encoding)
        margins = ensemble(read.writer, branching(model), read.gapped(read.features()), outputs)
        return _Said(read.writer, read.inputs(), margins, "float64", (outputs,), sets, read)
    writer = Writer(package, FEATURES)
    rows = _shaped(writer, FEATURES, "float32", ("b", len(model.taken)))
    margins = ensemble(writer, branching(model), FEATURES, outputs)
    return _Said(writer, (rows,), margins, "float64", (outputs,), sets)


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
