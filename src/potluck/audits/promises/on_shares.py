"""Noise of a fit in secret: what compute parties draw, and whether as much of it is enough.

All draw a share, and one of them may draw none: what is looked at is the noise of the others together, over all steps
of a fit. What it comes to is reckoned from the clip, the steps and that noise alone. It does NOT look at what engines
make of it: that the program adds it to clipped slopes is held by tests of the program.
"""

import math
from collections.abc import Iterator

import numpy as np

from potluck.audits.promises.bounds import gaussian_epsilon
from potluck.audits.promises.charged import CLOSE
from potluck.audits.promises.draws import Draws
from potluck.audits.promises.owed import NEAR
from potluck.audits.promises.promise import Check, Effort
from potluck.audits.promises.sigma import NUMBERS, TESTS, judged
from potluck.core.plan import Plan, required
from potluck.core.seeded import generator, stream
from potluck.dp.account import spent
from potluck.dp.noise import gaussian
from potluck.dp.noise_on_shares import UNIT, Inside, inside
from potluck.learning.data.columns import by_owner
from potluck.learning.training.methods import fit_of
from potluck.tasks.catalog import task_of

NAME = "fit"
ROWS = 1_000
"""Any number: no noise follows from how many there are."""


def findings(plan: Plan, seed: int, effort: Effort) -> Iterator[Check]:
    """Of a plan whose fit owes noise."""
    effort.tell("noise of a fit")
    wanted = _owed(plan)
    noise = fit_of(plan).learner(plan, wanted.share).recipe(ROWS, 0).noise
    if noise is None:
        yield Check(f"noise: {NAME}", False, "the fit takes no noise, and the plan promises that it does", 1.0, 0.0)
        return
    draw, sure = stream(seed, "audit", "noise"), len(plan.compute) - 1
    size = math.prod(noise.shape)
    fits = [sum(gaussian(noise.sigma, size, draw) for _ in range(sure)) for _ in range(max(4, -(-NUMBERS // size)))]
    width = noise.shape[-1]
    draws = Draws(
        np.array(fits, np.float64).reshape(-1, width), np.full(width, wanted.sigma), np.zeros(width, np.int64),
        generator(seed, "audit", "smooth"),
    )  # fmt: skip
    yield from judged(draws, sure, NAME, effort.level / TESTS)
    yield _charges(plan, noise.shape[0])


def _owed(plan: Plan) -> Inside:
    return inside(plan, len(by_owner(plan)) + 1)


def _charges(plan: Plan, steps: int) -> Check:
    epsilon, delta = required(plan.privacy.epsilon), required(plan.privacy.delta)
    rounds = required(plan.training).rounds
    (cost,) = task_of(plan).costs(plan).values()
    total = spent([cost] * (1 + plan.privacy.redo), delta)
    once = required(plan.privacy.clip) / (_owed(plan).sigma * UNIT)
    own = gaussian_epsilon(once * math.sqrt(rounds * (1 + plan.privacy.redo)), delta)
    words = f"all charges of a fit come to epsilon {total:.6g}, of {epsilon:g} that the plan promises"
    if steps < rounds:
        words = f"{rounds} steps are taken, and {steps} have noise"
    elif own > min(epsilon, total) * NEAR:
        words = f"noise of a fit comes to epsilon {own:.6g}, and is charged as {total:.6g}"
    held = total <= epsilon * CLOSE and steps >= rounds and own <= min(epsilon, total) * NEAR
    return Check(f"charges: {NAME}", held, words, epsilon, total)
