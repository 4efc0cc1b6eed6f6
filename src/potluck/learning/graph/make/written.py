"""A graph as it grows: inputs, weights, constants and nodes, each checked by its rule when it is added."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from potluck.learning.graph.check import made_by
from potluck.learning.graph.make.exported import InputShape, refused
from potluck.learning.graph.op import OPS
from potluck.learning.graph.schema import Argument, Constant, Graph, Input, Node, Weight
from potluck.learning.graph.tensors import Array, kind_of
from potluck.learning.graph.value import Misfit, Rows, Value

if TYPE_CHECKING:
    from torch.fx import Node as Traced


@dataclass(slots=True)
class Growing:
    """training: whether the module as a whole was in training mode; known: values so far; arrays: of weights and
    constants."""

    inputs: Mapping[str, InputShape]
    training: bool
    known: dict[str, Value] = field(default_factory=dict)
    arrays: dict[str, Array] = field(default_factory=dict)
    weights: list[Weight] = field(default_factory=list)
    constants: list[Constant] = field(default_factory=list)
    nodes: list[Node] = field(default_factory=list)

    def __post_init__(self) -> None:
        for name, one in self.inputs.items():
            self.known[name] = Value(one.dtype, (1, *one.shape), Rows(0))

    def weight(self, name: str, array: Array, train: bool) -> str:
        """A weight; gives its name."""
        self._hold(name, array)
        self.weights.append(Weight(name, name, kind_of(array), tuple(array.shape), train))
        return name

    def constant(self, name: str, array: Array) -> str:
        """A constant; gives its name, which is a new one where it is taken."""
        name = self._free(name)
        self._hold(name, array)
        self.constants.append(Constant(name, name, kind_of(array), tuple(array.shape)))
        return name

    def _hold(self, name: str, array: Array) -> None:
        self.known[name] = Value(kind_of(array), tuple(array.shape))
        self.arrays[name] = array

    def _free(self, name: str) -> str:
        while name in self.known:
            name += "_"
        return name

    def node(
        self,
        traced: "Traced",
        word: str,
        args: Sequence[Argument],
        kw: Mapping[str, Argument] | None = None,
        many: int = 1,
    ) -> tuple[str, ...]:
        """One node, for what torch has traced; gives the names of its results. Raises GraphError, with its line."""
        name = self._free(f"{word}_{len(self.nodes) + 1}")
        out = (name,) if many == 1 else tuple(self._free(f"{name}.{i}") for i in range(many))
        node = Node(word, tuple(args), dict(kw or {}), out)
        try:
            _, _, made = made_by(node, self.known)
        except Misfit as misfit:
            raise refused(traced, f"({word}) {misfit.what}", misfit.hint) from None
        self.known.update(zip(out, made, strict=True))
        self.nodes.append(node)
        return out

    def finished(self, output: str) -> tuple[Graph, dict[str, Array]]:
        """The graph without what nothing uses, and its tensors."""
        used, nodes = {output}, []
        for node in reversed(self.nodes):
            if used.intersection(node.out):
                nodes.append(node)
                used.update(node.takes)
        graph = Graph(
            format="potluck graph",
            version=1,
            base=None,
            inputs=tuple(Input(name, one.dtype, ("b", *one.shape)) for name, one in self.inputs.items()),
            weights=tuple(one for one in self.weights if one.name in used),
            constants=tuple(one for one in self.constants if one.name in used),
            nodes=tuple(reversed(nodes)),
            output=output,
        )
        return graph, {one.name: self.arrays[one.name] for one in graph.held}


def arguments_of(word: str) -> tuple[str, ...]:
    """Every argument of an operation."""
    op = OPS.of(word)
    return op.arguments + op.keywords
