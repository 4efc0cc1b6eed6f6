"""Whether a graph may run, before anything of it runs: names, shapes, rows that stay apart, and what it costs.

A graph comes from elsewhere, so nothing of it is believed. The walk needs neither torch nor memory: it follows types,
shapes and the axis of rows from node to node by the rules of the operations. It does NOT look at weights, and does not
say what a graph is good for.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from math import prod
from typing import Literal

from potluck.core.errors import GraphError
from potluck.core.visible import visible
from potluck.learning.graph import schema
from potluck.learning.graph.bound import Bound
from potluck.learning.graph.op import Op, nearest_op
from potluck.learning.graph.ops import OPS
from potluck.learning.graph.origins import below
from potluck.learning.graph.schema import Constant, Graph, Node, Weight
from potluck.learning.graph.value import FLOATS, Misfit, Rows, Value

MOST_A_ROW = 2**28
"""Numbers that one row may take while its gradient is computed, and those of public values in all."""
MOST_FLOPS = 2**43
"""Floating-point operations a row, forward."""
MOST_NAMES = 2**16
"""Values that all nodes take and make, counted as often as they are named."""


@dataclass(frozen=True, slots=True, eq=False)
class Checked:
    """A graph, its values by name, and bounds: a row's numbers until its gradient is known, the most that one node
    needs beside them, floating-point operations a row (forward), and numbers in values without rows; trained: numbers
    in weights that train; costs: operations by node; below: by name of an input or constant whose entries are places
    in tables, what they have to stay below. Whoever loads rows has to look at that, and refuse those that do not
    fit."""

    graph: Graph
    values: dict[str, Value]
    floats: int
    scratch: int
    flops: int
    public: int
    trained: int
    costs: tuple[int, ...]
    below: dict[str, int]


def check(graph: Graph, where: str = "graph") -> Checked:
    """The graph's values and cost. Raises GraphError: what of it cannot be, where, and a hint."""
    known: dict[str, Value] = {}
    for place, name, value in _given(graph, where):
        _new(known, name, place)
        known[name] = value
    if len(graph.nodes) > schema.MOST_NODES or not graph.nodes:
        raise GraphError(f"it has {len(graph.nodes)} nodes", where=where, hint=f"1 to {schema.MOST_NODES}")
    if sum(len(node.takes) + len(node.out) for node in graph.nodes) > MOST_NAMES:
        raise GraphError("its nodes take and make too many values", where=where, hint=f"at most {MOST_NAMES} in all")
    kept = scratch = public = 0
    costs: list[int] = []
    used: set[str] = {graph.output}
    for i, node in enumerate(graph.nodes):
        place = f"{where}: node {i + 1} ({visible(node.op[:40])})"
        try:
            op, bound, made = made_by(node, known)
            cost = op.cost(bound, made)
        except Misfit as misfit:
            raise GraphError(misfit.what, where=place, hint=misfit.hint) from None
        for name, value in zip(node.out, made, strict=True):
            _name(name, place)
            _new(known, name, place)
            _bounded(value, place)
            known[name] = value
        used.update(node.takes)
        size = sum(value.size for value in made) + cost.kept
        # A value without rows may still be used by each of them: what its node needs is then needed once.
        if any(value.rows for value in made):
            kept += size
        else:
            public += size
        costs.append(cost.flops)
        scratch = max(scratch, cost.scratch)
        if max(kept, public, scratch) > MOST_A_ROW or sum(costs) > MOST_FLOPS:
            raise GraphError(
                "the graph needs too much memory or arithmetic up to here",
                where=place,
                hint=f"at most {MOST_A_ROW} numbers and {MOST_FLOPS} operations a row",
            )
    _all_used(graph, used, where)
    _output(graph, known, where)
    inputs = sum(prod(_sizes(one.shape)) for one in graph.inputs)
    trained = sum(prod(one.shape) for one in graph.weights if one.train)
    places = below(graph, known, where)
    out = known[graph.output]
    if out.rank > 2:  # a loss at each place makes logarithms of them, which stay until its gradient is known
        kept += out.size
    return Checked(graph, known, kept + inputs, scratch, sum(costs), public, trained, tuple(costs), places)


def made_by(node: Node, known: dict[str, Value]) -> tuple[Op, Bound, tuple[Value, ...]]:
    """What a node makes of values above it: its operation, its arguments, and the values. Raises Misfit."""
    op = OPS.entries.get(node.op)
    if op is None:
        raise Misfit("is no operation that graphs may use", nearest_op(node.op))
    bound = Bound(op.bound(node), known)
    made = op.rule(bound)
    if len(made) != len(node.out):
        raise Misfit(f"makes {len(made)} values, and names {len(node.out)}")
    return op, bound, made


