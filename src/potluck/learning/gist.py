"""What the server learns from a plan's sums, in plain words for whoever decides. The exact words are `views.opened`.

It leaves out what a sum is made of, and never whether noise is in it, or whether the server reads one site's alone.
"""

from potluck.core.plan import Plan
from potluck.learning.data.declared import declared
from potluck.learning.data.target import goal_of
from potluck.learning.evaluation import evaluate
from potluck.learning.models.fitted import training
from potluck.learning.training.methods import METHODS


def trained(plan: Plan) -> str:
    """Of a plan that trains."""
    spec, goal = training(plan), goal_of(plan)
    gaps = [name for name, one in declared(plan).items() if one.missing == "mean"]
    first = f"first the means of {', '.join(gaps)}; then " if gaps else ""
    what = "how the sites' models should change" if spec.aggregation != "mean" else METHODS.of(spec.method).gist(plan)
    rows = "" if plan.noisy else ", and how many rows there are"
    right = "how far the model is off" if goal.side == "number" else "how often the model is right"
    looks = f", and {right} on validation rows" if plan.looks else ""
    tested = evaluate.allowed(plan) and plan.data.split is not None
    then = f"; at the end {right}" if tested else ""
    folds = f"; all of it again for each of {plan.trainings - 1} folds" if plan.trainings > 1 else ""
    return said(plan, f"{first}round by round {what}{rows}{looks}{then}{folds}", plan.traits.labelled)


def said(plan: Plan, what: str, asked: bool = False) -> str:
    """The sentences. what: the server learns; asked: whether it chooses anything at which sums are asked for."""
    alone = not plan.protect.facts.hides or plan.exposed
    of = "also of this site by itself" if alone else "of all sites together"
    more = ""
    if not plan.noisy:
        blur, more = "exactly", ". Where few rows are behind a number, it can tell of one"
        lies = asked and plan.federation.server == "lying"
        more += "; a server that lies can single out rows, which only noise prevents" if lies else ""
    elif plan.privacy.noise == "reveal" and (plan.exposed or not plan.enclosed):
        blur = "exactly: it adds the noise afterwards"
    else:
        blur = "blurred by noise"
    return f"the server learns {what}. That is {of}, {blur}{more}"
