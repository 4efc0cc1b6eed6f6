"""An intersection, as one value."""

from __future__ import annotations

from potluck.mpc.psi import check, views
from potluck.tasks.intersect import local, site, words
from potluck.tasks.intersect.halves import Intersected, RoundContext, conduct
from potluck.tasks.spec import Serving, TaskSpec

INTERSECT = TaskSpec(
    learnt=words.learnt,
    exact=lambda plan: words.EXACT,
    words=lambda plan: ["psi"],
    check=check.check,
    views=views.views,
    first=lambda plan: local.ASK,
    costs=lambda plan: {},
    part=site.part,
    here=local.here,
    estimate=local.estimate,
    leave=local.leave,
    document=local.document,
    afar=lambda: Intersected(None),
    serve=lambda plan: Serving(lambda round_, me: conduct(RoundContext(plan, round_), me)),
)
