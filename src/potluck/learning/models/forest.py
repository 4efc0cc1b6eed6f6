"""A forest of boosted trees as data: what a model file holds of it, how it scores, and what of it cannot be.

Trees are complete and of one depth. A node asks whether a feature lies above a cut: no leads left, yes right. Nodes
are numbered level by level, left to right: those after node i are 2 i + 1 and 2 i + 2.
"""

import math
from collections.abc import Iterator, Sequence

import msgspec
import numpy as np

from potluck.core.stages import Floats
from potluck.core.tables.model import DEEPEST_TREE

MOST = 1000
"""Trees of a forest."""


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
    """A row's margin is `first` and what one leaf of each tree says, added up."""

    first: float
    trees: tuple[Tree, ...]


def margins(forest: Forest, names: Sequence[str], features: Floats) -> Floats:
    """features [n, p] by `names` -> [n]; NaN where a feature is NaN."""
    number = {name: place for place, name in enumerate(names)}
    rows, total = np.arange(len(features)), np.full(len(features), forest.first)
    for tree in forest.trees:
        asked, cuts = np.array([number[name] for name in tree.features]), np.array(tree.cuts)
        node = np.zeros(len(features), np.int64)
        for _ in range(tree.depth):
            node = 2 * node + 1 + (features[rows, asked[node]] > cuts[node])
        total += np.array(tree.leaves)[node - len(asked)]
    total[np.isnan(features).any(axis=1)] = np.nan
    return total


def fault(forest: Forest, names: Sequence[str]) -> str:
    """The first thing that cannot be; empty where there is none."""
    return next(_faults(forest, frozenset(names)), "")


def _faults(forest: Forest, names: frozenset[str]) -> Iterator[str]:
    if not 1 <= len(forest.trees) <= MOST:
        yield f"a forest has 1 to {MOST} trees"
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
