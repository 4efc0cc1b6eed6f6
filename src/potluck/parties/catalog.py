"""One table: (task, word) -> the room that computes it. A new protection is one file and one line here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import msgspec

from potluck.core.party import site
from potluck.core.plan import Plan
from potluck.core.predicting import Predict
from potluck.core.rounds import Sum
from potluck.core.views import View
from potluck.dp.check import check as check_privacy
from potluck.he import predict
from potluck.he import sum as he
from potluck.he.circuit import Forecast, Outline
from potluck.he.predict import Predicting
from potluck.learning.check import check as check_task
from potluck.learning.views import views as task_views
from potluck.mpc import clear
from potluck.mpc.mask import sum as mask
from potluck.mpc.predict import scores as shared
from potluck.mpc.psi import check as psi_check
from potluck.mpc.psi import views as psi_views
from potluck.mpc.share import sum as share
from potluck.parties import carrier, learners
from potluck.parties.rules import errors_of
from potluck.tee import predict as enclave
from potluck.tee import sum as tee
from potluck.tee.demand import Demand
from potluck.tee.sum_views import unprotected


class Meet(Protocol):
    """The three halves of a plan's prediction, for a party of this process."""

    def __call__(self, plan: Plan, demand: Demand | None = None) -> Predict: ...


class Build(Protocol):
    """The two halves of a plan's sums, for a party of this process."""

    def __call__(self, plan: Plan, demand: Demand | None = None) -> Sum: ...


@dataclass(frozen=True, slots=True)
class Row:
    """check: what of a plan it cannot keep; views: who sees what; build: the two halves. The first two need no keys.

    build takes what an owner demands of an enclave beside the plan; who has no enclave heeds it not. apart: the same
    for a process in which nobody computes, where that needs less.
    """

    check: Callable[[Plan], list[str]]
    views: Callable[[Plan], list[View]]
    build: Build
    apart: Build | None = None


@dataclass(frozen=True, slots=True)
class Scoring:
    """The same of a prediction. problems, forecast: of a model's outline, which a plan may not know; build: the three
    halves, as `Row`. engine: what owner and client need installed, None where that is nothing; computes: what a compute
    party does. check: what of the plan it cannot keep."""

    views: Callable[[Plan], list[View]]
    problems: Callable[[Outline], list[str]]
    forecast: Callable[[Outline], Forecast]
    build: Meet
    engine: str | None
    computes: str | None = None
    check: Callable[[Plan], list[str]] = lambda plan: []


def _scored_views(plan: Plan) -> list[View]:
    assert plan.predict is not None
    return predict.views(site(plan.predict.owner), site(plan.predict.client), plan.predict.max_rows)


def _enclosed_views(plan: Plan) -> list[View]:
    assert plan.predict is not None
    ends = site(plan.predict.owner), site(plan.predict.client)
    return enclave.views(*ends, plan.predict.max_rows, unprotected(plan))


def _enclosed_forecast(outline: Outline) -> Forecast:
    """No circuit, hence no parameters: keys counts evidence and the model."""
    return Forecast("none", 0, 0, 0, *enclave.traffic(outline.widths, outline.rows))


def _shared_views(plan: Plan) -> list[View]:
    assert plan.predict is not None
    return shared.views(site(plan.predict.owner), site(plan.predict.client), plan.compute, plan.predict.max_rows)


def _shared_forecast(outline: Outline) -> Forecast:
    """No circuit either: keys counts the model's parts."""
    return Forecast("none", 0, 0, 0, *shared.traffic(outline.widths, outline.rows, outline.compute))


_CLEAR: Row = Row(clear.check, clear.views, lambda plan, demand=None: clear.Clear())
_MASK: Row = Row(mask.check, mask.views, lambda plan, demand=None: mask.build(plan))
_SHARE: Row = Row(
    share.check, share.views, lambda plan, demand=None: share.build(plan), lambda plan, demand=None: share.apart(plan)
)
_HE: Row = Row(he.check, he.views, lambda plan, demand=None: he.build(plan))
_TEE: Row = Row(tee.check, tee.views, tee.build)
ROBUST = "robust"
"""Training by a rule that is no sum: a row of its own."""

CATALOG: dict[tuple[str, str], Row] = {
    ("train", "clear"): _CLEAR,
    ("train", "mask"): _MASK,
    ("train", "share"): _SHARE,
    ("train", "he"): _HE,
    ("train", "tee"): _TEE,
    (ROBUST, "tee"): _TEE,
    ("statistics", "clear"): _CLEAR,
    ("statistics", "mask"): _MASK,
    ("statistics", "share"): _SHARE,
    ("statistics", "he"): _HE,
    ("statistics", "tee"): _TEE,
}


