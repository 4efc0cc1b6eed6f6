"""The method `boosting`: which kinds of model it grows, a line each in `training.methods`, and what of a plan it
takes."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from potluck.core.plan import Plan, required
from potluck.core.registry import Registry
from potluck.core.stages import Floats
from potluck.learning.data.target import Goal
from potluck.learning.models.boosted.forest import MOST
from potluck.learning.models.fitted import training
from potluck.learning.training.method import FEW, Method, TrainingMethod


@dataclass(frozen=True, slots=True, kw_only=True)
class Booster:
    """How one kind of model is boosted.

    rounds, rate: of [training], where a plan does not say. start: the method for a plan, its target and so many
    features. values: of the largest of its sums, likewise. cycle: as of `TrainingMethod`. opened: what its sums are
    made of, by what they say of the number of rows. noised: what of a plan with noise does not fit. Lines as `check`
    makes them.
    """

    rounds: int
    rate: float
    start: Callable[[Plan, Goal, int], Method]
    values: Callable[[Plan, int], int]
    opened: Callable[[Plan, str], str]
    noised: Callable[[Plan], Iterator[str]]
    cycle: Callable[[Plan, Floats], tuple[Floats, ...]] = lambda plan, announced: (announced,)


BOOSTERS: Registry[Booster] = Registry("model.kind")


def booster_of(plan: Plan) -> Booster:
    """That of a plan's kind of model. Raises PlanError: it is not boosted."""
    return BOOSTERS.of(plan.model.kind if plan.model else None)


def faults(plan: Plan) -> Iterator[str]:
    """Rounds and rates that no boosted model has."""
    spec = training(plan)
    if spec.rounds > MOST:
        yield f"training.rounds: {spec.rounds} does not fit. hint: 1 to {MOST}, each adds to the model"
    if spec.rate > 1:
        yield f"training.rate: {spec.rate:g} is beyond a whole step. hint: at most 1, e.g. 0.3"


def pauses(plan: Plan) -> Iterator[str]:
    """Exact sums by bin over so few rows that some bins hold one alone, however rows lie."""
    bins, rows = required(plan.model).bins, len(plan.federation.sites) * plan.data.max_rows
    most = min(rows, training(plan).expected_rows or rows)
    if not plan.noisy and most < FEW * bins:
        what = f"{bins} bins of a number for {most:,} rows at most: some hold one row alone, whose target sums tell"
        yield f'model.bins: {what}. hint: at most {max(2, most // FEW)}, or kind = "additive" with noise'


BOOSTING = TrainingMethod(
    start=lambda plan, goal, features: booster_of(plan).start(plan, goal, features),
    rounds=20,
    rate=0.3,
    of_kind=lambda kind: (one.rounds, one.rate) if (one := BOOSTERS.entries.get(kind or "")) else None,
    opened=lambda plan, counts: booster_of(plan).opened(plan, counts),
    gist=lambda plan: "how far the model is off, for ranges of values of each column",
    boosts=True,
    bounded=True,
    weighed=True,
    values=lambda plan, features: booster_of(plan).values(plan, features),
    noised=lambda plan: booster_of(plan).noised(plan),
    faults=faults,
    pauses=pauses,
    cycle=lambda plan, announced: booster_of(plan).cycle(plan, announced),
    stands=lambda announced, step: np.concatenate([[float(step)], announced[1:]]),
    tried={"training.rounds": (10, 20, 40)},
)
