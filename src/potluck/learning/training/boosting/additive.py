"""Additive models by boosting all columns at once: each round is one exact sum of the rows' gradients by cell.

The model is a curve for each feature (`models.boosted.curves`), whose steps are weights of cells: a row's margin is the
sum of the weights of the cells in which it lies, that of all rows (the intercept) among them. The objective is the sum
over training rows of the loss, and l2/2 times each squared weight but the intercept. So rounds lead to the one fit of a
regression on bins. Every round moves all weights by

    rate (G + l2 w) / (m c n + l2),

G and n being a cell's summed gradients and its rows (what they weigh), c a bound of a row's curvature (1/4 of two
sides, 1/2 of several classes, 1 of a squared error) and m the most cells in which a row lies. By Jensen's inequality
such a parallel step goes down whatever columns have to do with one another, at rates up to 1, and no second derivatives
are summed. Steps are Nesterov's, from a point beyond the last one, which may go up for a round. A bin without training
rows takes the weight of the nearest one that has some. References: Lou, Caruana, Gehrke 2012 (above); Collins,
Schapire, Singer 2002, "Logistic Regression, AdaBoost and Bregman Distances", section 5 (parallel updates); Boehning
1992, "Multinomial logistic regression algorithm" (1/4 and 1/2); Beck, Teboulle 2009, "A Fast Iterative
Shrinkage-Thresholding Algorithm" (steps from beyond). Under noise: `hidden`.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from potluck.core.asks import Answer, Block
from potluck.core.party import Draw
from potluck.core.plan import Plan
from potluck.core.stages import Floats
from potluck.learning.data.encode import encoding
from potluck.learning.data.table import Table
from potluck.learning.data.target import Goal, goal_of
from potluck.learning.data.units import most_units
from potluck.learning.models.boosted.additive import Announced, announced, announced_for, reach, zeros
from potluck.learning.models.boosted.curves import margins
from potluck.learning.models.boosted.layout import Layout, Whole, layout
from potluck.learning.models.boosted.told import importances
from potluck.learning.models.class_weights import factors_of, heaviest
from potluck.learning.models.fitted import Fitted, training
from potluck.learning.models.linear import l2
from potluck.learning.training.boosting import hidden
from potluck.learning.training.boosting.booster import Booster
from potluck.learning.training.boosting.histogram import FIRST, WEIGHT, Histogram
from potluck.learning.training.boosting.losses import CURVED, bounds, derivatives, parts
from potluck.learning.training.method import Method, ServerSteps, few, judge, tally


@dataclass(frozen=True, slots=True)
class Additive:
    """See `training.method.Method`. features: p."""

    plan: Plan
    goal: Goal
    features: int

    @property
    def layout(self) -> Layout:
        """The cells."""
        return layout(self.plan)

    def initial(self) -> Floats:
        """No curve: all margins are 0."""
        return zeros(self.plan).vector

    def blocks(self, weights: Floats) -> tuple[Block, ...]:
        """The summed gradients [outputs, cells] at these curves, and the rows of each side; of the first sum also by
        how much the rows of each cell count."""
        now, how, units = announced(self.plan, weights), self.layout, most_units(self.plan)
        high, heavy = bounds(self.plan, self.goal, reach(how, now.weights))[0], heaviest(self.plan)
        wanted = [(FIRST, self.goal.outputs * how.cells, high, parts(high))]
        if not now.rounds:
            whole = factors_of(self.plan, self.goal) is None
            wanted.append((WEIGHT, how.cells, heavy, 1 if whole else parts(heavy)))
        each = (Block(name, size, most, most * size**0.5, units, parts=fine) for name, size, most, fine in wanted)
        return (*each, tally(self.plan, self.goal))

    def contribute(self, weights: Floats, step: int, rows: Table, draw: Draw) -> Iterator[Histogram]:
        """One unit a row: its gradient, in the cells where it lies. Raises Abort(TERMS): the curves are of another
        round than this sum's."""
        now, how, counts = announced_for(self.plan, weights, step), self.layout, factors_of(self.plan, self.goal)

        def placed(x: Floats, y: Floats, here: slice) -> tuple[Whole, Mapping[str, Floats]]:
            first, _ = derivatives(self.plan, self.goal, margins(now.weights, how, x), y)
            found = {FIRST: first}
            if not step:
                found[WEIGHT] = np.ones((len(y), 1)) if counts is None else counts[y.astype(np.int64)][:, None]
            return np.zeros(first.shape, dtype=np.int64), found

        yield Histogram(how, self.goal, 1, placed, rows)

    def course(self) -> ServerSteps:
        """A step a sum. Raises DataError: there are no rows, or all are of one class."""
        spec, how, now = training(self.plan), self.layout, zeros(self.plan)
        before, warnings, count = now.weights, tuple[str, ...](), np.zeros(how.cells)

        def counts(vector: Floats) -> Mapping[str, float]:
            return importances(encoding(self.plan), how, announced(self.plan, vector).weights, count)

        ridge = np.full(how.cells, l2(self.plan))
        ridge[0] = 0.0
        for number in range(spec.rounds):
            answer = yield now.vector
            if answer is None:
                return Fitted(now.vector, warnings, importances=counts)
            if number == 0:
                warnings = few(judge(self.plan, self.goal, answer), now.weights.size)
                count = answer.part(WEIGHT).values
                curved = in_a_row(self.plan) * CURVED[self.goal.side] * count + ridge
            slope = self._slope(answer, now.weights) + ridge * now.weights
            step = np.divide(slope, curved, out=np.zeros_like(slope), where=curved > 0)
            there = filled(how, now.weights - spec.rate * step, count)
            beyond = there + number / (number + 3) * (there - before)
            now, before = Announced(number + 1, beyond), there
        return Fitted(Announced(spec.rounds, before).vector, warnings, importances=counts)

    def _slope(self, answer: Answer, like: Floats) -> Floats:
        return answer.part(FIRST).values.reshape(like.shape)


