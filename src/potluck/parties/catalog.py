"""One table: (task, word) -> the room that computes it. A new protection is one file and one line here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from potluck.core.party import site
from potluck.core.plan import Plan
from potluck.core.predicting import Predict
from potluck.core.rounds import Sum
from potluck.core.views import View
from potluck.dp.check import check as check_privacy
from potluck.fl.check import check as check_task
from potluck.fl.views import views as task_views
from potluck.he import predict
from potluck.he import sum as he
from potluck.he.circuit import Forecast, Outline
from potluck.he.predict import Predicting
from potluck.mpc import clear, mask
from potluck.parties import carrier
from potluck.parties.rules import errors_of


@dataclass(frozen=True, slots=True)
class Row:
    """check: what of a plan it cannot keep; views: who sees what; build: the two halves. The first two need no keys."""

    check: Callable[[Plan], list[str]]
    views: Callable[[Plan], list[View]]
    build: Callable[[Plan], Sum]


@dataclass(frozen=True, slots=True)
class Scoring:
    """The same of a prediction. problems, forecast: of a model's outline, which a plan may not know; build: the three
    halves. engine: what `build` needs installed, None where that is nothing."""

    views: Callable[[Plan], list[View]]
    problems: Callable[[Outline], list[str]]
    forecast: Callable[[Outline], Forecast]
    build: Callable[[Plan], Predict]
    engine: str | None


def _scored_views(plan: Plan) -> list[View]:
    assert plan.predict is not None
    return predict.views(site(plan.predict.owner), site(plan.predict.client), plan.predict.max_rows)


_CLEAR: Row = Row(clear.check, clear.views, lambda plan: clear.Clear())
_MASK: Row = Row(mask.check, mask.views, mask.build)
_HE: Row = Row(he.check, he.views, he.build)

CATALOG: dict[tuple[str, str], Row] = {
    ("train", "clear"): _CLEAR,
    ("train", "mask"): _MASK,
    ("train", "he"): _HE,
    ("statistics", "clear"): _CLEAR,
    ("statistics", "mask"): _MASK,
    ("statistics", "he"): _HE,
}


PREDICTIONS: dict[tuple[str, str], Scoring] = {
    ("predict", "he"): Scoring(_scored_views, predict.problems, predict.forecast, lambda plan: Predicting(), "he"),
}


def row(plan: Plan) -> Row:
    """The room for this plan's sums."""
    return CATALOG[plan.task, plan.protect.word]


def prediction(plan: Plan) -> Scoring:
    """The room for this plan's prediction."""
    return PREDICTIONS[plan.task, plan.protect.word]


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
    room = [] if plan.task == "predict" else row(plan).check(plan)
    return [*errors, *more, *room], [*warnings, *also]


def views(plan: Plan) -> list[View]:
    """Who could see what: the protection's claims, the task's, and what follows for the broker that carries letters."""
    room = prediction(plan) if plan.task == "predict" else row(plan)
    seen = [*room.views(plan), *task_views(plan)]
    return [*seen, *carrier.views(plan, seen)]
