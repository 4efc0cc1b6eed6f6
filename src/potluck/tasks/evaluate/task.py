"""Finished models on rows at different owners, as one value."""

from potluck.core.plan import Plan, required
from potluck.core.prose import listed
from potluck.core.views import View
from potluck.dp.check import check as check_privacy
from potluck.learning import gist
from potluck.learning.data.target import goal_of
from potluck.learning.evaluation.finished import cells
from potluck.learning.evaluation.finished.check import check as check_task
from potluck.learning.evaluation.finished.views import views as task_views
from potluck.learning.models.finished.finished import models_of
from potluck.learning.models.kinds import MODELS
from potluck.learning.models.model import Model
from potluck.tasks.evaluate.document import document, told
from potluck.tasks.spec import EXACT, TaskSpec
from potluck.tasks.sums import costs, estimate, local, site, task
from potluck.tasks.sums.protections import row
from potluck.tasks.words import columns, left_out
from potluck.tee.sum import protection as tee


def _check(plan: Plan) -> tuple[list[str], list[str]]:
    errors, warnings = check_task(plan)
    if errors:
        return errors, warnings  # others may look at columns that only the model says
    more, also = check_privacy(plan)
    return [*more, *row(plan).check(plan)], [*warnings, *also, *tee.pauses(plan)]


def _views(plan: Plan) -> list[View]:
    seen = row(plan).views(plan)
    return [*seen, *task_views(plan, seen)]


def _learnt(plan: Plan, me: str) -> str:
    digests, models = required(plan.model).digests, models_of(plan)
    if not models:
        return f"how well models do that are not here: {listed(digests)}."
    spec, goal = required(plan.evaluate), goal_of(plan)
    size = sum(block.size for block in cells.blocks(plan))
    each = "; ".join(f"{_model(one)} ({digest})" for one, digest in zip(models, digests, strict=True))
    by = f", apart for each value of {spec.by!r}" if spec.by else ""
    what = f"how well {each} predicts {listed([repr(name) for name in goal.names])}{by}"
    sums = f"All rows give one sum of {size:,} numbers: counts of rows by bin of score"
    made = (
        "A model's file does not say who made it: it comes from whoever asks, and its digest says that it is this one"
    )
    return f"{what}. {sums}. {made}. It reads the columns {columns(plan)}.{left_out(plan)}"


def _model(one: Model) -> str:
    return f"{MODELS.of(one.kind).title} of {len(one.encoding.fields)} columns"


def _exact(plan: Plan) -> str:
    made = "a model can be made so that one of the counts is of a single person: trust who asks, or ask for noise"
    return f"{EXACT}; {made}"


EVALUATE = TaskSpec(
    learnt=_learnt,
    result=lambda plan: "the numbers are with the coordinator's server, which may pass them on",
    gist=lambda plan: gist.said(plan, "how many rows each model judges how, by group"),
    exact=_exact,
    words=task.every,
    check=_check,
    views=_views,
    first=costs.first,
    costs=costs.costs,
    part=site.part,
    here=local.here,
    estimate=estimate.estimate,
    leave=lambda outcome, folder: None,
    document=document,
    told=told,
)
