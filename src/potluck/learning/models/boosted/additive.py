"""An additive model while it is trained, as the vector of numbers that is announced from sum to sum.

[1 + outputs * cells]: how many rounds stand; then what each cell of the layout adds to each output's margin.
"""

from typing import NamedTuple

import numpy as np

from potluck.core.plan import Plan
from potluck.core.rounds import Abort, Cause
from potluck.core.stages import Floats
from potluck.learning.data.target import goal_of
from potluck.learning.models.boosted.curves import Curves, curves_of
from potluck.learning.models.boosted.layout import Layout, layout
from potluck.learning.models.fitted import training


class Announced(NamedTuple):
    """rounds: that stand; weights [outputs, cells]."""

    rounds: int
    weights: Floats

    @property
    def vector(self) -> Floats:
        """As it is announced."""
        return np.concatenate([[float(self.rounds)], self.weights.ravel()])


def zeros(plan: Plan) -> Announced:
    """No round stands, and every margin is 0."""
    return Announced(0, np.zeros((goal_of(plan).outputs, layout(plan).cells)))


def announced(plan: Plan, vector: Floats) -> Announced:
    """Of a vector as long as a plan's. Raises Abort(TERMS): it is of no round of this plan."""
    rounds = vector[0]
    if not (0 <= rounds <= training(plan).rounds and rounds == int(rounds)):
        raise Abort(Cause.TERMS, detail="the announced model is of no round of this plan")
    return Announced(int(rounds), vector[1:].reshape(goal_of(plan).outputs, -1))


def announced_for(plan: Plan, vector: Floats, step: int) -> Announced:
    """Of what is announced for this sum. Raises Abort(TERMS): it is of another round, or of none of this plan."""
    now = announced(plan, vector)
    if now.rounds != step:
        raise Abort(Cause.TERMS, detail="the announced curves are of another round than this sum's")
    return now


def curves_of_plan(plan: Plan, vector: Floats) -> Curves:
    """The curves of announced numbers. Raises Abort(TERMS): as `announced`."""
    return curves_of(layout(plan), announced(plan, vector).weights)


def reach(how: Layout, weights: Floats) -> float:
    """No row's margin is beyond it: a power of two, so that all parties find the same."""
    most = np.abs(weights[:, 0])
    for start, width in zip(how.starts.tolist(), how.widths.tolist(), strict=True):
        most = most + np.abs(weights[:, start : start + width]).max(axis=1)
    return 2.0 ** int(np.ceil(np.log2(max(1.0, most.max()))))
