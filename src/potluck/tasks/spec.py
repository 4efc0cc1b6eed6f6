"""What a task is, as one value: all that checks, sites, servers and runners ask of it.

The facts that rooms below need (`core.traits`) stand beside it. It holds no plan, no key and no row.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from potluck.core.asks import Ask, Kind
from potluck.core.party import Party
from potluck.core.plan import Plan
from potluck.core.views import View
from potluck.dp.account import Cost
from potluck.learning.data.table import Table
from potluck.members.home import SiteHome
from potluck.owner.policy import Policy
from potluck.tasks.announcement import only
from potluck.tasks.here import Beside, Elsewhere, Estimate, Here, Json, Outcome
from potluck.tasks.participation import HalfOf, Participation, idle
from potluck.tasks.shown import Measured, Shown, Told
from potluck.tasks.sources import Sources, Written, by_site

EXACT = "no noise: exact sums are released; no epsilon is charged, and none could be stated"


@dataclass(frozen=True, slots=True)
class Serving:
    """How the server carries out a task that is one round. half: its own; close: ends what runs for it."""

    half: HalfOf = field(repr=False)
    close: Callable[[], None] = field(default=idle, repr=False)


def serves_sums(plan: Plan) -> Serving:
    """Of sums the server has a loop, not one half. Raises TypeError."""
    raise TypeError(f"{plan.task} is carried out by sums")


def charged(plan: Plan) -> Sequence[Party]:
    """Whose ledgers are charged: every site's, with noise."""
    return plan.sites if plan.noisy else ()


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskSpec:
    """One task.

    words: the protections that carry out this plan of it; unknown: what is wrong with another one, None where that is
    not more than its name.
    check: (errors, warnings) of a plan whose tables and protection fit the task. views: who sees what.
    first: what is asked first, as all derive it from the plan. costs: what one sum of each kind charges an owner, with
    noise.
    part: what a site or compute party brings to a run, once its owner has agreed. serve: the server's half, of a task
    that is one round; elsewhere: what comes of that where the results are others'.
    here: what all parties bring, where one process has them all; keeps: whose ledgers a run writes; estimate: what a
    run would cost. truth: what attacks on a run are judged by, where all rows are here: the plan, its column patterns
    resolved, and true rows by site; none of a task whose rows no attack is after.
    leave: writes what comes of a run into its folder; document: what the run's document says of it; shown, measured:
    what its report shows beside a model; told: the same in pictures and tables.
    seal: what the server signs of it, in its last word.
    learnt: what an owner of this name is asked for, in a sentence or two; gist: what the server learns of its sums, in
    plain words (empty: it has none); result: who has what comes of it, where it is no model (of that the views say it);
    exact: what a plan without noise costs it.
    """

    words: Callable[[Plan], Sequence[str]]
    check: Callable[[Plan], tuple[list[str], list[str]]]
    views: Callable[[Plan], list[View]]
    first: Callable[[Plan], Ask] = only
    costs: Callable[[Plan], Mapping[Kind, Cost]]
    part: Callable[[Plan, Policy, SiteHome], Participation]
    serve: Callable[[Plan], Serving] = serves_sums
    elsewhere: Callable[[], Outcome] = Elsewhere
    unknown: Callable[[Plan], str | None] = lambda plan: None
    here: Callable[[Written, Sources | None], Here]
    estimate: Callable[[Written, Sources | None], Estimate]
    truth: Callable[[Written, Sources | None], tuple[Plan, Mapping[str, Table]]] = by_site
    leave: Callable[[Outcome, Path], None]
    document: Callable[[Outcome, Plan, Path, Beside], Json]
    shown: Callable[[Outcome, Plan, Beside], Shown | None] = lambda outcome, plan, beside: None
    measured: Callable[[Plan, Beside], Sequence[Measured]] = lambda plan, beside: ()
    told: Callable[[Outcome, Plan], Sequence[Told]] = lambda outcome, plan: ()
    seal: Callable[[Outcome], bytes] = lambda outcome: b""
    learnt: Callable[[Plan, str], str]
    gist: Callable[[Plan], str] = lambda plan: ""
    result: Callable[[Plan], str] = lambda plan: ""
    exact: Callable[[Plan], str] = lambda plan: EXACT
    keeps: Callable[[Plan], Sequence[Party]] = charged
