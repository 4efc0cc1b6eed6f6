"""One table: (task, word) -> the room that computes it. A new protection is one file and one line here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from potluck.core.plan import Plan
from potluck.core.predicting import Predict
from potluck.core.rounds import Sum
from potluck.core.views import View
from potluck.dp.check import check as check_privacy
from potluck.fl.check import check as check_task
from potluck.fl.views import views as task_views
from potluck.he import sum as he
from potluck.mpc import clear, mask
from potluck.parties import carrier
from potluck.parties.rules import errors_of

P = TypeVar("P", Sum, Predict)


@dataclass(frozen=True, slots=True)
class Row(Generic[P]):
    """check: what of a plan it cannot keep; views: who sees what; build: the halves. The first two need no keys."""

    check: Callable[[Plan], list[str]]
    views: Callable[[Plan], list[View]]
    build: Callable[[Plan], P]


_CLEAR: Row[Sum] = Row(clear.check, clear.views, lambda plan: clear.Clear())
_MASK: Row[Sum] = Row(mask.check, mask.views, mask.build)
_HE: Row[Sum] = Row(he.check, he.views, he.build)

CATALOG: dict[tuple[str, str], Row[Sum]] = {
    ("train", "clear"): _CLEAR,
    ("train", "mask"): _MASK,
    ("train", "he"): _HE,
    ("statistics", "clear"): _CLEAR,
    ("statistics", "mask"): _MASK,
    ("statistics", "he"): _HE,
}


PREDICTIONS: dict[tuple[str, str], Row[Predict]] = {}


def row(plan: Plan) -> Row[Sum]:
    """The room for this plan's sums."""
    return CATALOG[plan.task, plan.protect.word]


def prediction(plan: Plan) -> Row[Predict]:
    """The room for this plan's prediction."""
    return PREDICTIONS[plan.task, plan.protect.word]


def _room(plan: Plan) -> Row[Sum] | Row[Predict]:
    return prediction(plan) if plan.task == "predict" else row(plan)


def _words(plan: Plan) -> list[str]:
    """What is wrong with the protection's word for this task."""
    known = [word for task, word in (*CATALOG, *PREDICTIONS) if task == plan.task]
    if plan.protect.word in known:
        return []
    what = f'"{plan.protect.word}" does not carry out task = "{plan.task}"'
    return [f"protect.with: {what}. hint: known for it: {', '.join(known) or 'nothing in this version'}"]


def check(plan: Plan) -> tuple[list[str], list[str]]:
    """(errors, warnings): everything that keeps a plan from running as promised, and what to mind."""
    wrong = [*errors_of(plan), *_words(plan)]
    if wrong:
        return wrong, []
    errors, warnings = check_task(plan)
    more, also = check_privacy(plan)
    return [*errors, *more, *_room(plan).check(plan)], [*warnings, *also]


def views(plan: Plan) -> list[View]:
    """Who could see what: the protection's claims, the task's, and what follows for the broker that carries letters."""
    seen = [*_room(plan).views(plan), *task_views(plan)]
    return [*seen, *carrier.views(plan, seen)]
