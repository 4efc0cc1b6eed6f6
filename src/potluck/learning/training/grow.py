"""Boosted trees grown on plain rows: cuts of features, rows as bits of cuts, and the very steps that the engine takes.

Reference: Chen, Guestrin, XGBoost: A Scalable Tree Boosting System, KDD 2016, sections 2.2 and 3.3. What the engine's
program `boosted_trees` does with secrets is here done with numbers, for `--compare` and for tests of the engine.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from potluck.core.stages import Floats
from potluck.learning.data.target import sigmoid
from potluck.learning.models.boosted.forest import Forest, Tree
from potluck.learning.training.boosting.gains import says, score

GRID = 2.0**18
"""Cuts lie on the grid on which the engine computes, so that a bit says the same as the opened cut."""
FAR = 15.0
"""Margins beyond it count as it, in the loss alone."""
ODDS = 10.0
"""The first margin is at odds of 2^-10 to 2^10."""
Bits = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Growth:
    """How trees are grown. sides: log-loss of a target 0 or 1, else half the squared error."""

    depth: int
    rounds: int
    rate: float
    ridge: float
    sides: bool


def cuts(values: Floats, count: int) -> Floats:
    """values [n] on [-1, 1] -> [count] rising cuts that part them: between any two of few values, else at quantiles.

    Where there are fewer, the last is there several times. Reveals, where it is opened: about a quantile of the column.
    """
    if count == 1:  # a feature of 0 and 1
        return np.array([0.5])
    distinct = np.unique(values)
    if len(distinct) <= count + 1:
        found = (distinct[1:] + distinct[:-1]) / 2
    else:
        shares = np.arange(1, count + 1) / (count + 1)
        found = np.quantile(values, shares, method="averaged_inverted_cdf")
    found = np.unique(np.round(found * GRID) / GRID)
    if not len(found):
        found = np.array([1.0])
    return np.pad(found, (0, count - len(found)), mode="edge")


def bits(features: Floats, at: Sequence[Floats]) -> Bits:
    """features [n, p], cuts of each -> [C, n]: whether a row's value is at or below each cut."""
    low = features.astype(np.float32)  # as a forest compares them; cuts on that grid are float32 as they are
    return np.concatenate([low[:, place][None, :] <= one[:, None] for place, one in enumerate(at)])


def grow(below: Bits, at: Floats, names: Sequence[str], target: Floats, how: Growth) -> Forest:
    """below [C, n], the cuts and the feature of each [C], target [n] -> the forest. Reveals: all of it."""
    above = np.asarray(1.0 - below, dtype=np.float64)
    first = _first(target, how.sides)
    margins: Floats = np.full(len(target), first, dtype=np.float64)
    trees: list[Tree] = []
    for _ in range(how.rounds):
        splits, leaves, change = _tree(above, _slopes(margins, target, how.sides), how)
        margins += change
        asked = tuple(names[place] for place in splits)
        trees.append(Tree(features=asked, cuts=tuple(map(float, at[splits])), leaves=tuple(map(float, leaves))))
    return Forest(first=first, trees=tuple(trees))


def _first(target: Floats, sides: bool) -> float:
    """Log-odds of the two sides, or the mean."""
    total, rows = float(target.sum()), len(target)
    if not sides:
        return total / max(rows, 1)
    odds = max(total, 1.0) / max(rows - total, 1.0)
    return float(np.log(np.clip(odds, 2**-ODDS, 2**ODDS)))


def _slopes(margins: Floats, target: Floats, sides: bool) -> Floats:
    """[n, 2]: first and second derivative of each row's loss."""
    if not sides:
        return np.stack([margins - target, np.ones(len(target))], axis=1)
    chance: Floats = sigmoid(np.clip(margins, -FAR, FAR))
    return np.stack([chance - target, chance * (1 - chance)], axis=1)


def _tree(above: Floats, slopes: Floats, how: Growth) -> tuple[NDArray[np.int64], Floats, Floats]:
    """(which cut each node takes [2^depth - 1], leaves [2^depth], what they say of each row [n])."""
    inside, chosen = np.ones((len(slopes), 1)), []
    for _ in range(how.depth):
        within = inside[:, :, None] * slopes[:, None, :]
        right = (above @ within.reshape(len(slopes), -1)).reshape(len(above), -1, 2)
        sides = np.stack([right, within.sum(axis=0) - right])
        gains = score(sides[..., 0], sides[..., 1], how.ridge).sum(axis=0)
        splits = gains.argmax(axis=0)
        chosen.append(splits)
        goes = inside * above[splits].T
        inside = np.stack([inside - goes, goes], axis=2).reshape(len(slopes), -1)
    sums = inside.T @ slopes
    leaves = says(sums[:, 0], sums[:, 1], how.ridge) * how.rate
    return np.concatenate(chosen), leaves, inside @ leaves
