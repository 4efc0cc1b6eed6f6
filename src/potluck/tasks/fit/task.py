"""A fit over columns at different owners, as one value."""

from potluck.core.plan import Plan, required
from potluck.learning.data.columns import least
from potluck.owner.reach import columns_read
from potluck.tasks import trained
from potluck.tasks.announcement import RoundContext, only
from potluck.tasks.fit import learner, local, site
from potluck.tasks.fit.halves import direct
from potluck.tasks.spec import Serving, TaskSpec
from potluck.tasks.words import left_out

EXACT = "no epsilon: the model is exact; who reads it and knows all rows but one can work out that one"


def _learnt(plan: Plan, me: str) -> str:
    """What is learnt, of which rows and columns, and who reads it."""
    training, target = required(plan.training), required(plan.data.target)
    to = ", ".join(party.name for party in learner.readers(plan))
    how = f"{training.method} in {training.rounds} rounds"
    what = f"a {required(plan.model).kind} model of {target.column!r} is fitted on shares by {how}; {to} read it"
    what += "" if plan.noisy else f", of {least(plan)} rows at least that no owner leaves out"
    rows = f"Rows are matched by {', '.join(required(plan.align).keys)}: every site learns which of its own all have"
    return f"{what}. {rows}. Of this site it reads the columns {', '.join(columns_read(plan, me))}.{left_out(plan)}"


FIT = TaskSpec(
    learnt=_learnt,
    exact=lambda plan: EXACT,
    words=lambda plan: ["share"],
    check=learner.check,
    views=learner.views,
    costs=lambda plan: {only(plan).kind: learner.owed(plan).cost},
    part=site.part,
    here=local.here,
    estimate=local.estimate,
    truth=local.truth,
    leave=trained.leave,
    document=trained.document,
    seal=trained.seal,
    serve=lambda plan: Serving(lambda round_, me: direct(RoundContext(plan, round_), me)),
)
