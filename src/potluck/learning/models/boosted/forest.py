"""A forest of boosted trees as data: what a model file holds of it, how it scores, and what of it cannot be.

Trees are complete and of one depth. A node asks whether a feature lies above a cut: no leads left, yes right. Nodes
are numbered level by level, left to right: those after node i are 2 i + 1 and 2 i + 2. A node that parts nothing has
the cut NOTHING, above which no feature lies. Features and cuts are compared as float32, as XGBoost and ONNX compare
them. Where a model has several outputs, its trees add to them by turns.
"""

import math
from collections.abc import Iterator, Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

from potluck.core.stages import Floats
from potluck.core.tables.model import DEEPEST_TREE

MOST = 1000
"""Trees of an output."""
NOTHING = 1.0
"""No feature lies above it: they are on [-1, 1]."""


class Tree(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """features, cuts [2^depth - 1]: what each node asks; leaves [2^depth]: what each says, log-odds or scaled."""

    features: tuple[str, ...]
    cuts: tuple[float, ...]
    leaves: tuple[float, ...]

    @property
    def depth(self) -> int:
        """How many questions lead to a leaf."""
        return len(self.leaves).bit_length() - 1


class Forest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A row's margin is `first` and what one leaf of each of its output's trees says, added up."""

    first: float
    trees: tuple[Tree, ...]


def nodes_at(features: Floats, asked: NDArray[np.int64], cuts: Floats, levels: int) -> NDArray[np.int64]:
    """features [n, p] -> [n] the node that each row reaches after so many questions, from 0 among those of its level.
    asked, cuts: of each node, which feature and where; NaN is above nothing."""
    low, rows = features.astype(np.float32), np.arange(len(features))
    at, node = cuts.astype(np.float32), np.zeros(len(features), np.int64)
    for _ in range(levels):
        node = 2 * node + 1 + (low[rows, asked[node]] > at[node])
    return np.asarray(node - ((1 << levels) - 1))


def margins(forest: Forest, names: Sequence[str], features: Floats, outputs: int = 1) -> Floats:
    """features [n, p] by `names` -> [n, outputs]; NaN where a feature is NaN."""
    number = {name: place for place, name in enumerate(names)}
    total = np.full((len(features), outputs), forest.first)
    for place, tree in enumerate(forest.trees):
        asked = np.array([number[name] for name in tree.features])
        total[:, place % outputs] += np.array(tree.leaves)[nodes_at(features, asked, np.array(tree.cuts), tree.depth)]
    total[np.isnan(features).any(axis=1)] = np.nan
    return total


def fault(forest: Forest, names: Sequence[str], outputs: int = 1) -> str:
    """The first thing that cannot be; empty where there is none."""
    return next(_faults(forest, frozenset(names), outputs), "")


def _faults(forest: Forest, names: frozenset[str], outputs: int) -> Iterator[str]:
    if not 1 <= len(forest.trees) <= MOST * outputs or len(forest.trees) % outputs:
        yield f"a forest has 1 to {MOST} trees for each of its outputs"
    for tree in forest.trees:
        if not 1 <= tree.depth <= DEEPEST_TREE or len(tree.leaves) != 1 << tree.depth:
            yield f"a tree has 2 to {1 << DEEPEST_TREE} leaves, a power of two"
        if not len(tree.features) == len(tree.cuts) == len(tree.leaves) - 1:
            yield "a tree has other nodes than its leaves need"
        if not names.issuperset(tree.features):
            yield "a tree asks for a feature that the encoding does not have"
    numbers = (forest.first, *(one for tree in forest.trees for one in (*tree.cuts, *tree.leaves)))
    if not all(map(math.isfinite, numbers)):
        yield "a number of it is not finite"
