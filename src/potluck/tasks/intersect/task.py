"""An intersection, as one value."""

from potluck.core.plan import Plan, required
from potluck.mpc.psi import check, views
from potluck.tasks.announcement import RoundContext
from potluck.tasks.intersect import local, site
from potluck.tasks.intersect.halves import Intersected, conduct
from potluck.tasks.intersect.report import shown
from potluck.tasks.spec import Serving, TaskSpec
from potluck.tasks.words import no_value

EXACT = "no epsilon: what it shows is exact; whoever puts in keys that it made up learns which of them all have"


def _to(plan: Plan) -> list[str]:
    spec = required(plan.align)
    return [name for name in plan.federation.sites if not spec.to or name in spec.to]


def _learnt(plan: Plan, me: str) -> str:
    """Who learns what of whose keys."""
    spec = required(plan.align)
    to = _to(plan)
    what = "how many keys all have in common" if spec.reveal == "size" else "which of their own keys all others have"
    mine = "" if me in to else "; this site learns nothing but how many keys each has"
    twice = " A key that is there twice counts once." if spec.duplicates == "first" else ""
    return f"{', '.join(to)} learn {what}, by the columns {', '.join(spec.keys)}{mine}.{twice}{no_value(plan)}"


INTERSECT = TaskSpec(
    learnt=_learnt,
    result=lambda plan: f"that is with {', '.join(_to(plan))}",
    exact=lambda plan: EXACT,
    words=lambda plan: ["psi"],
    check=check.check,
    views=views.views,
    costs=lambda plan: {},
    part=site.part,
    here=local.here,
    estimate=local.estimate,
    truth=local.truth,
    leave=local.leave,
    document=local.document,
    shown=shown,
    elsewhere=lambda: Intersected(None),
    serve=lambda plan: Serving(lambda round_, me: conduct(RoundContext(plan, round_), me)),
)
