"""Where some arguments of a graph come from: places in a table, and running statistics.

torch ends a whole batch where a place lies beyond its table. If a place could be computed of a row's numbers, one row
would decide whether its batch ends, which whoever sees the run learns past every clip and all noise. So a place is an
entry of an input of whole numbers or of a constant, moved at most. Constants are looked at when the file is read; an
input's entries have to be looked at when rows are loaded (`Checked.below` says what they stay below), so that a row
that does not fit is refused there.
"""

from collections.abc import Collection, Mapping

from potluck.core.errors import GraphError
from potluck.core.visible import visible
from potluck.learning.graph.op import OPS
from potluck.learning.graph.schema import Graph, Node, Special
from potluck.learning.graph.tensors import Array
from potluck.learning.graph.value import Value

_MOVES = ("reshape", "permute", "expand", "select", "slice", "split", "unbind", "cat")
"""Operations whose results hold entries of what they take, and no others."""


def below(graph: Graph, known: Mapping[str, Value], where: str) -> dict[str, int]:
    """By input or constant whose entries are places in tables: how long the shortest of these is.

    Raises GraphError: a place is computed, or a running statistic is neither constant nor frozen.
    """
    given = [(one.name, one.dtype) for one in graph.inputs] + [(one.name, one.dtype) for one in graph.constants]
    places = {name for name, dtype in given if dtype == "int64"}
    still = {one.name for one in graph.constants} | {one.name for one in graph.weights if not one.train}
    for i, node in enumerate(graph.nodes):
        place = f"{where}: node {i + 1} ({node.op})"
        if _moves(node, places):
            places.update(node.out)
        elif node.op == "embedding" and (indices := _name(node, "indices")) not in places:
            hint = "take them from an input of whole numbers or a constant: one row could end the whole batch"
            raise GraphError(f'its indices "{visible(indices[:80])}" are computed', where=place, hint=hint)
        elif node.op == "batch_norm" and not {_name(node, "running_mean"), _name(node, "running_var")} <= still:
            hint = "constants or frozen weights: nothing gives them a gradient"
            raise GraphError("its running statistics are computed, or train", where=place, hint=hint)
    found = _shortest(graph, known, places)
    return {name: found[name] for name, _ in given if name in found}


def _moves(node: Node, places: Collection[str]) -> bool:
    return node.op in _MOVES and all(name in places for name in node.takes)


def _shortest(graph: Graph, known: Mapping[str, Value], places: Collection[str]) -> dict[str, int]:
    """By value: how long the shortest table is in which its entries are places. Whoever uses a value stands below who
    makes it, so one walk up is enough, however many values are moved together."""
    found: dict[str, int] = {}
    for node in reversed(graph.nodes):
        if node.op == "embedding":
            name, size = _name(node, "indices"), known[_name(node, "weight")].shape[0]
            found[name] = min(size, found.get(name, size))
        elif _moves(node, places):
            sizes = [found[name] for name in node.out if name in found]
            for name in node.takes if sizes else ():
                found[name] = min(*sizes, found.get(name, sizes[0]))
    return found


def _name(node: Node, argument: str) -> str:
    """What a node that was checked names in an argument."""
    raw = OPS.of(node.op).bound(node)[argument]
    assert isinstance(raw, Special)
    assert raw.v is not None
    return raw.v


def fitting(graph: Graph, tensors: Mapping[str, Array], below: Mapping[str, int], where: str) -> None:
    """Raises GraphError: a constant holds a place beyond its table."""
    for one in graph.constants:
        if one.name in below and not 0 <= tensors[one.name].min() <= tensors[one.name].max() < below[one.name]:
            hint = f"0 to {below[one.name] - 1}"
            raise GraphError("holds a place beyond its table", where=f"{where}: {visible(one.name[:80])}", hint=hint)