PREDICTIONS: dict[tuple[str, str], Scoring] = {
    ("predict", "he"): Scoring(
        _scored_views, predict.problems, predict.forecast, lambda plan, demand=None: Predicting(), "he"
    ),
    ("predict", "tee"): Scoring(
        _enclosed_views,
        lambda outline: enclave.problems(outline.widths, outline.rows),
        _enclosed_forecast,
        enclave.build,
        None,
    ),
    ("predict", "share"): Scoring(
        _shared_views,
        lambda outline: shared.problems(outline.widths, outline.rows),
        _shared_forecast,
        lambda plan, demand=None: shared.build(plan),
        None,
        "mpc",
        shared.check,
    ),
}


@dataclass(frozen=True, slots=True)
class Joint:
    """The same of what owners of different columns do together. check: (errors, warnings) of the whole plan."""

    check: Callable[[Plan], tuple[list[str], list[str]]]
    views: Callable[[Plan], list[View]]


JOINT: dict[tuple[str, str], Joint] = {
    ("intersect", "psi"): Joint(psi_check.check, psi_views.views),
    ("fit", "share"): Joint(learners.check, learners.views),
}


def row(plan: Plan) -> Row:
    """The room for this plan's sums."""
    return CATALOG[_kind(plan), plan.protect.scheme]


def _kind(plan: Plan) -> str:
    robust = plan.task == "train" and plan.training is not None and plan.training.aggregation != "mean"
    return ROBUST if robust else plan.task


def apart(plan: Plan, demand: Demand | None = None) -> Sum:
    """The halves of a site or server whose process computes nothing for others: compute parties have their own."""
    room = row(plan)
    return (room.apart or room.build)(plan, demand)


def rehearsed(plan: Plan) -> Sum:
    """Both halves for a rehearsal on numbers of no one, in this process: where the plan names an enclave, a simulated
    one."""
    return row(plan).build(_simulated(plan))


def met(plan: Plan) -> Predict:
    """The three halves for a rehearsal, as `rehearsed`."""
    return prediction(plan).build(_simulated(plan))


def _simulated(plan: Plan) -> Plan:
    return msgspec.structs.replace(plan, protect=msgspec.structs.replace(plan.protect, enclave="simulated"))


def prediction(plan: Plan) -> Scoring:
    """The room for this plan's prediction."""
    return PREDICTIONS[plan.task, plan.protect.scheme]


def _words(plan: Plan) -> list[str]:
    """What is wrong with the protection's word for this task."""
    kind = _kind(plan)
    known = [word for task, word in (*CATALOG, *PREDICTIONS, *JOINT) if task == kind]
    if plan.protect.scheme in known:
        return []
    if kind == ROBUST and plan.training is not None:
        what = f'"{plan.training.aggregation}" needs each update by itself, which "{plan.protect.scheme}" does not join'
        return [f'training.aggregation: {what}. hint: protect.with = "tee", or training.aggregation = "mean"']
    what = f'"{plan.protect.scheme}" does not carry out task = "{plan.task}"'
    return [f"protect.with: {what}. hint: known for it: {', '.join(known) or 'nothing in this version'}"]


def check(plan: Plan) -> tuple[list[str], list[str]]:
    """(errors, warnings): everything that keeps a plan from running as promised, and what to mind."""
    wrong = [*errors_of(plan), *_words(plan)]
    if wrong:
        return wrong, []
    if (plan.task, plan.protect.scheme) in JOINT:
        return JOINT[plan.task, plan.protect.scheme].check(plan)
    errors, warnings = check_task(plan)
    more, also = check_privacy(plan)
    room = (prediction(plan) if plan.task == "predict" else row(plan)).check(plan)
    return [*errors, *more, *room], [*warnings, *also, *tee.pauses(plan), *shared.warnings(plan)]


def views(plan: Plan) -> list[View]:
    """Who could see what: the protection's claims, the task's, and what follows for the broker that carries letters."""
    if (plan.task, plan.protect.scheme) in JOINT:
        seen = JOINT[plan.task, plan.protect.scheme].views(plan)
        return [*seen, *carrier.views(plan, seen)]
    room = prediction(plan) if plan.task == "predict" else row(plan)
    seen = room.views(plan)
    seen = [*seen, *task_views(plan, seen)]
    return [*seen, *carrier.views(plan, seen)]
