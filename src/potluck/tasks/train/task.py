"""Training on rows at different owners, as one value."""

from potluck.core.plan import Plan, required
from potluck.learning import folds, gist, voting
from potluck.learning.data.target import goal_of
from potluck.learning.evaluation import evaluate
from potluck.learning.training.drawn import band, chance
from potluck.learning.training.local import words
from potluck.learning.training.method import held
from potluck.tasks import own, trained, validated
from potluck.tasks.spec import EXACT, TaskSpec
from potluck.tasks.sums import costs, estimate, local, site, task
from potluck.tasks.sums.protections import PROTECTIONS
from potluck.tasks.train.compare import compared
from potluck.tasks.words import columns, left_out

SAID = 10
"""Positive values that a sentence names."""


def _rule(plan: Plan) -> str | None:
    """The rule by which updates are joined, where it is no sum."""
    return plan.training.aggregation if plan.training is not None and plan.training.aggregation != "mean" else None


def _words(plan: Plan) -> list[str]:
    return [word for word in PROTECTIONS.words() if PROTECTIONS.of(word).robust or not _rule(plan)]


def _unknown(plan: Plan) -> str | None:
    rule = _rule(plan)
    if rule is None:
        return None
    what = f'"{rule}" needs each update by itself, which "{plan.protect.scheme}" does not join'
    return f'training.aggregation: {what}. hint: protect.with = "tee", or training.aggregation = "mean"'


def _learnt(plan: Plan, me: str) -> str:
    training, goal = required(plan.training), goal_of(plan)
    most = "at most " if training.stop else ""
    looks = plan.looks // plan.trainings
    then = f", with {most}{looks} looks at validation rows" if looks else ""
    then += f", then its metrics on {evaluate.judging(plan)}" if evaluate.allowed(plan) and plan.data.split else ""
    then += folds.learnt(plan)
    of = ", ".join(map(repr, goal.names))
    of = of if goal.apart else f"the next tokens of {of} (a language model)"
    model = f"a {required(plan.model).kind} model of {of}"
    if plan.data.target is not None and (positive := plan.data.target.positive):
        more = f" and {len(positive) - SAID:,} more" if len(positive) > SAID else ""
        model += f" (positive: {', '.join(map(repr, positive[:SAID]))}{more})"
    some = chance(plan)
    steps = f", in each of which a site takes {training.steps} steps by itself" if held(plan) and plan.noisy else ""
    groups = band(plan)
    each = "" if groups is None else f", whose {groups.groups} groups of rows have their turns"
    each = each if some is None else f", each over about {some[0]} of {some[1]} rows, which sites draw in secret"
    steps += f", each of {plan.sums_a_round} sums" if plan.sums_a_round > 1 else ""
    what = f"{model} is trained in {most}{training.rounds} rounds of {training.method}{steps}{each}{then}"
    begins = f" It begins with the weights of model {required(plan.model).first}." if plan.begun else ""
    stays = begins + "".join(f" {sentence}." for sentence in words(plan))
    if voting.wanted(plan):
        stays += f" Before each round but the first, and at the end, a site tells all parties {voting.told(plan)}."
    return f"{what}. It reads the columns {columns(plan)}.{left_out(plan)}{stays}"


def _exact(plan: Plan) -> str:
    made = "; a graph can be made so that a sum tells of a single row: approve it if you trust who made it with rows"
    made += "" if goal_of(plan).apart else "; a language model can repeat texts of rows word for word"
    return EXACT + (made if plan.drawn else "")


TRAIN = TaskSpec(
    learnt=_learnt,
    gist=gist.trained,
    exact=_exact,
    words=_words,
    unknown=_unknown,
    check=task.check,
    views=task.views,
    first=costs.first,
    costs=costs.costs,
    part=site.part,
    here=lambda plan, data: local.here(plan, data, compared, own.with_own),
    estimate=estimate.estimate,
    leave=own.leave,
    document=own.document,
    seal=trained.seal,
    measured=trained.measured,
    told=validated.told,
)