def in_a_row(plan: Plan) -> int:
    """The most cells in which a row lies: that of all rows, and one of each column."""
    return 1 + len(encoding(plan).fields)


def filled(how: Layout, weights: Floats, count: Floats) -> Floats:
    """weights [k, cells], of which a bin of a number without rows (count [cells] 0) takes that of the nearest with
    some; of two as near, the lower one's."""
    found = weights.copy()
    for start in how.starts[how.numbers].tolist():
        here = slice(start, start + how.bins)
        there = np.flatnonzero(count[here] > 0)
        if len(there):
            nearest = np.abs(np.arange(how.bins)[:, None] - there).argmin(axis=1)
            found[:, here] = weights[:, start + there[nearest]]
    return found


def _start(plan: Plan, goal: Goal, features: int) -> Method:
    return hidden.Hidden(plan, goal, features) if plan.noisy else Additive(plan, goal, features)


def _opened(plan: Plan, counts: str) -> str:
    if plan.noisy:
        return (
            "in the first round how many training rows lie in each bin of each column, and in each later one their "
            f"summed residuals over a few leaves of each column{counts}"
        )
    return (
        "each round the summed gradients of all training rows in each bin of each column, and in the first how many "
        f"rows lie there, exactly{counts}; a bin may hold one row alone, whose target its sums then tell"
    )


def _cycle(plan: Plan, at: Floats) -> tuple[Floats, ...]:
    """A round after the first, which also counts rows."""
    return (Announced(min(1, training(plan).rounds - 1), announced(plan, at).weights).vector,)


ADDITIVE = Booster(
    start=_start,
    rounds=40,
    rate=1.0,
    values=lambda plan, features: goal_of(plan).outputs * layout(plan).cells,
    opened=_opened,
    noised=hidden.faults,
    cycle=_cycle,
)
