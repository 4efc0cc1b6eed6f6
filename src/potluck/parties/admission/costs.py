"""What a whole run of a plan charges a site, from the plan alone: the sums that it pays for, redone ones included."""

from __future__ import annotations

from collections.abc import Mapping

from potluck.core.asks import Ask, Kind, Task
from potluck.core.plan import Plan
from potluck.core.rounds import Abort
from potluck.dp.account import Cost
from potluck.dp.bound import Noised, privacy
from potluck.dp.composition import RunCosts
from potluck.learning.data.table import Table
from potluck.learning.tasks import build
from potluck.parties.learners import owed


def each(plan: Plan) -> Mapping[Kind, Cost]:
    """What one sum of each kind costs; nothing without noise. Raises PlanError: the noise cannot be kept."""
    if plan.privacy.noise == "none":
        return {}
    if plan.task == "fit":
        return {Kind.FIT: owed(plan).cost}
    bounds = {ask.kind: privacy(plan, ask) for ask in sums(plan)}
    return {kind: bound.cost for kind, bound in bounds.items() if isinstance(bound, Noised)}


def sums(plan: Plan) -> list[Ask]:
    """The first sum of each kind that a plan of sums has."""
    task: Task[Table, object] = build(plan)
    first = next(task.lead()).state
    found = []
    for kind in Kind:
        try:
            found.append(task.ask(kind, 0, first))
        except Abort:
            continue  # the plan has no such sum
    return found


def planned(plan: Plan) -> RunCosts | None:
    """All that a run may charge; None without noise. Raises PlanError: the noise cannot be kept."""
    unit, delta = plan.privacy.unit, plan.privacy.delta
    if plan.privacy.noise == "none" or unit is None or delta is None:
        return None
    return RunCosts(unit, delta, {cost: cost.releases for cost in each(plan).values()})
