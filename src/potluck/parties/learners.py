"""What can be fitted over columns at different owners: one learner a kind of model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from potluck.core.fitting import Array, Recipe
from potluck.core.party import Party
from potluck.core.plan import Plan
from potluck.core.stages import Floats
from potluck.core.views import View
from potluck.fl import fit_check
from potluck.fl.columns import Columns, target_owner
from potluck.fl.fit_linear import Regression, solved
from potluck.fl.fit_trees import Boosting, grown
from potluck.fl.model import Model
from potluck.fl.tasks import Trained
from potluck.mpc import fit_check as mpc_check
from potluck.mpc import fit_views


class Learner(Protocol):
    """A model's program, from public numbers; an owner's part of its arguments; and what its results say."""

    def recipe(self, train: int, test: int) -> Recipe: ...

    def shared(self, owner: str, columns: Columns) -> list[Array]: ...

    def outcome(self, opened: Sequence[Array], train: int, test: int) -> Trained: ...


def learner(plan: Plan) -> Learner:
    """The learner of a plan that `check` finds nothing wrong with."""
    if plan.model is not None and plan.model.kind == "trees":
        return Boosting(plan)
    return Regression(plan)


def plain(plan: Plan, features: Floats, target: Floats) -> Model:
    """The model that features [n, p] in the plan's order and target [n] give in one place. Raises DataError."""
    make = grown if plan.model is not None and plan.model.kind == "trees" else solved
    return make(plan, features, target)


def check(plan: Plan) -> tuple[list[str], list[str]]:
    """(errors, warnings) of a plan that fits over columns at different owners."""
    return [*mpc_check.check(plan), *fit_check.check(plan)], [*mpc_check.warnings(plan), *fit_check.warnings(plan)]


def readers(plan: Plan) -> tuple[Party, ...]:
    """Who reads the model: whom [fit] names, else the target's owner."""
    names = plan.fit.to if plan.fit and plan.fit.to else (target_owner(plan),)
    return tuple(one for one in plan.sites if one.name in names)


def views(plan: Plan) -> list[View]:
    """Who sees what of a fit."""
    return fit_views.views(plan, readers(plan))
