"""What tasks of sums have in common: their checks and claims beside those of the protection that adds up."""

from potluck.core.plan import Plan
from potluck.core.views import View
from potluck.dp.check import check as check_privacy
from potluck.learning.check import check as check_task
from potluck.learning.views import views as task_views
from potluck.tasks.sums.protections import PROTECTIONS, row
from potluck.tee.sum import protection as tee


def check(plan: Plan) -> tuple[list[str], list[str]]:
    """(errors, warnings) of a plan of sums."""
    errors, warnings = check_task(plan)
    more, also = check_privacy(plan)
    return [*errors, *more, *row(plan).check(plan)], [*warnings, *also, *tee.pauses(plan)]


def views(plan: Plan) -> list[View]:
    """Who sees what of updates, of the sums, and of what comes of them."""
    seen = row(plan).views(plan)
    return [*seen, *task_views(plan, seen)]


def every(plan: Plan) -> tuple[str, ...]:
    """All protections that add up."""
    return PROTECTIONS.words()
