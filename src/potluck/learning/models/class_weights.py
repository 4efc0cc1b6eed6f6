"""How much a row counts in the objective, by its side or class: public numbers of the plan, nothing of the data.

The objective is the sum over rows of weight times log-loss. Sums and means are divided by rows, as without weights:
the sum of weights would be one more number of the data. So larger weights also make steps longer, and a ridge weaker.
Metrics and looks count every row once. Reference: King and Zeng 2001, "Logistic Regression in Rare Events Data",
section 4.2 (weights on the two sides); scikit-learn's `class_weight` and torch's `weight` are the same numbers.
"""

from collections.abc import Iterator

import numpy as np

from potluck.core.plan import Plan
from potluck.core.stages import Floats
from potluck.core.visible import visible
from potluck.learning.data.notation import Key, Notation, notation
from potluck.learning.data.target import SIDES, Goal, goal_of
from potluck.learning.models.fitted import training


def factors_of(plan: Plan, goal: Goal) -> Floats | None:
    """[cells] the weight of a row of each side or class; None: the plan gives none."""
    given = training(plan).class_weights
    if not given:
        return None
    how, found = notation(plan.data), np.ones(goal.cells)
    names = _names(goal, how)
    for word, weight in given.items():
        found[names[how.key(word)]] = weight
    return found


def heaviest(plan: Plan) -> float:
    """The weight of no row is larger. At least 1, which rows weigh that the plan does not name."""
    return max((1.0, *training(plan).class_weights.values()))


def as_many_as(factors: Floats, target: Floats) -> int:
    """Of how many rows that weigh alike a weighted sum over rows of these sides or classes says as much: what few heavy
    rows add is not hidden by light ones. Reference: Kish 1965, "Survey Sampling", section 8.2 (effective sample
    size)."""
    each = factors[target.astype(np.int64)]
    if not len(each):
        return 0
    each /= each.max()  # else squares of small ones may come to 0
    return int(each.sum() ** 2 / (each**2).sum())


def faults(plan: Plan) -> Iterator[str]:
    """What of the weights does not fit the target, of a plan whose target holds. Lines as `check` makes them."""
    given = training(plan).class_weights
    if not given:
        return
    goal = goal_of(plan)
    if goal.side == "labels":
        yield "training.class_weights: a row has several labels, no class. hint: leave it out, or predict one column"
        return
    if goal.cells == 1:
        what = "the target is a number" if goal.apart else "next tokens count alike"
        yield f"training.class_weights: {what}. hint: leave it out, or data.target with positive or classes"
        return
    how = notation(plan.data)
    names, taken = _names(goal, how), dict[int, str]()
    for word in given:
        place = names.get(how.key(word))
        if place is None:
            yield f'training.class_weights: "{visible(word[:80])}" is {_unknown(goal)}'
        elif place in taken:
            what = f'"{visible(word[:80])}" and "{visible(taken[place][:80])}" are one side'
            yield f"training.class_weights: {what}. hint: give it one weight"
        else:
            taken[place] = word


def _names(goal: Goal, how: Notation) -> dict[Key, int]:
    """How a plan may name each cell. Values of one side weigh alike: a side of several goes by its key alone."""
    if goal.side == "classes":
        return {how.key(value): place for place, value in enumerate(goal.classes)}
    positive = {how.key(value) for value in goal.positive}
    sides = {how.key(value) for value in goal.values} - positive, positive
    found = {how.key(word): place for place, word in enumerate(SIDES)}
    return found | {next(iter(values)): place for place, values in enumerate(sides) if len(values) == 1}


def _unknown(goal: Goal) -> str:
    if goal.side == "classes":
        return f"no class of the target. hint: classes are {', '.join(goal.classes)}"
    return "no side of the target by itself. hint: positive or negative, or the only value of a side"
