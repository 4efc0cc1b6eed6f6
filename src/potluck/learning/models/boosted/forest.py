"""A forest of boosted trees as data: what a model file holds of it, how it scores, and what of it cannot be.

Trees are complete and of one depth. A node asks whether a feature lies above a cut: no leads left, yes right, and a row
whose column has no value goes where the node says. Nodes are numbered level by level, left to right: those after node i
are 2 i + 1 and 2 i + 2. A node that parts nothing has the cut NOTHING, above which no feature lies. Features and cuts
are compared as float32, as XGBoost and ONNX compare them. Where a model has several outputs, its trees add to them by
turns. How rows go is `core.predicting.nodes_at`, wherever they are.
"""

import math
from collections.abc import Iterator

import msgspec
import numpy as np

from potluck.core.predicting import Asked, Trees
from potluck.core.stages import Floats
from potluck.core.tables.model import DEEPEST_TREE
from potluck.learning.data.encode import Encoding

MOST = 1000
"""Trees of an output."""
NOTHING = 1.0
"""No feature lies above it: they are on [-1, 1]."""


class Tree(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """features, cuts [2^depth - 1]: what each node asks; leaves [2^depth]: what each says, log-odds or scaled; left
    [2^depth - 1]: whether a row without a value goes left; unset: as its encoded 0 goes, the middle of a range."""

    features: tuple[str, ...]
    cuts: tuple[float, ...]
    leaves: tuple[float, ...]
    left: tuple[bool, ...] | msgspec.UnsetType = msgspec.UNSET

    @property
    def depth(self) -> int:
        """How many questions lead to a leaf."""
        return len(self.leaves).bit_length() - 1

    def asked(self, how: Encoding) -> Asked:
        """Its nodes' questions about encoded features."""
        place = {name: number for number, name in enumerate(how.names)}
        left = self.left or [cut >= 0 for cut in self.cuts]
        return Asked(np.array([place[name] for name in self.features]), np.array(self.cuts), np.array(left, np.bool_))


class Forest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A row's margin is `first` and what one leaf of each of its output's trees says, added up."""

    first: float
    trees: tuple[Tree, ...]


def trees(forest: Forest, how: Encoding, outputs: int = 1) -> Trees:
    """What scores encoded rows."""
    asked, leaves = zip(*((tree.asked(how), np.array(tree.leaves)) for tree in forest.trees), strict=True)
    return Trees(forest.first, outputs, how.flags, asked, leaves)


def margins(forest: Forest, how: Encoding, features: Floats, outputs: int = 1) -> Floats:
    """features [n, p] -> [n, outputs]; NaN where a feature is NaN."""
    total = trees(forest, how, outputs).margins(features)
    total[np.isnan(features).any(axis=1)] = np.nan
    return total


def fault(forest: Forest, how: Encoding, outputs: int = 1) -> str:
    """The first thing that cannot be; empty where there is none."""
    return next(_faults(forest, frozenset(how.names), outputs), "")


def _faults(forest: Forest, names: frozenset[str], outputs: int) -> Iterator[str]:
    if not 1 <= len(forest.trees) <= MOST * outputs or len(forest.trees) % outputs:
        yield f"a forest has 1 to {MOST} trees for each of its outputs"
    for tree in forest.trees:
        if not 1 <= tree.depth <= DEEPEST_TREE or len(tree.leaves) != 1 << tree.depth:
            yield f"a tree has 2 to {1 << DEEPEST_TREE} leaves, a power of two"
        ways = tree.cuts if tree.left is msgspec.UNSET else tree.left
        if not len(tree.features) == len(tree.cuts) == len(ways) == len(tree.leaves) - 1:
            yield "a tree has other nodes than its leaves need"
        if not names.issuperset(tree.features):
            yield "a tree asks for a feature that the encoding does not have"
    numbers = (forest.first, *(one for tree in forest.trees for one in (*tree.cuts, *tree.leaves)))
    if not all(map(math.isfinite, numbers)):
        yield "a number of it is not finite"
