"""A prediction in words, for an owner or a client."""

from __future__ import annotations

from potluck.core.plan import Plan
from potluck.tasks.words import left_out


def exact(plan: Plan) -> str:
    """What it costs."""
    assert plan.predict is not None
    most = plan.predict.max_rows
    return f"no epsilon: scores are exact; at most {most} are given in this run, and each tells of the model"


def learnt(plan: Plan, me: str) -> str:
    """Whose model scores whose rows."""
    wanted, model = plan.predict, plan.model
    assert wanted is not None
    assert model is not None
    if me == wanted.owner:
        what = f"the model {model.digest} scores up to {wanted.max_rows} rows of {wanted.client}"
        return f"{what}, which alone reads the scores."
    what = f"up to {wanted.max_rows} rows of this site are scored by a model of {wanted.owner}"
    return f"{what}: its columns are named in the run, and the policy is asked about them then.{left_out(plan)}"
