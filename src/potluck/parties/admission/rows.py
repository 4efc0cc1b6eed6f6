"""Rows that a run was approved for and that are not what its owner took them for: others than it began with, or nearly
those of another exact sum."""

import time

from potluck.core.plan import Plan, digest
from potluck.members.home import SiteHome
from potluck.owner.budget import Budget
from potluck.owner.requests import NEAR, Requests
from potluck.owner.selections import Selections
from potluck.parties.admission.decision import Decision
from potluck.tasks.participation import Participation
from potluck.tasks.tie import TIED, by_order

CHANGED = (
    "the rows here are not those that run {run} of {plan} began with, and it takes no others. Put them back as they "
    "were, or ask the coordinator for a new run (potluck server run --fresh), which will ask for your approval"
)
IN_ORDER = ". This plan's sums depend on the order of rows: they have to come in the same order (SQL: ORDER BY)"


def changed(run: str, name: str, plan: Plan | None) -> str:
    """What the owner is told where the rows are not those that a run began with."""
    return CHANGED.format(run=run, plan=name) + (IN_ORDER if plan is not None and by_order(plan) else "")


def of_rows(
    home: SiteHome, ledger: Budget, requests: Requests, run: str, part: Participation, *, fresh: bool
) -> Decision:
    """What is answered once the rows of an approved run are read. fresh: they were read just now.

    A run that began with other rows does not go on. One that would tell a few rows apart from those of another exact
    sum waits for a person, unless one said yes to these very differences. Else its rows are remembered. Raises
    UsageError, Refused: a file of the owner's.
    """
    plan = part.plan
    if part.tie is not None and ledger.fact(f"{TIED}{run}") not in (None, part.tie.record(run).value):
        part.close()
        return Decision("unable", ("rows_changed",), words=(changed(run, plan.name, plan),))
    if fresh and part.selected is not None:
        selections, hash_ = Selections(home.selections), digest(plan).hex()
        near = selections.near(run, hash_, part.selected)
        if near and not selections.asked(run, near):
            part.close()
            requests.again(run, NEAR)
            selections.note(run, near)
            return Decision("pending", told=near)
        selections.keep(run, plan.name, hash_, part.selected, time.time())
    return Decision("granted", part=part, told=part.told if fresh else None)
