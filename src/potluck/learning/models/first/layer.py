"""The first layer of a plan's model, where it stands on a row's own numbers: its weights and biases in a vector [d]."""

from dataclasses import dataclass
from math import prod

from potluck.core.plan import Plan, required
from potluck.core.stages import Floats
from potluck.learning.data.encode import encoding
from potluck.learning.data.mixed import FEATURES
from potluck.learning.data.target import goal_of
from potluck.learning.graph.file import Network
from potluck.learning.graph.schema import Node, Special
from potluck.learning.models.forms import form_of
from potluck.learning.models.graphs import network_of, trained_of
from potluck.learning.models.kinds import kind_of
from potluck.learning.models.layers import size


@dataclass(frozen=True, slots=True)
class Layer:
    """Where a vector of weights, or of their slopes, has those of a first layer: weights [h, p] or [p, h], and bias
    [h]. rectified: ReLU follows; given: what of a row is its input, as `mixed.taken` calls it."""

    weights: slice
    bias: slice
    inputs: int
    outputs: int
    input_first: bool
    rectified: bool = False
    given: str = FEATURES

    def of(self, values: Floats) -> tuple[Floats, Floats]:
        """weights [h, p], bias [h]."""
        held = values[self.weights]
        shape = (self.inputs, self.outputs) if self.input_first else (self.outputs, self.inputs)
        found = held.reshape(shape)
        return (found.T if self.input_first else found), values[self.bias]


def layer_of(plan: Plan) -> Layer | None:
    """The first layer of a plan's model. None: no such layer stands first."""
    if plan.drawn:
        return _of_graph(plan, network_of(plan))
    if not kind_of(plan).layered:
        return None
    wide = len(encoding(plan).names)
    if kind_of(plan).link is not None:
        return Layer(slice(1, wide + 1), slice(0, 1), wide, 1, False)
    form = form_of(plan, goal_of(plan), wide)
    high = (form.size - size(form.shapes[1:])) // (wide + 1) if hasattr(form, "shapes") else 0
    rectified = required(plan.model).activation == "relu"
    return Layer(slice(0, wide * high), slice(wide * high, (wide + 1) * high), wide, high, True, rectified)


def _of_graph(plan: Plan, network: Network) -> Layer | None:
    """Its first node with weights, where that is a layer on an input as it is, or flat."""
    given = {one.name: one.name for one in network.graph.inputs}
    places: dict[str, slice] = {}
    start = 0
    for weight in trained_of(plan):
        places[weight.name] = slice(start, start := start + prod(weight.shape))
    for node in network.graph.nodes:
        names = node.takes
        if node.op == "reshape" and names[0] in given:
            given[node.out[0]] = given[names[0]]
        elif node.op in ("linear", "addmm"):
            return _layer(node, given, places, network)
        elif any(name in places for name in names):
            return None
    return None


def _layer(node: Node, given: dict[str, str], places: dict[str, slice], network: Network) -> Layer | None:
    named = [one.v for one in node.args if isinstance(one, Special) and one.v is not None]
    if len(named) < 3:
        return None
    bias, rows, weights = named[:3] if node.op == "addmm" else (named[2], named[0], named[1])
    shapes = {one.name: one.shape for one in network.graph.weights}
    if rows not in given or weights not in places or bias not in places:
        return None
    input_first, shape = node.op == "addmm", shapes[weights]
    inputs, outputs = shape if input_first else shape[::-1]
    relu = any(one.op == "relu" and node.out[0] in one.takes for one in network.graph.nodes)
    return Layer(places[weights], places[bias], inputs, outputs, input_first, relu, given[rows])
