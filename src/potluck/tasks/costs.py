"""What a whole run of a plan charges a site, from the plan alone: the sums that it pays for, redone ones included."""

from __future__ import annotations

from collections.abc import Mapping

from potluck.core.asks import Kind
from potluck.core.plan import Plan
from potluck.dp.account import Cost
from potluck.dp.composition import RunCosts
from potluck.tasks.catalog import task_of


def each(plan: Plan) -> Mapping[Kind, Cost]:
    """What one sum of each kind costs; nothing without noise. Raises PlanError: the noise cannot be kept."""
    return {} if plan.privacy.noise == "none" else task_of(plan).costs(plan)


def planned(plan: Plan) -> RunCosts | None:
    """All that a run may charge; None without noise. Raises PlanError: the noise cannot be kept."""
    unit, delta = plan.privacy.unit, plan.privacy.delta
    if plan.privacy.noise == "none" or unit is None or delta is None:
        return None
    return RunCosts(unit, delta, {cost: cost.releases for cost in each(plan).values()})
