"""How many rows a plan expects to be held out: from the plan alone, before anything is read."""

from __future__ import annotations

from potluck.core.plan import Plan

ASSUMED = 0.25
"""The share that a split column holds out: what it is, only the rows could say."""


def held_out(plan: Plan) -> float | None:
    """About how many rows of all sites are held out; None where the plan does not say how many it expects."""
    training, split = plan.training, plan.data.split
    if training is None or training.expected_rows is None or split is None:
        return None
    share = ASSUMED if split.test is None else split.test
    return training.expected_rows * share / (1 - share)
