"""What torch has traced becomes a graph: operators are taken by name, constants are computed, tied weights are one.

What depends on no input and on no weight that trains is computed here, once, and kept as a constant. What draws at
random is refused, for a constant would not be random.
"""

import operator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from potluck.core.errors import GraphError
from potluck.learning.graph.make.call import Call
from potluck.learning.graph.make.exported import InputShape, name_of, refused
from potluck.learning.graph.make.operators import HINTS, OPERATORS
from potluck.learning.graph.make.written import Growing
from potluck.learning.graph.op import nearest_op
from potluck.learning.graph.schema import Graph
from potluck.learning.graph.steps import torch
from potluck.learning.graph.tensors import Array

if TYPE_CHECKING:
    from torch import Tensor
    from torch.fx import Node
    from torch.nn import Module

_DRAWS = ("dropout", "scaled_dot_product_attention")
"""Operators that may draw where a graph trains."""


def reduced(module: "Module", program: Any, inputs: dict[str, InputShape]) -> tuple[Graph, dict[str, Array]]:
    """The graph of an ExportedProgram, and its tensors by name. Raises GraphError."""
    walk = _Walk(module, program, Growing(inputs, module.training))
    result = None
    needed = _needed(program.graph.nodes)
    for node in program.graph.nodes:
        if node.op == "placeholder":
            walk.placeholder(node)
        elif node.op == "call_function" and node in needed:
            walk.call(node)
        elif node.op == "output":
            result = node.args[0]
    if not isinstance(result, list | tuple) or len(result) != 1 or not hasattr(result[0], "meta"):
        raise GraphError("the module gives several values, or changes its buffers", hint="let it give one tensor")
    return walk.graph.finished(walk.named(result[0]))


@dataclass(slots=True)
class _Walk:
    """names: how a traced value is called in the graph; folded: values that depend on no input and no weight;
    waiting: inputs that no placeholder has taken yet."""

    module: "Module"
    program: Any
    graph: Growing
    names: dict[Any, tuple[str, ...]] = field(default_factory=dict)
    folded: dict[Any, Any] = field(default_factory=dict)
    waiting: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.waiting = list(self.graph.inputs)

    def placeholder(self, node: "Node") -> None:
        """An input, a parameter or a buffer."""
        spec = next(one for one in self.program.graph_signature.input_specs if one.arg.name == node.name)
        kind = spec.kind.name
        if kind == "PARAMETER":
            if node.users:
                self.names[node] = (self._weight(spec.target),)
        elif kind in ("BUFFER", "CONSTANT_TENSOR"):
            held = self.program.state_dict if spec.target in self.program.state_dict else self.program.constants
            self._apart(spec.target, held[spec.target])
            self.folded[node] = held[spec.target].detach()
        elif kind == "USER_INPUT" and hasattr(node.meta.get("val"), "shape"):
            self.names[node] = (self.waiting.pop(0),)
        else:
            raise refused(node, f"is a {kind.lower()}, which no graph has")

    def _apart(self, target: str, held: "Tensor") -> None:
        """Raises GraphError: a tensor that is kept as a constant shares its memory with a weight that trains, so the
        module would see it change."""
        for name, weight in self.module.named_parameters():
            if weight.requires_grad and held.numel() and _memory(weight) == _memory(held):
                raise GraphError(
                    f"{target} shares its memory with {name}, which trains", hint="use the parameter itself"
                )

    def _weight(self, target: str) -> str:
        """The name of a parameter: of those that share their numbers the first."""
        parameters = dict(self.module.named_parameters(remove_duplicate=False))
        found = parameters[target]
        for name, other in parameters.items():
            if _memory(other) == _memory(found):
                if (other.shape, other.stride(), other.storage_offset()) != (
                    found.shape,
                    found.stride(),
                    found.storage_offset(),
                ):
                    raise GraphError(f"{target} and {name} share numbers in part", hint="tie whole parameters")
                if name not in self.graph.known:
                    self.graph.weight(name, numbers(found, name), bool(found.requires_grad))
                return name
        raise GraphError(f"{target} is no parameter of the module")

    def named(self, raw: object) -> str:
        """The name of a traced value; a constant that has none gets one."""
        if raw not in self.names:
            if raw not in self.folded:
                raise GraphError(f"{raw} is no value that a graph has", hint="graphs have no branches, loops or calls")
            node: Any = raw
            name = node.name.removeprefix("b_") if node.op == "placeholder" else f"constant_{node.name}"
            self.names[raw] = (self.graph.constant(name, numbers(self.folded[raw], name)),)
        (name,) = self.names[raw]
        return name

    def call(self, node: "Node") -> None:
        """An operator."""
        target: Any = node.target
        if target is operator.getitem:
            self._item(node)
            return
        value = node.meta.get("val")
        if _is_size(node):
            return  # sizes: shapes are taken as torch has found them
        if value is None and name_of(node).startswith(("aten._assert", "aten.sym_constrain")):
            return
        if type(target).__name__ != "OpOverload" or target.namespace != "aten":
            raise refused(node, "is no operation that graphs may use", "graphs have no branches, loops or calls")
        word, overload = target._schema.name.removeprefix("aten::"), target._overloadname or "default"
        if torch().Tag.nondeterministic_seeded in target.tags and word.rstrip("_") not in _DRAWS:
            raise refused(node, "draws at random", "dropout alone may")
        if target._schema.is_mutable:
            self._alone(node, word)
        if all(one in self.folded for one in node.all_input_nodes) and not _sizes(node):
            self._fold(node)
            return
        plain = word if word.startswith("__") else word.removesuffix("_")
        lowered = OPERATORS.get(f"{plain}.{overload}")
        if lowered is None:
            hint = HINTS.get(plain) or nearest_op(plain)
            raise refused(node, "is no operation that graphs may use", hint)
        self.names[node] = lowered(Call(node, _arguments(node), self.graph, self.named))
        if word != plain:  # what was changed in place is, from here on, what it was changed to
            changed = node.args[0]
            self.folded.pop(changed, None)
            self.names[changed] = self.names[node]

    def _alone(self, node: "Node", word: str) -> None:
        """Raises GraphError: what a node changes in place is seen under another name after it: as a view of it, or as
        what it is a view of. A graph does not follow such names."""
        changed: Any = node.args[0]
        if not word.endswith("_") or not hasattr(changed, "meta"):
            raise refused(node, "writes into what it is given", "make a new value")
        nodes, own = list(self.program.graph.nodes), _storages(changed)
        at = nodes.index(node)
        others = {one for one in nodes[:at] if one is not changed and own & _storages(one)}
        if any(others.intersection(one.all_input_nodes) for one in nodes[at + 1 :] if not _is_size(one)):
            raise refused(node, "changes in place what a view sees", "make a new value, such as x = x.clamp(0, 1)")

    def _item(self, node: "Node") -> None:
        source, index = node.args
        if source in self.folded:
            self.folded[node] = self.folded[source][index]
        else:
            self.names[node] = (self.names[source][int(str(index))],)

    def _fold(self, node: "Node") -> None:
        target: Any = node.target
        fill = lambda one: self.folded[one]  # noqa: E731
        arguments: Any = torch().fx.node.map_arg((node.args, node.kwargs), fill)
        args, kwargs = arguments
        with torch().no_grad():
            if target._schema.is_mutable:
                args = (args[0].clone(), *args[1:])
            self.folded[node] = target(*args, **kwargs)
        if target._schema.is_mutable:
            self.folded[node.args[0]] = self.folded[node]


