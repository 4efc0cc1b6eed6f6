"""How weights move once a gradient is known, as one object that methods use: a file, and a line in `methods`.

`gradient` steps at the server, once a sum. After a crash its loop is replayed from the stored releases, so the state
comes back with it. `average` steps at each site, once a batch; there the state lasts for one round, and the next begins
anew. Reference for the shape: optax, whose transformations are pure pairs of a first state and a step.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from potluck.core.plan import Plan
from potluck.core.registry import Registry, table
from potluck.core.stages import Floats
from potluck.learning.models.fitted import training


@dataclass(frozen=True, slots=True, kw_only=True)
class Optimizer:
    """One optimizer, as plans name it. Pure: the same arguments give the same bytes on every machine.

    begin: the state before the first step of d weights; a vector of any length.
    step: (total [d], count, rate, state) to (what is taken off the weights [d], state); the gradient is total / count.
    Each coordinate is by itself: `average` asks for slices of the weights, each with a state of its own.
    plain: a step is the gradient times the rate. Of a quadratic, a gradient above the first one then proves that steps
    are too long to converge.
    """

    begin: Callable[[int], Floats]
    step: Callable[[Floats, float, float, Floats], tuple[Floats, Floats]]
    plain: bool = False


OPTIMIZERS: Registry[Optimizer] = table("training.optimizer")
SGD = Optimizer(
    begin=lambda size: np.zeros(0),
    step=lambda total, count, rate, state: (rate * total / count, state),
    plain=True,
)


def optimizer_of(plan: Plan) -> Optimizer:
    """The optimizer of a plan to train."""
    return OPTIMIZERS.of(training(plan).optimizer)
