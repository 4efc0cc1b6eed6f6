"""A graph that is nothing but layers, as a model of layers: what the protections of `predict` score with.

Taken are `linear` and `addmm` of the encoded table, one of relu, tanh and square between them, always the same, and
dropout, which does nothing where a model predicts. A graph computes mostly in float32, layers in float64: scores differ
in what float32 rounds away.
"""

from collections.abc import Mapping
from dataclasses import replace
from itertools import pairwise
from typing import Literal

import numpy as np

from potluck.core.errors import UsageError
from potluck.core.stages import Floats
from potluck.learning.data.mixed import FEATURES
from potluck.learning.graph.op import OPS
from potluck.learning.graph.schema import Argument, Node, Special
from potluck.learning.graph.tensors import Array
from potluck.learning.models.card import fault
from potluck.learning.models.model import Model
from potluck.learning.models.model_file import Network

Activation = Literal["relu", "tanh", "square"]
WORDS: Mapping[str, Activation] = {"relu": "relu", "tanh": "tanh", "mul": "square", "pow": "square"}
"""Operations that may stand between layers, `mul` and `pow` where they square."""
HINT = "linear layers of the encoded table, one of relu, tanh, square between them; at home: potluck score MODEL CSV"


def as_layers(model: Model) -> Model:
    """The same model made of layers. Raises UsageError: it is no graph, or the first thing of it that is no layer."""
    if model.graph is None:
        raise UsageError("is no graph", hint="a model of layers is scored for others as it is")
    network = model.graph.network
    others = [one.name for one in network.graph.inputs if one.name != FEATURES]
    if others:
        raise UsageError(f"takes {others[0]}, which no layer does", hint=HINT)
    if network.missing:
        raise UsageError("its frozen weights are not here", where=str(network.graph.base), hint="models/ beside it")
    value, parts, words = FEATURES, list[tuple[Floats, Floats]](), list[Activation | None]()
    for i, node in enumerate(network.graph.nodes):
        given = OPS.of(node.op).bound(node)
        found = _matrix(node, given, value, network.tensors)
        if found is not None:
            parts.append(found)
            words.append(None)
        elif node.op in WORDS and words and words[-1] is None and _between(node, given, value):
            words[-1] = WORDS[node.op]
        elif node.op != "dropout" or not _is(given["input"], value):
            raise UsageError("is no layer of a model of layers", where=f"node {i + 1} ({node.op})", hint=HINT)
        value = node.out[0]
    return _built(model, parts, words)


def _built(model: Model, parts: list[tuple[Floats, Floats]], words: list[Activation | None]) -> Model:
    between = set(words[:-1])
    if not parts or words[-1] is not None or None in between or len(between) > 1:
        raise UsageError("has no activation between two layers, several of them, or one after the last", hint=HINT)
    activation = next(iter(between), None) or "relu"
    weights = np.concatenate([one.reshape(-1) for pair in parts for one in pair])
    widths = tuple(len(bias) for _, bias in parts[:-1])
    made = replace(model, weights=weights, network=Network(layers=widths, activation=activation), graph=None)
    wrong = fault(made.card)
    if wrong:
        raise UsageError(f"is no model of layers: {wrong}", hint=HINT)
    assert all(one.shape == shape for (one, _), shape in zip(parts, made.shapes, strict=True))
    assert all(before[0].shape[1] == after[0].shape[0] for before, after in pairwise(parts))
    return made


def _matrix(
    node: Node, given: Mapping[str, Argument], value: str, tensors: Mapping[str, Array]
) -> tuple[Floats, Floats] | None:
    """A layer's matrix [inputs, outputs] and bias; None: the node is none, or not of the value and of weights."""
    names = {"linear": ("input", "weight", "bias"), "addmm": ("mat1", "mat2", "self")}.get(node.op)
    if names is None or not _is(given[names[0]], value):
        return None
    matrix, bias = (_tensor(given.get(name), tensors) for name in names[1:])
    if matrix is None or (bias is None and given.get(names[2]) is not None):
        return None
    whole = np.asarray(matrix.T if node.op == "linear" else matrix, np.float64)
    return np.ascontiguousarray(whole), np.zeros(whole.shape[1]) if bias is None else np.asarray(bias, np.float64)


def _between(node: Node, given: Mapping[str, Argument], value: str) -> bool:
    """Whether it is an activation of the value alone."""
    if node.op == "mul":
        return _is(given["self"], value) and _is(given["other"], value)
    return _is(given["self"], value) and (node.op != "pow" or given["exponent"] == 2)


def _is(argument: Argument, name: str) -> bool:
    return isinstance(argument, Special) and argument.v == name


def _tensor(argument: Argument | None, tensors: Mapping[str, Array]) -> Array | None:
    return tensors.get(argument.v or "") if isinstance(argument, Special) else None