def _needed(nodes: Any) -> set[Any]:
    """What the output rests on, and whatever changes something in place."""
    needed: set[Any] = set()
    for node in reversed(nodes):
        changes = getattr(getattr(node.target, "_schema", None), "is_mutable", False)
        if node in needed or node.op == "output" or changes:
            needed |= {node, *node.all_input_nodes}
    return needed


def _memory(tensor: "Tensor") -> int:
    return int(tensor.untyped_storage().data_ptr())


def _storages(node: "Node") -> set[int]:
    """Which memory a traced value lies in."""
    value: Any = node.meta.get("val")
    parts = value if isinstance(value, list | tuple) else [value]
    return {one.untyped_storage()._cdata for one in parts if hasattr(one, "untyped_storage")}


def _is_size(node: "Node") -> bool:
    value = node.meta.get("val")
    return type(value).__name__.startswith("Sym") or type(value) in (int, float, bool)


def _sizes(node: "Node") -> bool:
    return any(type(one.meta.get("val")).__name__.startswith("Sym") for one in node.all_input_nodes)


def _arguments(node: "Node") -> dict[str, Any]:
    """By torch's names, with its defaults."""
    target: Any = node.target
    found, places = {}, list(node.args)
    for one in target._schema.arguments:
        if places and not one.kwarg_only:
            found[one.name] = places.pop(0)
        elif one.name in node.kwargs:
            found[one.name] = node.kwargs[one.name]
        else:
            found[one.name] = one.default_value
    return found


def numbers(tensor: "Tensor", name: str = "") -> Array:
    """A tensor's numbers. name: for the message. Raises GraphError: of a type that graphs do not compute with."""
    kind = str(tensor.dtype).removeprefix("torch.")
    if kind not in ("float32", "float64", "int64", "bool"):
        raise GraphError(f"a tensor is of {kind}", where=name, hint="use float32, float64, int64 or bool")
    found: Array = tensor.detach().cpu().contiguous().numpy().copy()
    return found
