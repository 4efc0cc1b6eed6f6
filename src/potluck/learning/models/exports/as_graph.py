"""Any model of layers as a graph: the short way `layers = [...]`, and linear and logistic models, which are one layer.

A graph says the same margins of the same encoded features. Its weights are called `layers.0.weight` [outputs, inputs]
and `layers.0.bias` [outputs], as PyTorch calls those of a stack of linear layers.
"""

from collections.abc import Mapping

import numpy as np

from potluck.core.errors import UsageError
from potluck.core.plan import Plan
from potluck.learning.data.encode import encoding
from potluck.learning.data.mixed import FEATURES
from potluck.learning.data.target import goal_of
from potluck.learning.graph.file import Network, parsed, written
from potluck.learning.graph.schema import Graph, Input, Node, Special, Weight
from potluck.learning.graph.tensors import Array
from potluck.learning.graph.value import DType
from potluck.learning.models import layers
from potluck.learning.models.first.unfilled import first_model
from potluck.learning.models.forms import form_of
from potluck.learning.models.graphs import Equipped, patterned
from potluck.learning.models.kinds import MODELS, kind_of
from potluck.learning.models.model import Model


def as_graph(held: Model, kind: DType = "float64") -> Network:
    """A model's own graph, or its layers as one. kind: of what layers compute with: float64 gives what they give.

    Raises UsageError: its kind is made of no layers.
    """
    if held.graph is not None:
        return held.graph.network
    if not MODELS.of(held.kind).layered:
        raise UsageError(f"is a model of kind {held.kind}, which is made of no layers", hint="potluck score reads it")
    graph, tensors = _drawn(held, kind)
    return parsed(written(graph, tensors), "model.graph")


def of_plan(plan: Plan) -> Network | None:
    """What a plan trains, as a graph with its first weights: its own, or its layers.

    None: it trains nothing that is made of layers, or more numbers than any model has; its graph is not here; its
    columns are not known before files are read.
    """
    if isinstance(plan, Equipped):
        return plan.network
    known = plan.model is not None and plan.traits.labelled and not plan.drawn and not patterned(plan)
    if not known or not kind_of(plan).layered:
        return None
    form = form_of(plan, goal_of(plan), len(encoding(plan).names))
    return as_graph(first_model(plan, form.initial())) if form.size <= layers.MOST_VALUES else None


def _drawn(held: Model, kind: DType) -> tuple[Graph, Mapping[str, Array]]:
    activation = held.network.activation if held.network else ""
    tensors: dict[str, Array] = {}
    nodes: list[Node] = []
    value, last = Special(v=FEATURES), len(held.shapes) - 1
    for place, (matrix, bias) in enumerate(_parts(held)):
        names = f"layers.{place}.weight", f"layers.{place}.bias"
        tensors |= {names[0]: np.ascontiguousarray(matrix.T, kind), names[1]: bias.astype(kind)}
        nodes.append(Node("linear", (value, *(Special(v=name) for name in names)), {}, (f"linear_{place}",)))
        value = Special(v=f"linear_{place}")
        if place < last:
            nodes.append(_activated(activation, value, f"{activation}_{place}"))
            value = Special(v=f"{activation}_{place}")
    weights = tuple(Weight(name, name, kind, tuple(one.shape), True) for name, one in tensors.items())
    inputs = (Input(FEATURES, kind, ("b", held.shapes[0][0])),)
    return Graph("potluck graph", 1, None, inputs, weights, (), tuple(nodes), str(value.v)), tensors


def _activated(word: str, value: Special, out: str) -> Node:
    """A square is a product with itself."""
    return Node("mul", (value, value), {}, (out,)) if word == "square" else Node(word, (value,), {}, (out,))


def _parts(held: Model) -> list[tuple[Array, Array]]:
    """Each layer's matrix [inputs, outputs] and bias. A linear model has its intercept first."""
    if held.network is None:
        each = held.weights.reshape(held.target.outputs, -1)
        return [(each[:, 1:].T, each[:, 0])]
    return list(layers.unpacked(held.weights, held.shapes))
