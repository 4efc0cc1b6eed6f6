"""A plan that goes on from the model of an earlier run: its weights are the first ones, and no part of the plan's JSON.

The plan names the model by the digest of its file (`model.first`), which enters the plan's hash. Plan and weights alone
give that file's bytes, so whoever is sent weights needs no file to compare (`models.sent`). A graph has its weights in
its own file: see `models.graphs`.
"""

from collections.abc import Callable

import numpy as np

from potluck.core.errors import PlanError
from potluck.core.plan import Plan
from potluck.core.stages import Floats

NOT_HERE = 'model.first: that model is not here. hint: start = "earlier/model.json", as an earlier run wrote it'


class Started(Plan, frozen=True, kw_only=True):
    """A plan whose first weights are at hand. weights: [d] float64, little-endian."""

    weights: bytes


def started(plan: Plan, weights: bytes) -> Started:
    """The plan with its first weights. Whoever calls has compared the digest."""
    return Started(**{name: getattr(plan, name) for name in Plan.__struct_fields__}, weights=weights)


def first(plan: Plan, otherwise: Callable[[], Floats]) -> Floats:
    """The weights [d] that training begins with. otherwise: as the kind of model begins. Raises PlanError: the plan
    names a model, and it is not here."""
    if isinstance(plan, Started):
        return np.frombuffer(plan.weights, "<f8").astype(np.float64)
    if plan.begun:
        raise PlanError("model.first: that model is not here", where=plan.name, hint="model.start")
    return otherwise()
