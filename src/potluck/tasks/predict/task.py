"""Private prediction, as one value."""

from __future__ import annotations

from potluck.core.party import site as party
from potluck.core.plan import Plan
from potluck.core.rounds import Credentials, Half, RoundId
from potluck.core.views import View
from potluck.dp.check import check as check_privacy
from potluck.learning import scoring_check, scoring_views
from potluck.mpc.predict import protection as shared
from potluck.tasks.predict import local, site, words
from potluck.tasks.predict.halves import RoundContext, lead
from potluck.tasks.predict.protections import PROTECTIONS, protection
from potluck.tasks.spec import Serving, TaskSpec
from potluck.tee.sum import protection as tee


def _check(plan: Plan) -> tuple[list[str], list[str]]:
    errors, warnings = scoring_check.check(plan)
    more, also = check_privacy(plan)
    minded = [*tee.pauses(plan), *shared.warnings(plan)]
    return [*errors, *more, *protection(plan).check(plan)], [*warnings, *also, *minded]


def _views(plan: Plan) -> list[View]:
    return [*protection(plan).views(plan), *scoring_views.views(plan)]


def _serve(plan: Plan) -> Serving:
    scoring = protection(plan).build(plan)

    def half(round_: RoundId, me: Credentials) -> Half[None]:
        return lead(RoundContext(plan, scoring, round_), me)

    return Serving(half, scoring.close)


PREDICT = TaskSpec(
    learnt=words.learnt,
    exact=words.exact,
    words=lambda plan: list(PROTECTIONS),
    check=_check,
    views=_views,
    first=lambda plan: local.ASK,
    costs=lambda plan: {},
    part=site.part,
    here=local.here,
    keeps=lambda plan: (party(local.spec_of(plan).owner),),
    estimate=local.estimate,
    leave=local.leave,
    document=local.document,
    serve=_serve,
)
