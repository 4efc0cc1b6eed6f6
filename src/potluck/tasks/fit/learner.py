"""The learner of a plan that fits over columns at different owners: its checks, its noise, who reads its model."""

from potluck.core.errors import PlanError
from potluck.core.party import Party, site
from potluck.core.plan import Plan, required
from potluck.core.stages import Floats
from potluck.core.views import View
from potluck.core.wire import dump
from potluck.dp.check import check as check_privacy
from potluck.dp.noise_on_shares import UNIT, Inside, inside
from potluck.learning.data.columns import by_owner, reader_names
from potluck.learning.models.model import Model
from potluck.learning.training import fit_check
from potluck.learning.training.fit import Learner
from potluck.learning.training.methods import fit_of
from potluck.mpc.fit import check as mpc_check
from potluck.mpc.fit import views as fit_views

LOUD = 16.0
"""Standard deviations that are reckoned with: with three shares of noise, 13 of the sum's."""
WIDEST, LONGEST_STEP = 2.0**24, 2.0**10
"""What noise in a sum, and in a step, has room for: products stay below 2^27."""


def learner(plan: Plan) -> Learner:
    """The learner of a plan that `check` finds nothing wrong with."""
    return fit_of(plan).learner(plan, owed(plan).share if plan.noisy else None)


def owed(plan: Plan) -> Inside:
    """The noise of a plan that owes some. Raises PlanError: it cannot be kept."""
    return inside(plan, len(by_owner(plan)) + 1)


def charged(plan: Plan) -> bytes:
    """What a fit costs each owner, as its ledger takes it; empty without noise."""
    return dump(owed(plan).cost) if plan.noisy else b""


def plain(plan: Plan, features: Floats, target: Floats) -> Model:
    """The model that features [n, p] in the plan's order and target [n] give in one place. Raises DataError."""
    return fit_of(plan).plain(plan, features, target)


def check(plan: Plan) -> tuple[list[str], list[str]]:
    """(errors, warnings) of a plan that fits over columns at different owners."""
    wrong, also = check_privacy(plan)
    errors = [*mpc_check.check(plan), *fit_check.check(plan), *wrong]
    if not errors and plan.noisy:
        errors += _kept(plan)
    return errors, [*mpc_check.warnings(plan), *fit_check.warnings(plan), *also]


def _kept(plan: Plan) -> list[str]:
    """What keeps the plan's noise from being what it promises."""
    try:
        noise = owed(plan)
    except PlanError as error:
        return [f"{error.where}: {error.what}. hint: {error.hint}"]
    spec = required(plan.training)
    loud = LOUD * noise.sigma * UNIT
    if loud < WIDEST and loud * spec.rate / required(spec.expected_rows) < LONGEST_STEP:
        return []
    what = "so much noise is beyond what the computation carries"
    return [f"privacy.epsilon: {what}. hint: a lower training.rate or privacy.clip, more epsilon, or more rows"]


def readers(plan: Plan) -> tuple[Party, ...]:
    """Who reads the model, as parties."""
    return tuple(site(name) for name in reader_names(plan))


def views(plan: Plan) -> list[View]:
    """Who sees what of a fit."""
    return fit_views.views(plan, readers(plan), fit_of(plan).tells)
