"""A fit over columns at different owners, as one value."""

from __future__ import annotations

from potluck.core.asks import Kind
from potluck.tasks import trained
from potluck.tasks.fit import learners, local, site, words
from potluck.tasks.fit.halves import RoundContext, direct
from potluck.tasks.spec import Serving, TaskSpec

FIT = TaskSpec(
    learnt=words.learnt,
    exact=lambda plan: words.EXACT,
    words=lambda plan: ["share"],
    check=learners.check,
    views=learners.views,
    first=lambda plan: local.ASK,
    costs=lambda plan: {Kind.FIT: learners.owed(plan).cost},
    part=site.part,
    here=local.here,
    estimate=local.estimate,
    leave=trained.leave,
    document=trained.document,
    serve=lambda plan: Serving(lambda round_, me: direct(RoundContext(plan, round_), me)),
)
