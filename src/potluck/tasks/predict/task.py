"""Private prediction, as one value."""

from potluck.core.party import site as party
from potluck.core.plan import Plan, required
from potluck.core.views import View
from potluck.dp.check import check as check_privacy
from potluck.learning.models import scoring_check
from potluck.learning.views import of_card
from potluck.mpc.predict import protection as shared
from potluck.tasks.predict import local, site
from potluck.tasks.predict.halves import RoundContext, lead
from potluck.tasks.predict.report import shown
from potluck.tasks.predict.scorers import SCORERS, layers_alone, scorer
from potluck.tasks.spec import Serving, TaskSpec
from potluck.tasks.words import left_out
from potluck.tee.sum import protection as tee


def _check(plan: Plan) -> tuple[list[str], list[str]]:
    errors, warnings = scoring_check.check(plan)
    more, also = check_privacy(plan)
    scoring = [*tee.pauses(plan), *shared.warnings(plan)]
    return [*errors, *more, *scorer(plan).check(plan), *layers_alone(plan)], [*warnings, *also, *scoring]


def _views(plan: Plan) -> list[View]:
    return [*scorer(plan).views(plan), *of_card(plan)]


def _serve(plan: Plan) -> Serving:
    scoring = scorer(plan).build(plan, None)
    return Serving(lambda round_, me: lead(RoundContext(plan, scoring, round_), me), scoring.close)


def _exact(plan: Plan) -> str:
    """What it costs."""
    most = local.spec_of(plan).max_rows
    return f"no epsilon: scores are exact; at most {most} are given in this run, and each tells of the model"


def _learnt(plan: Plan, me: str) -> str:
    """Whose model scores whose rows."""
    wanted, model = local.spec_of(plan), required(plan.model)
    if me == wanted.owner:
        what = f"the model {model.digest} scores up to {wanted.max_rows} rows of {wanted.client}"
        return f"{what}, which alone reads the scores."
    what = f"up to {wanted.max_rows} rows of this site are scored by a model of {wanted.owner}"
    return f"{what}: its columns are named in the run, and the policy is asked about them then.{left_out(plan)}"


PREDICT = TaskSpec(
    learnt=_learnt,
    result=lambda plan: f"the scores are with {local.spec_of(plan).client} alone",
    exact=_exact,
    words=lambda plan: SCORERS.words(),
    check=_check,
    views=_views,
    costs=lambda plan: {},
    part=site.part,
    here=local.here,
    keeps=lambda plan: (party(local.spec_of(plan).owner),),
    estimate=local.estimate,
    truth=lambda plan, data: (plan.spec, {}),
    leave=local.leave,
    document=local.document,
    shown=shown,
    serve=_serve,
)
