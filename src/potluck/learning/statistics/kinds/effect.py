"""The average effect of a treatment, by inverse weights, by models of the outcome, or by both."""

from collections.abc import Iterator

from potluck.core.plan import Plan, Statistic, required
from potluck.learning.data.declared import find, measured
from potluck.learning.statistics.events import some_of
from potluck.learning.statistics.kind import StatisticKind, wanted, without_noise
from potluck.learning.statistics.opens import Table
from potluck.learning.statistics.regressions.design import columns_of, design, faults
from potluck.learning.statistics.regressions.effects import CLIP, METHODS, Treatment
from potluck.learning.statistics.regressions.opens import designed, fitted, outcome, sides

ROUNDS = 13
"""Where a plan does not say: one more than a logistic regression takes."""
KEYS = frozenset({"method", "treatment", "treated", "outcome", "events", "features", "clip", "rounds"})


def check(plan: Plan, one: Statistic, at: str) -> Iterator[str]:
    """Treatment, outcome and features."""
    found = [
        *wanted(plan, f"{at}.treatment", one.treatment, measured=False),
        *wanted(plan, f"{at}.outcome", one.outcome),
        *(wrong for name in columns_of(one.features) for wrong in wanted(plan, f"{at}.features", name)),
        *faults(plan, f"{at}.features", one.features),
    ]
    yield from found
    if one.method is None:
        yield f"{at}.method: is missing. hint: one of {', '.join(METHODS.words())}"
    clash = {one.treatment, one.outcome} & set(columns_of(one.features))
    if clash or one.treatment == one.outcome:
        yield f"{at}.features: treatment, outcome and features are different columns. hint: leave one out"
    if one.by is not None:
        yield f"{at}.by: an effect is of all rows. hint: one statistic a group with data.where"
    if not found:
        yield from some_of(plan, f"{at}.treated", one.treatment, one.treated)
        if measured(required(find(plan, required(one.outcome)))):
            if one.events:
                yield f"{at}.events: {one.outcome} is a number. hint: leave it out, or declare a category"
        else:
            yield from some_of(plan, f"{at}.events", one.outcome, one.events)
    if required(one.rounds) < 2:
        yield f"{at}.rounds: the models take some, and the effect one more. hint: leave it out"
    yield from without_noise(plan, one, at, "nobody has shown that its intervals hold", "means by group")


def pauses(plan: Plan, one: Statistic, at: str) -> Iterator[str]:
    """What no number shows."""
    what = "the effect is the treatment's only if features hold all that treatment and outcome have in common"
    yield f"{at}.features: {what}. hint: name them all, and look at overlap"
    if one.method is not None and not METHODS.of(one.method).weighs:
        what = f"{one.method} counts no rows by propensity, so that it does not show whether arms overlap"
        yield f'{at}.method: {what}. hint: method = "aipw"'


def opens(plan: Plan, one: Statistic) -> Iterator[Table]:
    """Products of all columns of the design and the outcome, by arm, to each of which a model is fitted."""
    columns = [*designed(plan, one.features), outcome(plan, one.outcome, one.events)]
    arms = (sides(plan, one.treatment, one.treated),)
    yield from fitted(columns, arms, parameters=len(design(plan, one.features, constant=True).names))


EFFECT = StatisticKind(
    tells=(
        "in each round, sums of products of treatment, outcome and features, and rows by propensity; of few "
        "rows in an arm, their columns can be worked out"
    ),
    title="Effect",
    keys=KEYS,
    usual={"clip": CLIP},
    check=check,
    opens=opens,
    half=None,
    course=Treatment,
    later=lambda plan, one: Treatment(plan, one).most,
    rounds=lambda plan, one: ROUNDS,
    pauses=pauses,
    infers=True,
)
