"""Trees by boosting on summed histograms: each level of a round's trees is one exact sum of all rows' derivatives.

Depth-wise, XGBoost's gains on bins of equal width over the declared ranges: the program `hist` of XGBoost grows the
same trees on the same bins, where neither a least weight of a leaf nor another start than 0 is asked of it. A round
takes `model.depth` sums, and one tree an output grows in it. Rows lie in nodes by the announced trees, which each site
routes its own rows through. Without noise only; what the exact sums reveal is said in the views. It does NOT take
sibling nodes off their parent's sums: sites may drop out from one level to the next. Reference: Chen, Guestrin,
XGBoost: A Scalable Tree Boosting System, KDD 2016, sections 2 and 3.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple
from weakref import WeakKeyDictionary

import numpy as np

from potluck.core.asks import Answer, Block
from potluck.core.party import Draw
from potluck.core.plan import Plan
from potluck.core.predicting import nodes_at
from potluck.core.rounds import Abort, Cause
from potluck.core.stages import Floats
from potluck.learning.data.encode import encoding
from potluck.learning.data.table import Table
from potluck.learning.data.target import Goal, goal_of
from potluck.learning.data.units import Mask, most_units
from potluck.learning.models.boosted.growing import Growing, growing
from potluck.learning.models.boosted.layout import Layout, Whole, layout
from potluck.learning.models.fitted import Fitted, training
from potluck.learning.models.linear import l2
from potluck.learning.training.boosting.booster import Booster
from potluck.learning.training.boosting.gains import LEAST, Parted, parted, says
from potluck.learning.training.boosting.histogram import FIRST, SECOND, Histogram
from potluck.learning.training.boosting.losses import bounds, derivatives, parts
from potluck.learning.training.method import FEW, ServerSteps, judge, tally
from potluck.learning.training.row_sums import bounded_rows


class _Known(NamedTuple):
    """What was found of a site's training rows: the trees, as bytes, and the margins [n, k] that they come to."""

    head: bytes
    margins: Floats


