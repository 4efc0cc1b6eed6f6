"""The optimizers of this version: plain steps, two with momentum, two with a step size for each coordinate.

Momentum is 0.9 throughout; no plan sets it. Powers of a constant are products of one factor more each time, since a
library's power may differ in its last bit between machines.

References: Polyak 1964 (momentum); Sutskever, Martens, Dahl, Hinton 2013 (momentum, and Nesterov's, as steps of a
gradient); Kingma and Ba 2015, arXiv 1412.6980, algorithm 1 (Adam); Zaheer, Reddi, Sachan, Kale, Kumar 2018, "Adaptive
Methods for Nonconvex Optimization", algorithm 2 (Yogi); Reddi et al. 2021, arXiv 2003.00295, algorithm 2 (both where
sites train by themselves). All of them start from 0 and correct for it as Adam does.
"""

from collections.abc import Callable

import numpy as np

from potluck.core.stages import Floats
from potluck.learning.training.optimizer import Optimizer, Rates, Step

MOMENTUM = 0.9
SECOND, LEAST = 0.999, 1e-8
"""Adam's: how much of the mean square is kept, and what is added to its root. torch's are the same."""
YOGI_LEAST = 1e-3
"""Yogi's: "roughly 10^-3" in its section 5."""
JOINED_SECOND, JOINED_LEAST, JOINED_RATE = 0.99, 1e-3, 0.1
"""Of both where sites train by themselves: the defaults of Reddi et al.; their best rates are from 0.003 to 0.3."""
Grown = Callable[[Floats, Floats, float], Floats]
"""(mean square [d], squares of the gradient [d], how much is kept) to the next mean square."""


def _heavy(total: Floats, count: float, rate: float, velocity: Floats) -> tuple[Floats, Floats]:
    velocity = MOMENTUM * velocity + total / count
    return rate * velocity, velocity


def _ahead(total: Floats, count: float, rate: float, velocity: Floats) -> tuple[Floats, Floats]:
    gradient = total / count
    velocity = MOMENTUM * velocity + gradient
    return rate * (gradient + MOMENTUM * velocity), velocity


def _begin(size: int) -> Floats:
    """Means of gradients [d] and of their squares [d], and the powers of what is kept of each."""
    state = np.zeros(2 * size + 2)
    state[-2:] = 1.0
    return state


def _adaptive(grown: Grown, second: float, least: float) -> Step:
    def step(total: Floats, count: float, rate: float, state: Floats) -> tuple[Floats, Floats]:
        size, gradient, after = len(total), total / count, np.empty(len(state))
        after[:size] = MOMENTUM * state[:size] + (1 - MOMENTUM) * gradient
        after[size:-2] = grown(state[size:-2], gradient * gradient, second)
        after[-2], after[-1] = MOMENTUM * state[-2], second * state[-1]
        mean, square = after[:size] / (1 - after[-2]), after[size:-2] / (1 - after[-1])
        return rate * mean / (np.sqrt(square) + least), after

    return step


def _adam(square: Floats, now: Floats, kept: float) -> Floats:
    return kept * square + (1 - kept) * now


def _yogi(square: Floats, now: Floats, kept: float) -> Floats:
    """It falls by no more than it would have grown: a few small gradients do not make steps long."""
    return square - (1 - kept) * np.sign(square - now) * now


def _joined(grown: Grown) -> Step:
    step = _adaptive(grown, JOINED_SECOND, JOINED_LEAST)
    return lambda total, count, rate, state: step(total, count, rate * JOINED_RATE, state)


SGD = Optimizer(
    begin=lambda size: np.zeros(0),
    step=lambda total, count, rate, state: (rate * total / count, state),
    rates=Rates(1.0, 1.0, 0.1),
    plain=True,
)
HEAVY = Optimizer(
    begin=np.zeros,
    step=_heavy,
    rates=Rates(0.5, 0.1, 0.05),
    longest=2 * (1 + MOMENTUM),
    lasting=1 / (1 - MOMENTUM),
)
NESTEROV = Optimizer(
    begin=np.zeros,
    step=_ahead,
    rates=Rates(0.5, 0.1, 0.05),
    longest=2 * (1 + MOMENTUM) / (1 + 2 * MOMENTUM),
    lasting=1 / (1 - MOMENTUM),
)
ADAM = Optimizer(
    begin=_begin,
    step=_adaptive(_adam, SECOND, LEAST),
    join=_joined(_adam),
    rates=Rates(0.4, 0.05, 0.01),
    even=True,
)
YOGI = Optimizer(
    begin=_begin,
    step=_adaptive(_yogi, SECOND, YOGI_LEAST),
    join=_joined(_yogi),
    rates=Rates(0.4, 0.05, 0.01),
    even=True,
)
