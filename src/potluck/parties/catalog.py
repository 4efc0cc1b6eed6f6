"""One table: (task, word) -> the room that computes it. A new protection is one file and one line here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from potluck.core.plan import Plan
from potluck.core.rounds import Sum
from potluck.core.views import View
from potluck.dp.check import check as check_privacy
from potluck.fl.check import check as check_task
from potluck.fl.views import views as task_views
from potluck.mpc import clear, mask
from potluck.parties import carrier
from potluck.parties.rules import errors_of


@dataclass(frozen=True, slots=True)
class Row:
    """check: what of a plan it cannot keep; views: who sees what; build: the two halves. The first two need no keys."""

    check: Callable[[Plan], list[str]]
    views: Callable[[Plan], list[View]]
    build: Callable[[Plan], Sum]


_CLEAR = Row(clear.check, clear.views, lambda plan: clear.Clear())
_MASK = Row(mask.check, mask.views, mask.build)

CATALOG: dict[tuple[str, str], Row] = {
    ("train", "clear"): _CLEAR,
    ("train", "mask"): _MASK,
    ("statistics", "clear"): _CLEAR,
    ("statistics", "mask"): _MASK,
}


def row(plan: Plan) -> Row:
    """The room for this plan."""
    return CATALOG[plan.task, plan.protect.word]


def check(plan: Plan) -> tuple[list[str], list[str]]:
    """(errors, warnings): everything that keeps a plan from running as promised, and what to mind."""
    wrong = errors_of(plan)
    if wrong:
        return wrong, []
    errors, warnings = check_task(plan)
    more, also = check_privacy(plan)
    return [*errors, *more, *row(plan).check(plan)], [*warnings, *also]


def views(plan: Plan) -> list[View]:
    """Who could see what: the protection's claims, the task's, and what follows for the broker that carries letters."""
    seen = [*row(plan).views(plan), *task_views(plan)]
    return [*seen, *carrier.views(plan, seen)]
