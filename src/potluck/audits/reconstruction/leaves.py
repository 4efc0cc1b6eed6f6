"""Rows that are alone in a leaf, from the first of boosted trees: a leaf says the ratio of two sums over its rows.

Before the first tree all rows have one chance p of the positive side, which the model file tells. A leaf over n rows, k
of them positive, says -rate (n p - k) / (n p (1 - p) + l2). Of one row it is one of two numbers, which are public, and
the leaf's path says between which cuts the row lies. Rate and l2 are the plan's, and nothing keeps a leaf from being of
one row, however many rows a fit asks for. Later trees begin at margins that differ by row, and are not looked at.
The control grows the plan's trees on a few made-up rows, as `--compare` does, in plain.
Reference: Chen, Guestrin 2016, "XGBoost", equation 5, solved for its sums; that exact leaves tell labels: Cheng and
others 2021, arXiv 1901.08755, section 4.3.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from potluck.audits.attack import Found, Scene, Sort, Truth, Until, Verdict, named
from potluck.audits.seen import Seen
from potluck.core.predicting import nodes_at
from potluck.core.stages import Floats
from potluck.learning.data.columns import encoding
from potluck.learning.data.encode import Encoding
from potluck.learning.data.table import Table
from potluck.learning.data.target import sigmoid
from potluck.learning.models.boosted.forest import Forest, Tree
from potluck.learning.training.fit_trees import cut_counts, grown, growth

ROUNDED, GRID = 2.0**-13, 2.0**-17
"""How far an engine's chance may be off, and a number that it opens."""
ROWS, DRAWS = 4, 50
"""Made-up rows of the control beside as many as there are leaves; how often it is drawn, until one is alone."""


@dataclass(frozen=True, slots=True, eq=False)
class Alone:
    """Leaves [m] of a tree, by their place, that seem to hold one row, and its side [m]. how: of its features."""

    of: frozenset[str]
    tree: Tree = field(repr=False)
    how: Encoding = field(repr=False)
    leaves: Sequence[int] = field(repr=False)
    sides: Sequence[int] = field(repr=False)

    def judged(self, truth: Truth) -> Verdict:
        """Succeeded where such a leaf holds one row, of that side. score: the share of rows that it finds; baseline:
        none is found without the leaves."""
        what = f"{len(self.leaves)} of {len(self.tree.leaves)} leaves of the first tree say what one row alone would"
        if not self.of <= truth.keys():
            return Verdict(None, f"{what}, and its side; the rows of {named(self.of)} are not here to compare")
        rows = truth[min(self.of)]
        target, at = rows.target[rows.train], places(self.tree, self.how, rows.features[rows.train])
        hits = 0
        for leaf, side in zip(self.leaves, self.sides, strict=True):
            there = target[at == leaf]
            hits += len(there) == 1 and int(there[0] > 0.5) == side
        found = f"so the side of {hits} of {len(target)} rows was read off the model, and between which cuts each lies"
        return Verdict(hits > 0, f"{what}; {found}", hits / max(1, len(target)), 0.0)


@dataclass(frozen=True, slots=True)
class Leaves:
    """See the module."""

    name: str = "leaves"
    sort: Sort = Sort.RECONSTRUCTION
    reference: str = "Chen, Guestrin 2016, XGBoost, equation 5; Cheng et al. 2021, arXiv 1901.08755"

    def fits(self, seen: Seen) -> str | None:
        """It needs boosted trees of a target of two sides, read by one of the parties."""
        if seen.released is None or seen.released.forest is None:
            return "none of these parties read boosted trees"
        return None if growth(seen.plan).sides else "leaves of a number cannot be told by how many rows they hold"

    def tried(self, seen: Seen, until: Until) -> Sequence[Found]:
        """Leaves of one row."""
        assert seen.released is not None
        assert seen.released.forest is not None
        how, forest = growth(seen.plan), seen.released.forest
        found = alone(forest, how.rate, how.ridge)
        of = frozenset(seen.plan.federation.sites) - seen.names
        first, features = forest.trees[0], seen.released.encoding
        return [Alone(of, first, features, list(found), list(found.values()))] if found else []

    def control(self, seen: Seen, until: Until) -> Iterable[Scene]:
        """The same trees of few rows."""
        rng, plan = until.rng, seen.plan
        counts = cut_counts(plan, encoding(plan))
        for _ in range(DRAWS):
            rows = (1 << growth(plan).depth) + ROWS
            drawn = [rng.uniform(-1, 1, rows) if count > 1 else rng.integers(0, 2, rows) for count in counts]
            features, target = np.stack(drawn, axis=1).astype(np.float64), np.arange(rows, dtype=np.float64) % 2
            model = grown(plan, features, target)
            assert model.forest is not None
            at = places(model.forest.trees[0], model.encoding, features)
            if (np.bincount(at) == 1).any():
                table = Table(features, target, None, np.zeros(rows, np.bool_), {}, ())
                yield replace(seen, released=model), dict.fromkeys(plan.federation.sites, table)
                return


def alone(forest: Forest, rate: float, ridge: float) -> dict[int, int]:
    """Leaves of the first tree that say what one row would, by their place: its side, 1 or 0."""
    chance = float(sigmoid(np.array([forest.first]))[0])
    found = {}
    for place, says in enumerate(forest.trees[0].leaves):
        for side in (0, 1):
            ends = [_one(chance + off, side, rate, ridge) for off in (-ROUNDED, ROUNDED)]
            if min(ends) - GRID <= says <= max(ends) + GRID:
                found[place] = side
    return found


def _one(chance: float, side: int, rate: float, ridge: float) -> float:
    """What a leaf says of one row."""
    return -rate * (chance - side) / (chance * (1 - chance) + ridge)


def places(tree: Tree, how: Encoding, features: Floats) -> "np.ndarray[tuple[int], np.dtype[np.int64]]":
    """[n] in which leaf each row [n, p] lies."""
    return nodes_at(features, how.flags, tree.asked(how), tree.depth)


LEAVES = Leaves()
