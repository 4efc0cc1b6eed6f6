"""Statistics over rows at different owners, as one value."""

from pathlib import Path

from potluck.core.plan import Plan, Statistic
from potluck.core.tables.statistic import counted
from potluck.learning import gist
from potluck.learning.statistics.asked import asks, unit_of
from potluck.learning.statistics.kinds import kind_of
from potluck.learning.statistics.statistics import Counted
from potluck.tasks.here import Beside, Json, Outcome
from potluck.tasks.shown import Told
from potluck.tasks.sources import held
from potluck.tasks.spec import TaskSpec
from potluck.tasks.sums import costs, estimate, local, site, task
from potluck.tasks.words import columns, left_out


def _document(outcome: Outcome, plan: Plan, folder: Path, beside: Beside) -> Json:
    assert isinstance(outcome, Counted)
    return {"results": outcome.document()}


def _told(outcome: Outcome, plan: Plan) -> list[Told]:
    found = outcome.results if isinstance(outcome, Counted) else {}
    shown = {one.name: found[one.name].shown(plan, one) if one.name in found else () for one in plan.statistics}
    return [
        Told(one.name, asks(plan, one), shown[one.name], unit_of(plan, one), kind_of(one).least)
        for one in plan.statistics
    ]


def _learnt(plan: Plan, me: str) -> str:
    what = f"statistics: {', '.join(map(_statistic, plan.statistics))}"
    more = f" Those of several rounds take up to {plan.sums} sums." if plan.sums > 1 else ""
    return f"{what}. It reads the columns {columns(plan)}.{more}{left_out(plan)}"


def _gist(plan: Plan) -> str:
    steps = f", and what leads to them in up to {plan.sums} sums" if plan.sums > 1 else ""
    return gist.said(plan, f"these statistics{steps}", plan.sums > 1)


def _statistic(one: Statistic) -> str:
    """What is counted, by the plan's columns: its name may say anything."""
    of = " and ".join(map(repr, counted(one)))
    kind = f"{one.test} {one.kind}" if one.test else one.kind
    return f"{kind}{f' of {of}' if of else ''}{f' by {one.by!r}' if one.by else ''}, called {one.name!r}"


STATISTICS = TaskSpec(
    learnt=_learnt,
    gist=_gist,
    result=lambda plan: "the statistics are with the coordinator's server, which may pass them on",
    words=task.every,
    check=task.check,
    views=task.views,
    first=costs.first,
    costs=costs.costs,
    part=site.part,
    here=local.here,
    estimate=estimate.estimate,
    truth=held,
    leave=lambda outcome, folder: None,
    document=_document,
    told=_told,
)
