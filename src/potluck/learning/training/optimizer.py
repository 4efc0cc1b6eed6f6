"""How weights move once a gradient is known, as one object that methods use: a file, and a line in `methods`.

`gradient` steps at the server, once a sum. `average` joins what sites trained by themselves: its gradient is the mean
of their changes, turned round, and its rate is 1. After a crash a loop is replayed from the stored releases, so the
state comes back with it. Reference for the shape: optax, whose transformations are pure pairs of a first state and a
step. The optimizers themselves are in `steps`.
"""

from collections.abc import Callable
from dataclasses import dataclass

from potluck.core.plan import Plan
from potluck.core.registry import Registry, table
from potluck.core.stages import Floats
from potluck.learning.models.fitted import training

Step = Callable[[Floats, float, float, Floats], tuple[Floats, Floats]]


@dataclass(frozen=True, slots=True)
class Rates:
    """What `gradient` takes where a plan does not say, by the loss of its model; of a network a guess."""

    log_loss: float
    squared: float
    network: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Optimizer:
    """One optimizer, as plans name it. Pure: +, -, *, / and square roots, so that the same arguments give the same
    bytes on every machine.

    begin: the state before the first step of d weights; a vector of any length.
    step: (total [d], count, rate, state) to (what is taken off the weights [d], state); the gradient is total / count.
    Each coordinate is by itself: `average` asks for slices of the weights, each with a state of its own.
    join: the step of `average`, where it has other constants; None: the same.
    rates: of `gradient`, where a plan does not say; None: the method's.
    plain: a step is the gradient times the rate. Of a quadratic, a gradient above the first one then proves that steps
    are too long to converge.
    even: a step moves each coordinate by about the rate, whatever the gradient's size: `gradient` takes it in the units
    of `units`. Else a step is as long as the gradient, and below are what its rate follows from.
    longest: rates below this part of 1/L shrink every error of a quadratic, whose curvature is at most L.
    lasting: the steps that a gradient takes part in, added up.
    """

    begin: Callable[[int], Floats]
    step: Step
    join: Step | None = None
    rates: Rates | None = None
    plain: bool = False
    even: bool = False
    longest: float = 2.0
    lasting: float = 1.0


OPTIMIZERS: Registry[Optimizer] = table("training.optimizer")


def optimizer_of(plan: Plan) -> Optimizer:
    """The optimizer of a plan to train."""
    return OPTIMIZERS.of(training(plan).optimizer)
