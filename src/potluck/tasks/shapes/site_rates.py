"""The first sum of a linear model that one site's slope can be read in: it says how that site's target is spread."""

from potluck.core.plan import required
from potluck.learning.data.target import goal_of
from potluck.learning.models.kinds import kind_of
from potluck.learning.training.methods import method_of
from potluck.tasks.shapes.shape import Case, Shape


def _said(case: Case) -> str | None:
    plan = case.plan
    link = kind_of(plan).link
    if plan.noisy or plan.protect.facts.hides or plan.drawn or link is None or plan.begun:
        return None
    if required(plan.training).class_weights or method_of(plan).by_site:
        return None
    shares = "share of each class" if goal_of(plan).outputs > 1 else "rate of positive rows"
    what = shares if link.odds else "mean target"
    says = f"the coordinator reads each site's {what} in the first sum, at zero weights"
    found = "right to 0.005 in every try"
    return f'protect.with: in the clear {says}: {found} (attack rates). hint: with = "mask", or noise of the sites'


SITE_RATES = Shape("rates", _said)
