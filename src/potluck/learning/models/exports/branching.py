"""A boosted model as trees that branch, whatever it is made of: what files of other programs are written from.

Those programs take features without flags, and NaN where a column has no value (`data.encode.gapped`): each branch says
where that goes, and a flag's own is one that no number is above. Nodes that part nothing are left out. A curve of a
number is a balanced tree over its bins, that of a feature of 0 and 1 a tree of two leaves, and what all rows begin with
a tree of one.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from potluck.core.errors import UsageError
from potluck.core.predicting import HALF, Asked, Trees
from potluck.core.stages import Floats
from potluck.learning.data.encode import Encoding
from potluck.learning.models.boosted.curves import Curves
from potluck.learning.models.boosted.forest import NOTHING, trees
from potluck.learning.models.boosted.layout import Layout, binned
from potluck.learning.models.model import Model


@dataclass(frozen=True, slots=True)
class Leaf:
    """What it says."""

    value: float


@dataclass(frozen=True, slots=True)
class Branch:
    """Whether a feature, by its place among those that such programs take, is above a cut: then right, else left;
    strays: whether NaN goes left."""

    feature: int
    cut: float
    strays: bool
    left: "Branch | Leaf"
    right: "Branch | Leaf"


@dataclass(frozen=True, slots=True)
class _Features:
    """How encoded features are asked about. taken [p]: whether a program takes it as such; place [p]: where among those
    that it takes; of a flag that of its column's first feature."""

    taken: NDArray[np.bool_]
    place: NDArray[np.int64]

    @classmethod
    def of(cls, how: Encoding) -> "_Features":
        """Those of an encoding."""
        flags, taken = how.flags, np.isin(np.arange(len(how.names)), how.gapped)
        place = np.cumsum(taken) - 1
        for feature in np.flatnonzero(flags >= 0)[::-1]:
            place[flags[feature]] = place[feature]
        return cls(taken, place)

    def branch(self, feature: int, cut: float, strays: bool, ways: "tuple[Branch | Leaf, Branch | Leaf]") -> Branch:
        """Of a question about an encoded feature. ways: left, right; strays: whether rows without a value go left."""
        if self.taken[feature]:
            return Branch(int(self.place[feature]), cut, strays, *ways)
        return Branch(int(self.place[feature]), NOTHING, False, *ways)


def branching(model: Model, times: float = 1.0) -> list[tuple[int, Branch | Leaf]]:
    """Each tree with the output that it adds to, as many of each output, by turns; what leaves say so many times.

    Raises UsageError: there are none."""
    features = _Features.of(model.encoding)
    if model.curves is not None:
        return list(_of_curves(model.curves, binned(model.encoding, model.curves.bins), features, times))
    if model.forest is not None:
        made = trees(model.forest, model.encoding, model.target.outputs)
        return list(_of_forest(made, features, times))
    raise UsageError(f"is a model of kind {model.kind}, which is made of no trees", hint="--to onnx, or graph")


def _of_forest(made: Trees, features: _Features, wide: float) -> Iterator[tuple[int, Branch | Leaf]]:
    if made.first:
        yield from ((output, Leaf(made.first * wide)) for output in range(made.outputs))
    for place, (asked, leaves) in enumerate(zip(made.asked, made.leaves, strict=True)):
        yield place % made.outputs, _below(asked, leaves * wide, features, 0)


def _below(asked: Asked, leaves: Floats, features: _Features, node: int) -> Branch | Leaf:
    if node >= len(asked.cuts):
        return Leaf(float(leaves[node - len(asked.cuts)]))
    left = _below(asked, leaves, features, 2 * node + 1)
    if asked.cuts[node] >= NOTHING and asked.left[node]:
        return left
    ways = left, _below(asked, leaves, features, 2 * node + 2)
    return features.branch(int(asked.features[node]), float(asked.cuts[node]), bool(asked.left[node]), ways)


def _of_curves(curves: Curves, how: Layout, features: _Features, wide: float) -> Iterator[tuple[int, Branch | Leaf]]:
    yield from ((output, Leaf(value * wide)) for output, value in enumerate(curves.first))
    for place, curve in enumerate(curves.curves):
        for output in range(len(curves.first)):
            values = [one * wide for one in curve.values[output]]
            if not how.numbers[place]:
                yield output, features.branch(place, HALF, True, (Leaf(0.0), Leaf(values[0])))
                continue
            steps = _of_curve(features, place, values, how.edges)
            flagged = how.flags[place] >= 0
            yield output, features.branch(place, NOTHING, False, (steps, Leaf(0.0))) if flagged else steps


def _of_curve(features: _Features, place: int, values: Sequence[float], edges: Floats) -> Branch | Leaf:
    def between(low: int, high: int) -> Branch | Leaf:
        if low == high:
            return Leaf(values[low])
        middle = (low + high) // 2
        return features.branch(place, float(edges[middle]), False, (between(low, middle), between(middle + 1, high)))

    return between(0, len(values) - 1)
