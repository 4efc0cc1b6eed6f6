"""The sums of a plan as their costs and their noise are reckoned from them, before any of them is asked for."""

from collections.abc import Mapping

from potluck.core.asks import Ask, Kind, Task
from potluck.core.errors import PlanError
from potluck.core.plan import Plan
from potluck.core.rounds import Abort
from potluck.dp.account import Cost
from potluck.dp.mechanism import Exact, mechanism
from potluck.learning.data.table import Table
from potluck.learning.loops import build
from potluck.learning.models.layers import MOST_VALUES
from potluck.tasks.participation import impossible


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


def costs(plan: Plan) -> Mapping[Kind, Cost]:
    """What one sum of each kind costs. Raises PlanError: the noise cannot be kept."""
    bounds = {ask.kind: mechanism(plan, ask) for ask in sums(plan)}
    return {kind: bound.cost for kind, bound in bounds.items() if not isinstance(bound, Exact)}


def calibrate(plan: Plan) -> None:
    """Reckon the noise of every sum once, before the answer: it can take seconds, and a round's patience is short.

    Raises Denied: a sum cannot be computed with, so no row is read for it.
    """
    for ask in sums(plan):
        try:
            mechanism(plan, ask)
        except PlanError as error:
            raise impossible(str(error)) from None


def first(plan: Plan) -> Ask:
    """The plan's first sum. Raises Denied: nobody has room for it."""
    ask = next(build(plan).lead())
    values = sum(block.size for block in ask.blocks)
    if values > MOST_VALUES:
        raise impossible(f"a sum has {values} values")
    return ask
