"""Exact sums of half as many different numbers as rows, over all rounds: equations in which of the rows trained.

How many differ is bounded twice: by all numbers of all rounds, and, of a model that is linear in its features, by how
many functions of a row they can be: at models that hardly move slopes are nearly polynomials of degree 3 in the
features (2 where errors are squared), and products with the target. Nothing is said of what sites train by themselves
(`average`), which is no sum over rows, whatever its steps, and of fewer rows than the attack asks for. A batch changes
nothing: its coins are public. Whoever asks is granted the rows in question, as by the attack.
"""

from collections.abc import Sequence
from math import prod

import numpy as np
from numpy.polynomial import Polynomial

from potluck.core.plan import Plan, required
from potluck.learning.data.encode import encoding
from potluck.learning.data.target import goal_of
from potluck.learning.models.fitted import training
from potluck.learning.models.forms import weights_of
from potluck.learning.models.kinds import kind_of
from potluck.learning.training.drawn import band, chance
from potluck.learning.training.methods import method_of
from potluck.tasks.shapes.shape import Case, Shape

FEWEST = 15
RATIO = 0.5
"""Different numbers a row that trains, from which on every run was taken apart."""
MEASURED = "from half as many numbers as rows on the attack picked, of two rows, the one that trained 70 to 100 times"
"""By made-up plans at three sites under masks: linear and logistic models by `gradient` and `newton`, networks, trees
by `boosting`."""


def no_sum_of_rows(plan: Plan) -> str | None:
    """Why the sums that train are no equations in who is in them. None: they are."""
    if method_of(plan).by_site or (plan.noisy and plan.privacy.unit == "site"):
        return "what a site adds is no sum of what its rows add"
    if chance(plan) is not None or band(plan) is not None or training(plan).aggregation != "mean":
        return "each sum is over rows that are drawn in secret, or it is no sum"
    return None


def _said(case: Case) -> str | None:
    plan, rows = case.plan, case.summed
    if no_sum_of_rows(plan) is not None or required(plan.model).local or rows < FEWEST:
        return None
    numbers = _different((plan, *case.beside))
    if numbers < RATIO * rows:
        return None
    of = f"all rounds of {1 + len(case.beside)} trainings" if case.beside else "all rounds"
    what = f"about {numbers:,} different exact numbers are opened in {of}, of {case.over}"
    measured = f"{MEASURED} in 100, where guessing does 50, whoever added them up"
    hint = "add noise of the sites, or fewer rounds or columns, or more rows"
    return f"privacy.noise: {what}: {measured} (attack equations). hint: {hint}"


def _different(plans: Sequence[Plan]) -> int:
    """About how many of the numbers that are opened differ, at most. plans: that train on the same rows. Slopes of
    those whose models are linear are functions of the same few kinds, however many plans ask for them."""
    others, linear, functions = 0, 0, 0
    for plan in plans:
        features, kind = len(encoding(plan).names), kind_of(plan)
        every = plan.sums * (method_of(plan).values or weights_of)(plan, features)
        if plan.drawn or method_of(plan).boosts or kind.hidden(required(plan.model)):
            others += every
            continue
        degree = 2 if kind.link and kind.link.squares else 3
        linear += every
        several = goal_of(plan).outputs * _monomials(plan, degree)
        functions = max(functions, several + weights_of(plan, features))
    return others + min(linear, functions)


def _monomials(plan: Plan, degree: int) -> int:
    """How many of at most this degree the features have.

    Of the values of a category one is 1 at most, so that it has no powers, and no products of two of its own.
    """
    powers = Polynomial(np.ones(degree + 1))
    each = [
        powers if one.measured else Polynomial([1, len(one.features) - (0 if one.referred else 1)])
        for one in encoding(plan).fields
    ]
    return round(float(prod(each, start=Polynomial([1])).coef[: degree + 1].sum()))


MEMBERS = Shape("equations", _said)
