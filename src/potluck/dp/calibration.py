"""What a plan's noise has to keep: the promise of each kind of sum, how many there are, and whose shares are sure.

It does NOT reckon the noise itself (`account`), nor add it (`mechanism`).
"""

import math
from fractions import Fraction

from potluck.core.asks import Kind
from potluck.core.errors import PlanError
from potluck.core.plan import Plan

EVALUATION = 0.1
"""The share of delta that metrics have where they add to the cost of training."""


def releases(plan: Plan, kind: Kind) -> int:
    """How many sums of this kind a run may open, those run again included."""
    planned = {Kind.TRAIN: plan.sums, Kind.STATISTICS: plan.sums, Kind.VALIDATE: plan.looks}.get(kind, 1)
    return planned + plan.privacy.redo


def target(plan: Plan, kind: Kind) -> tuple[float, float]:
    """(epsilon, delta) of all sums of this kind.

    Rows are either trained on or tested on, so both kinds may cost the whole; for persons and sites they share it.
    Raises PlanError: the plan has none for it.
    """
    wanted = plan.privacy
    if wanted.epsilon is None or wanted.delta is None or wanted.unit is None:
        raise PlanError("noise needs unit, epsilon and delta", where="privacy", hint="write all three")
    if wanted.unit == "row" or not plan.traits.trains:
        return wanted.epsilon, wanted.delta
    if kind is Kind.TRAIN:
        if wanted.evaluation is None:
            return wanted.epsilon, wanted.delta
        return wanted.epsilon - wanted.evaluation, wanted.delta * (1 - EVALUATION)
    if wanted.evaluation is None:
        what = f'metrics cost epsilon of their own with unit = "{wanted.unit}", and the plan has none for them'
        raise PlanError(what, where="privacy.evaluation", hint="set it to a part of epsilon, e.g. 0.1")
    return wanted.evaluation, wanted.delta * EVALUATION


def shares(plan: Plan) -> int:
    """How many shares of noise are sure to be in a sum and unknown to any coalition that the plan allows for.

    Raises PlanError: none.
    """
    if plan.privacy.noise != "shared":
        return 1
    # Every peer knows its own share.
    sure = plan.fewest - max(plan.federation.corrupt, 1)
    if sure < 1:
        raise PlanError(
            "no honest share of noise is sure to be in the sum",
            where="privacy.noise",
            hint='add sites, lower federation.dropouts or corrupt, or use noise = "site"',
        )
    return sure


def least_share(sigma: float, sure: int) -> float:
    """The smallest float whose square, `sure` times, is at least sigma squared."""
    share = sigma / math.sqrt(sure)
    while Fraction(share) ** 2 * sure < Fraction(sigma) ** 2:
        share = math.nextafter(share, math.inf)
    return share
