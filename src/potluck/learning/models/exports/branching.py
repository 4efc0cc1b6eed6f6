"""A boosted model as trees that branch, whatever it is made of: what files of other programs are written from.

Nodes that part nothing are left out. A curve of a number is a balanced tree over its bins, that of a feature of 0 and 1
a tree of two leaves, and what all rows begin with a tree of one. Cuts and values are float32, as those programs have
them.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from potluck.core.errors import UsageError
from potluck.core.stages import Floats
from potluck.learning.models.boosted.curves import Curves
from potluck.learning.models.boosted.forest import NOTHING, Forest, Tree
from potluck.learning.models.boosted.layout import HALF
from potluck.learning.models.model import Model


@dataclass(frozen=True, slots=True)
class Leaf:
    """What it says."""

    value: float


@dataclass(frozen=True, slots=True)
class Branch:
    """Whether a feature, by its place, is above a cut: then right, else left."""

    feature: int
    cut: float
    left: "Branch | Leaf"
    right: "Branch | Leaf"


def branching(model: Model, times: float = 1.0) -> list[tuple[int, Branch | Leaf]]:
    """Each tree with the output that it adds to, as many of each output, by turns; what leaves say so many times.

    Raises UsageError: there are none."""
    if model.curves is not None:
        return list(_of_curves(model.curves, times))
    if model.forest is not None:
        names = {name: place for place, name in enumerate(model.encoding.names)}
        return list(_of_forest(model.forest, names, times, model.target.outputs))
    raise UsageError(f"is a model of kind {model.kind}, which is made of no trees", hint="--to onnx, or graph")


def short(value: float) -> float:
    """The shortest number whose float32 is that of this one."""
    return float(str(np.float32(value)))


def _of_forest(forest: Forest, names: dict[str, int], wide: float, outputs: int) -> Iterator[tuple[int, Branch | Leaf]]:
    if forest.first:
        yield from ((output, Leaf(short(forest.first * wide))) for output in range(outputs))
    for place, tree in enumerate(forest.trees):
        yield place % outputs, _below(tree, names, wide, 0)


def _below(tree: Tree, names: dict[str, int], wide: float, node: int) -> Branch | Leaf:
    if node >= len(tree.cuts):
        return Leaf(short(tree.leaves[node - len(tree.cuts)] * wide))
    left = _below(tree, names, wide, 2 * node + 1)
    if tree.cuts[node] >= NOTHING:
        return left
    return Branch(names[tree.features[node]], tree.cuts[node], left, _below(tree, names, wide, 2 * node + 2))


def _of_curves(curves: Curves, wide: float) -> Iterator[tuple[int, Branch | Leaf]]:
    how = curves.layout
    edges, numbers = how.edges, np.flatnonzero(how.numbers)
    middle = int(np.searchsorted(edges, 0.0))
    # a missing number is encoded as 0 and its flag as 1: what 1 adds takes back what 0 does
    back = {flag: number for number, flag in zip(numbers.tolist(), how.flags.tolist(), strict=True) if flag >= 0}
    yield from ((output, Leaf(short(value * wide))) for output, value in enumerate(curves.first))
    for place, curve in enumerate(curves.curves):
        for output in range(len(curves.first)):
            zero = curves.curves[back[place]].values[output][middle] if place in back else 0.0
            yield output, _of_curve(place, [(one - zero) * wide for one in curve.values[output]], edges)


def _of_curve(place: int, says: Sequence[float], edges: Floats) -> Branch | Leaf:
    values = [short(one) for one in says]
    if len(values) == 1:
        return Branch(place, HALF, Leaf(0.0), Leaf(values[0]))

    def between(low: int, high: int) -> Branch | Leaf:
        if low == high:
            return Leaf(values[low])
        middle = (low + high) // 2
        return Branch(place, float(edges[middle]), between(low, middle), between(middle + 1, high))

    return between(0, len(values) - 1)
