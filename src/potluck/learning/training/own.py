"""A site's own model at the end of a run, of plans by which each has one: see `training.local`."""

from potluck.core.plan import Plan
from potluck.learning.data.encode import encoding
from potluck.learning.data.table import Table
from potluck.learning.data.target import goal_of
from potluck.learning.evaluation.evaluate import exact
from potluck.learning.models.forms import form_of
from potluck.learning.models.model import model
from potluck.learning.training.local import model_of, personal
from potluck.learning.training.trained import OwnModel


def own_of(plan: Plan, table: Table) -> OwnModel | None:
    """That of the site with these rows; None: the plan has none, or the site took no step. Raises Abort(KEPT)."""
    if not personal(plan):
        return None
    weights = model_of(plan, form_of(plan, goal_of(plan), len(encoding(plan).names)), table.kept)
    if weights is None:
        return None
    found = model(plan, weights, own=True)
    return OwnModel(found, exact(found, [table]), plan.noisy)
