"""A forest while it grows, as the vector of numbers that is announced from sum to sum.

[1 + trees * (4 * 2^depth - 3)]: how many levels stand, over all rounds; then for each tree its nodes' features, by
their place in the encoding, its nodes' cuts, 1 for each node that leads missing values left, and its leaves. What does
not stand yet is 0. All trees of a round (one an output) grow side by side, so that after level l of round r their first
l + 1 levels stand, and after the last their leaves.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import msgspec
import numpy as np

from potluck.core.plan import Plan, required
from potluck.core.predicting import Asked
from potluck.core.rounds import Abort, Cause
from potluck.core.stages import Floats
from potluck.learning.data.encode import Encoding, encoding
from potluck.learning.data.target import goal_of
from potluck.learning.models.boosted.forest import Forest, Tree
from potluck.learning.models.fitted import training


class Grown(NamedTuple):
    """A tree in numbers. leaves [2^depth]."""

    asked: Asked
    leaves: Floats


@dataclass(frozen=True, slots=True)
class Growing:
    """How the numbers lie. trees: an output."""

    how: Encoding
    depth: int
    trees: int
    outputs: int

    @property
    def nodes(self) -> int:
        """Of a tree."""
        return (1 << self.depth) - 1

    @property
    def size(self) -> int:
        """Of the vector."""
        return 1 + self.trees * self.outputs * self._each

    @property
    def _each(self) -> int:
        return 4 * self.nodes + 1

    def initial(self) -> Floats:
        """No level stands."""
        return np.zeros(self.size)

    def standing(self, weights: Floats) -> tuple[int, int]:
        """(whole rounds, levels of the next one) that stand. Raises Abort(TERMS): the numbers are no forest."""
        levels = weights[0]
        if not (0 <= levels <= self.trees * self.depth and levels == int(levels)):
            raise Abort(Cause.TERMS, detail="the announced forest stands at no level of this plan")
        return divmod(int(levels), self.depth)

    def tree(self, weights: Floats, number: int) -> Grown:
        """One of them. Raises Abort(TERMS): a node asks for no feature, or leads missing values nowhere."""
        at = 1 + number * self._each
        parts = np.split(weights[at : at + self._each], np.arange(1, 4) * self.nodes)
        features, cuts, left, leaves = parts
        if not ((features >= 0) & (features < len(self.how.names)) & (features == np.trunc(features))).all():
            raise Abort(Cause.TERMS, detail="the announced forest asks for a feature that this plan does not have")
        if not np.isin(left, (0, 1)).all():
            raise Abort(Cause.TERMS, detail="the announced forest leads missing values neither left nor right")
        return Grown(Asked(features.astype(np.int64), cuts, left > 0), leaves)

    def head(self, weights: Floats) -> bytes:
        """The trees that stand, as bytes: those of more rounds begin with them."""
        rounds, _ = self.standing(weights)
        return weights[1 : 1 + rounds * self.outputs * self._each].tobytes()

    def whole(self, weights: Floats, after: bytes = b"") -> Iterator[tuple[int, Grown]]:
        """The trees that stand, each with its output; after: behind those of that head."""
        rounds, _ = self.standing(weights)
        for number in range(len(after) // (8 * self._each), rounds * self.outputs):
            yield number % self.outputs, self.tree(weights, number)

    def next(self, weights: Floats) -> list[Grown]:
        """Those that grow now, one an output."""
        rounds, _ = self.standing(weights)
        return [self.tree(weights, rounds * self.outputs + one) for one in range(self.outputs)]

    def stood(self, weights: Floats, level: int, parted: list[Asked], leaves: list[Floats]) -> Floats:
        """The numbers with one level more: what its nodes ask, by output; after the last level also what leaves say."""
        found, (rounds, _) = weights.copy(), self.standing(weights)
        first, last = (1 << level) - 1, (2 << level) - 1
        for output, asked in enumerate(parted):
            at = 1 + (rounds * self.outputs + output) * self._each
            for place, part in enumerate(asked):
                found[at + place * self.nodes + first : at + place * self.nodes + last] = part
            if leaves:
                found[at + 3 * self.nodes : at + self._each] = leaves[output]
        found[0] += 1
        return found

    def reach(self, weights: Floats) -> float:
        """No row's margin is beyond it: a power of two, so that all parties find the same."""
        each = np.zeros(self.outputs)
        for output, one in self.whole(weights):
            each[output] += np.abs(one.leaves).max()
        return 2.0 ** int(np.ceil(np.log2(max(1.0, each.max()))))


def growing(plan: Plan) -> Growing:
    """Of a plan that grows trees."""
    depth, trees = required(plan.model).depth, training(plan).rounds
    return Growing(encoding(plan), depth, trees, goal_of(plan).outputs)


def forest_of(plan: Plan, weights: Floats) -> Forest:
    """The whole trees of announced numbers. Raises Abort(TERMS): they are none."""
    how = growing(plan)
    names, gaps = how.how.names, bool((how.how.flags >= 0).any())
    trees = (
        Tree(
            features=tuple(names[place] for place in one.asked.features),
            cuts=tuple(one.asked.cuts.tolist()),
            leaves=tuple(one.leaves.tolist()),
            left=tuple(one.asked.left.tolist()) if gaps else msgspec.UNSET,
        )
        for _, one in how.whole(weights)
    )
    return Forest(first=0.0, trees=tuple(trees))