@dataclass(frozen=True, slots=True)
class Trees:
    """See `training.method.Method`. features: p; known: of each site's rows, what its last sum found."""

    plan: Plan
    goal: Goal
    features: int
    known: "WeakKeyDictionary[Table, _Known]" = field(default_factory=WeakKeyDictionary, repr=False, compare=False)

    @property
    def numbers(self) -> Growing:
        """How trees lie among the announced numbers."""
        return growing(self.plan)

    @property
    def layout(self) -> Layout:
        """The cells of a node."""
        return layout(self.plan)

    def initial(self) -> Floats:
        """No tree: all margins are 0."""
        return self.numbers.initial()

    def blocks(self, weights: Floats) -> tuple[Block, ...]:
        """The summed derivatives [outputs, nodes of a level, cells] at these trees, and the rows of each side."""
        _, level = self.numbers.standing(weights)
        size, units = (self.goal.outputs << level) * self.layout.cells, most_units(self.plan)
        high = bounds(self.plan, self.goal, self.numbers.reach(weights))
        first, second = (
            Block(name, size, most, most * float(np.sqrt(size)), units, parts=parts(most))
            for name, most in zip((FIRST, SECOND), high, strict=True)
        )
        return first, second, tally(self.plan, self.goal)

    def contribute(self, weights: Floats, step: int, rows: Table, draw: Draw) -> Iterator[Histogram]:
        """One unit a row: its derivatives, in the cells of the node where it lies. Raises Abort(TERMS): the trees stand
        at another level than this sum's."""
        numbers = self.numbers
        rounds, level = numbers.standing(weights)
        if rounds * numbers.depth + level != step:
            raise Abort(Cause.TERMS, detail="the announced trees stand at another level than this sum's")
        margins, now = self._margins(weights, rows), numbers.next(weights)

        def placed(x: Floats, y: Floats, here: slice) -> tuple[Whole, dict[str, Floats]]:
            nodes = [nodes_at(x, self.layout.flags, one.asked, level) for one in now]
            both = derivatives(self.plan, self.goal, margins[here], y)
            return np.column_stack(nodes), dict(zip((FIRST, SECOND), both, strict=True))

        yield Histogram(self.layout, self.goal, 1 << level, placed, rows)

    def _margins(self, weights: Floats, rows: Table) -> Floats:
        """[n, k] of the training rows, by the trees that stand: what new ones add to those of the sum before."""
        numbers, known = self.numbers, self.known.get(rows)
        head = numbers.head(weights)
        if known is None or not head.startswith(known.head):
            known = _Known(b"", np.zeros((int(rows.train.sum()), numbers.outputs)))
        more = list(numbers.whole(weights, after=known.head))
        if more:
            margins, start = known.margins.copy(), 0
            for x, _ in bounded_rows(rows):
                for output, one in more:
                    found = one.leaves[nodes_at(x, self.layout.flags, one.asked, numbers.depth)]
                    margins[start : start + len(x), output] += found
                start += len(x)
            known = self.known[rows] = _Known(head, margins)
        return known.margins

    def course(self) -> ServerSteps:
        """A level a sum. Raises DataError: there are no rows, or all are of one class."""
        numbers, how, weights = self.numbers, self.layout, self.initial()
        warnings, among = tuple[str, ...](), np.zeros(0, np.bool_)
        gained = np.zeros((training(self.plan).rounds, self.features))
        for number in range(training(self.plan).rounds * numbers.depth):
            answer = yield weights
            if answer is None:
                break
            if number == 0:
                warnings = self._few(judge(self.plan, self.goal, answer))
                among = how.lowest(answer.part(SECOND).values[: how.cells])
            rounds, level = divmod(number, numbers.depth)
            found = self._parted(level, how, answer, among)
            for one in found:
                np.add.at(gained[rounds], one.asked.features, one.gains)
            leaves = [self._leaves(one) for one in found] if level + 1 == numbers.depth else []
            weights = numbers.stood(weights, level, [one.asked for one in found], leaves)
        return Fitted(weights, warnings, importances=lambda at: self._importances(at, gained))

    def _parted(self, level: int, how: Layout, answer: Answer, among: Mask) -> list[Parted]:
        """By output, what these sums part at one of these cuts a node."""
        shape = (self.goal.outputs, 1 << level, how.cells)
        first, second = (answer.part(name).values.reshape(shape) for name in (FIRST, SECOND))
        return [parted(how, *sums, l2(self.plan), among) for sums in zip(first, second, strict=True)]

    def _importances(self, weights: Floats, gained: Floats) -> dict[str, float]:
        """By column, its share of what all cuts of whole trees gained. gained [rounds, p]."""
        each = gained[: self.numbers.standing(weights)[0]].sum(axis=0)
        found, place = {}, 0
        for one in encoding(self.plan).fields:
            found[one.name] = float(each[place : place + len(one.features)].sum() / max(each.sum(), LEAST))
            place += len(one.features)
        return found

    def _leaves(self, one: Parted) -> Floats:
        return says(one.first, one.second, l2(self.plan)) * training(self.plan).rate

    def _few(self, rows: float) -> tuple[str, ...]:
        leaves = 1 << self.numbers.depth
        if rows >= FEW * leaves:
            return ()
        return (
            f"{rows:.0f} training rows for trees of {leaves} leaves: below {FEW} rows a leaf, exact sums and leaves "
            "give single rows away, and the fit is unsteady",
        )


def _values(plan: Plan, features: int) -> int:
    return (goal_of(plan).outputs << growing(plan).depth) * layout(plan).cells


def _opened(plan: Plan, counts: str) -> str:
    return (
        "each level of each round's trees the summed gradients and curvatures of all training rows in each node and "
        f"bin, exactly{counts}; a node and a bin may hold one row alone, whose target its sums then tell"
    )


def _noised(plan: Plan) -> Iterator[str]:
    what = "each level of a tree would be a noised sum of its own, and trees come out poor"
    yield f'model.kind: {what}. hint: kind = "additive", whose rounds take one sum each, or noise = "none"'


def _cycle(plan: Plan, announced: Floats) -> tuple[Floats, ...]:
    """A first round's levels, whose nodes part nothing."""
    first = np.zeros_like(announced)
    return tuple(np.concatenate([[float(level)], first[1:]]) for level in range(growing(plan).depth))


TREES = Booster(start=Trees, rounds=20, rate=0.3, values=_values, opened=_opened, noised=_noised, cycle=_cycle)
