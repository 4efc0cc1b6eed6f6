"""One table: a plan's word -> its task. A new task is one folder and one line here, and its facts in `core.traits`."""

from collections.abc import Mapping

from potluck.core.asks import Kind
from potluck.core.plan import Plan
from potluck.core.registry import Registry
from potluck.core.views import View
from potluck.dp.account import Cost
from potluck.dp.composition import RunCosts
from potluck.tasks import carrier
from potluck.tasks.evaluate.task import EVALUATE
from potluck.tasks.fit.task import FIT
from potluck.tasks.intersect.task import INTERSECT
from potluck.tasks.predict.task import PREDICT
from potluck.tasks.rules import errors_of
from potluck.tasks.spec import TaskSpec
from potluck.tasks.statistics.task import STATISTICS
from potluck.tasks.synthesize.task import SYNTHESIZE
from potluck.tasks.train.task import TRAIN

TASKS: Registry[TaskSpec] = Registry("task")
TASKS.register("train", TRAIN)
TASKS.register("statistics", STATISTICS)
TASKS.register("evaluate", EVALUATE)
TASKS.register("fit", FIT)
TASKS.register("predict", PREDICT)
TASKS.register("intersect", INTERSECT)
TASKS.register("synthesize", SYNTHESIZE)


def task_of(plan: Plan) -> TaskSpec:
    """The task of a plan."""
    return TASKS.of(plan.task)


def _words(plan: Plan) -> list[str]:
    """What is wrong with the protection's word for this task."""
    task = task_of(plan)
    known = task.words(plan)
    if plan.protect.scheme in known:
        return []
    wrong = task.unknown(plan)
    if wrong is not None:
        return [wrong]
    what = f'"{plan.protect.scheme}" does not carry out task = "{plan.task}"'
    return [f"protect.with: {what}. hint: known for it: {', '.join(known) or 'nothing in this version'}"]


def check(plan: Plan) -> tuple[list[str], list[str]]:
    """(errors, warnings): everything that keeps a plan from running as promised, and what to mind."""
    wrong = [*errors_of(plan), *_words(plan)]
    return (wrong, []) if wrong else task_of(plan).check(plan)


def views(plan: Plan) -> list[View]:
    """Who could see what: the task's claims, and what follows for the broker that carries letters."""
    seen = task_of(plan).views(plan)
    return [*seen, *carrier.views(plan, seen)]


def costs(plan: Plan) -> Mapping[Kind, Cost]:
    """What one sum of each kind costs; nothing without noise. Raises PlanError: the noise cannot be kept."""
    return task_of(plan).costs(plan) if plan.noisy else {}


def planned(plan: Plan) -> RunCosts | None:
    """All that a run may charge, redone sums included; None without noise. Raises PlanError as `costs`."""
    unit, delta = plan.privacy.unit, plan.privacy.delta
    if not plan.noisy or unit is None or delta is None:
        return None
    return RunCosts(unit, delta, {cost: cost.releases for cost in costs(plan).values()})
