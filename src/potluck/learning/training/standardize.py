"""Numbers less their mean, over their standard deviation: units in which gradients with noise are clipped.

A clip and its noise are as wide in every coordinate, so it matters what a coordinate is. On [-1, 1] most values of a
skewed column lie together near -1: its coefficient does what the intercept does, has to be large to say anything, and
noise costs it most. So with `training.standardize` the first of the rounds adds up, for each row, a 1, its numbers and
their squares, at the same cost as any round. The server makes units of the opened sums, which is post-processing, and
announces them behind the model; from the second round on every site clips what its units add in these.

**The bounds.** Numbers lie on [-1, 1], so the 1, the q numbers and their q squares of a row have an L2 norm of at most
sqrt(1 + 2q), and what a unit adds is clipped to that. In units z a row's gradient is residual x (1, z). z follows from
the row and from what was announced, and the gradient is clipped to `privacy.clip` like any other, whatever that was.
So every round is the Gaussian mechanism that its cost says, and a server that lies about units gains nothing by it.

**The units.** With N, S and Q the opened sums and s the standard deviation of the noise in each, m = PRIOR s more rows
are counted, of mean 0 and square 1, so that where noise is all there is the units are those of encoded rows:
center S / (N + m), variance (Q + m) / (N + m) - center^2, kept within [1/MOST^2, 1], scale 1 / sqrt(variance).
Rows are counted since `expected_rows` is a guess, and what a mean is divided by must not be one.
References: LeCun, Bottou, Orr, Mueller 1998, "Efficient BackProp", section 4.3 (inputs of mean 0 and one variance).
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property

import msgspec
import numpy as np
from numpy.typing import NDArray

from potluck.core.asks import Answer, Block
from potluck.core.party import Draw
from potluck.core.plan import Plan
from potluck.core.rounds import Abort, Cause
from potluck.core.stages import Contribution, Floats
from potluck.learning.data.table import Table
from potluck.learning.data.target import goal_of
from potluck.learning.data.units import Index, most_units, updates
from potluck.learning.models.fitted import Fitted, training
from potluck.learning.models.kinds import kind_of
from potluck.learning.training.method import Method, ServerSteps
from potluck.learning.training.units import Units, numbers

MOMENTS = "moments"
PRIOR = 4.0
MOST = 8.0
"""The largest scale. What varies by less than an eighth of half its range counts as if it varied by that much."""
LEAST_ROUNDS = 2
"""One for the units, one to train in them."""


@dataclass(frozen=True)
class Standardized:
    """A method in units that its first round opens. See `training.method.Method`.

    inside: that method for a plan of the rounds that are left, and units.
    """

    plan: Plan
    inside: Callable[[Plan, Units], Method]

    def initial(self) -> Floats:
        """[K (p + 1) + 2q]: the method's first weights, and zeros where its units will stand."""
        unknown = _even(self._numbers, 0.0)
        return _announced(self.inside(self.plan, unknown).initial(), unknown)

    def blocks(self, weights: Floats) -> tuple[Block, ...]:
        """In the first round moments [1 + 2q]: how many there are, the numbers, and their squares. Then the method's.

        Raises Abort(TERMS): what is announced has units that no plan has.
        """
        units = self._units(weights)
        if units is not None:
            return self.inside(self.plan, units).blocks(modelled(self.plan, weights))
        longest = math.sqrt(self._moments)
        return (Block(MOMENTS, self._moments, longest, longest, most_units(self.plan)),)

    def contribute(self, weights: Floats, step: int, rows: Table, draw: Draw) -> Iterator[Contribution]:
        """What training rows add to moments, each unit's summed; then what they add by the method."""
        units, some = self._units(weights), self._numbers[1:]
        if units is not None:
            return self.inside(self.plan, units).contribute(modelled(self.plan, weights), step, rows, draw)

        def each(index: Index) -> Floats:
            x = rows.features[index][:, some]
            return np.hstack([np.ones((len(x), 1)), x, x * x])

        return updates(self.plan, np.flatnonzero(rows.train), rows.person, self._moments, each)

    def course(self) -> ServerSteps:
        """The units, then the method's rounds in them."""
        announced = self.initial()
        answer = yield announced
        if answer is None:
            return Fitted(modelled(self.plan, announced))
        units = self._found(answer)
        spec = msgspec.structs.replace(training(self.plan), rounds=training(self.plan).rounds - 1)
        left = self.inside(msgspec.structs.replace(self.plan, training=spec), units).course()
        weights = next(left)
        while True:
            answer = yield _announced(weights, units)
            try:
                weights = left.send(answer)
            except StopIteration as stop:
                fitted: Fitted = stop.value
                return fitted

    def _found(self, answer: Answer) -> Units:
        opened, count = answer.part(MOMENTS), self._moments // 2
        prior = PRIOR * float(opened.std[0])
        rows = max(float(opened.values[0]), 0.0) + prior
        centers = np.clip(opened.values[1 : 1 + count] / rows, -1.0, 1.0)
        squares = (opened.values[1 + count :] + prior) / rows
        return Units(self._numbers, centers, 1 / np.sqrt(np.clip(squares - centers * centers, 1 / MOST**2, 1.0)))

    def _units(self, announced: Floats) -> Units | None:
        """Those behind a model; None: they are yet to be found."""
        centers, scales = np.split(announced[len(modelled(self.plan, announced)) :], 2)
        if not centers.any() and not scales.any():
            return None
        if np.abs(centers).max() > 1 or scales.min() < 1 or scales.max() > MOST:
            raise Abort(Cause.TERMS, detail="the announced units are none that a plan can have")
        return Units(self._numbers, centers, scales)

    @cached_property
    def _numbers(self) -> NDArray[np.bool_]:
        return numbers(self.plan)

    @property
    def _moments(self) -> int:
        return 1 + 2 * int(self._numbers.sum())


def standardizes(plan: Plan) -> bool:
    """Whether a plan whose columns are known finds such units: it has noise, a model linear in them, and numbers."""
    linear = kind_of(plan).link is not None
    return plan.noisy and training(plan).standardize and linear and bool(numbers(plan).any())


def modelled(plan: Plan, announced: Floats) -> Floats:
    """The model in what a round announces."""
    return announced[: goal_of(plan).outputs * len(numbers(plan))] if standardizes(plan) else announced


def usual(plan: Plan, announced: Floats) -> Floats:
    """From what the first round announces, what a later one might."""
    return _announced(modelled(plan, announced), _even(numbers(plan), 1.0)) if standardizes(plan) else announced


def _announced(weights: Floats, units: Units) -> Floats:
    return np.concatenate([weights, units.centers, units.scales])


def _even(which: NDArray[np.bool_], scale: float) -> Units:
    """Of encoded features, with one scale: 1 changes nothing, 0 says that none is known."""
    count = int(which.sum())
    return Units(which, np.zeros(count), np.full(count, scale))