def _given(graph: Graph, where: str) -> Iterable[tuple[str, str, Value]]:
    """What stands before the first node: a place, a name and a value each."""
    if not 1 <= len(graph.inputs) <= schema.MOST_INPUTS:
        raise GraphError(f"it has {len(graph.inputs)} inputs", where=where, hint=f"1 to {schema.MOST_INPUTS}")
    for one in graph.inputs:
        place = f'{where}: input "{visible(one.name[:80])}"'
        _text(one.name, place)
        if not one.shape or one.shape[0] != "b" or "b" in one.shape[1:]:
            raise GraphError("its shape has to begin with the rows of the batch", where=place, hint='["b", ...]')
        value = Value(one.dtype, _sizes(one.shape), Rows(0))
        _bounded(value, place)
        yield place, one.name, value
    tensors: set[str] = set()
    total = 0
    for held in graph.held:
        place = f"{where}: {_kind(held)} {visible(held.name[:80])}"
        _name(held.name, place)
        _text(held.tensor, place)
        if held.tensor in tensors:
            raise GraphError("another one is the same tensor", where=place, hint="name it once, and use it twice")
        tensors.add(held.tensor)
        value = Value(held.dtype, held.shape)
        _bounded(value, place)
        total += value.size
        if total > schema.MOST_WEIGHTS:
            raise GraphError(f"more than {schema.MOST_WEIGHTS} numbers in weights", where=place)
        if isinstance(held, Weight) and held.dtype not in FLOATS:
            raise GraphError(f"a weight is of floats, not {held.dtype}", where=place, hint="make it a constant")
        yield place, held.name, value


def _kind(held: Weight | Constant) -> str:
    return "weight" if isinstance(held, Weight) else "constant"


def _sizes(shape: tuple[Literal["b"] | int, ...]) -> tuple[int, ...]:
    """The shape for a batch of one row."""
    return tuple(1 if size == "b" else size for size in shape)


def _bounded(value: Value, place: str) -> None:
    if value.rank > schema.MOST_RANK or not all(1 <= size <= schema.MOST_NUMBER for size in value.shape):
        raise GraphError(
            f"its shape {list(value.shape)[:20]} cannot be",
            where=place,
            hint=f"at most {schema.MOST_RANK} axes, each 1 to {schema.MOST_NUMBER}",
        )
    if value.size > MOST_A_ROW:
        raise GraphError(f"has {value.size} numbers a row", where=place, hint=f"at most {MOST_A_ROW}")


def _text(text: str, place: str) -> None:
    if not 1 <= len(text) <= schema.MOST_TEXT or visible(text) != text:
        raise GraphError("a name is empty, too long, or has letters that are not seen", where=place)


def _name(name: str, place: str) -> None:
    if not schema.NAME.fullmatch(name):
        hint = "letters, digits, _ and . alone"
        raise GraphError(f'"{visible(name[:80])}" is no name', where=place, hint=hint)


def _new(known: dict[str, Value], name: str, place: str) -> None:
    if name in known:
        raise GraphError(
            f'"{visible(name[:80])}" is named twice', where=place, hint="every value has a name of its own"
        )


def _all_used(graph: Graph, used: set[str], where: str) -> None:
    for name in [one.name for one in graph.inputs] + [one.name for one in graph.held]:
        if name not in used:
            raise GraphError(f'nothing uses "{visible(name[:80])}"', where=where, hint="leave it out")
    for i, node in enumerate(graph.nodes):
        if not used.intersection(node.out):
            raise GraphError(
                "nothing uses what it makes", where=f"{where}: node {i + 1} ({node.op})", hint="leave it out"
            )


def _output(graph: Graph, known: dict[str, Value], where: str) -> None:
    value = known.get(graph.output)
    if value is None:
        raise GraphError(f'nothing makes its output "{visible(graph.output[:80])}"', where=where)
    if value.rows != Rows(0) or value.rank < 2 or value.dtype not in FLOATS:
        raise GraphError(
            "its output has to be of floats, a row of the batch each along the first axis, and one axis more",
            where=where,
            hint="[b, 1] for two sides or a number, [b, classes] else",
        )
    if graph.base is not None and not schema.DIGEST.fullmatch(graph.base):
        raise GraphError("its base is no hash", where=where, hint="sha256: and 64 digits")
