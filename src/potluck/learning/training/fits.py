"""The kinds of model that are fitted over columns at different owners, a line each."""

from __future__ import annotations

from potluck.core.plan import Plan
from potluck.core.registry import Registry
from potluck.learning.training.fit import Fitting
from potluck.learning.training.fit_linear import REGRESSION
from potluck.learning.training.fit_trees import TREES

FITS: Registry[Fitting] = Registry("model.kind")
FITS.register("linear", REGRESSION)
FITS.register("logistic", REGRESSION)
FITS.register("trees", TREES)


def fit_of(plan: Plan) -> Fitting:
    """How a plan's kind of model is fitted. Raises PlanError: it is not."""
    return FITS.of(plan.model.kind if plan.model else None)
