"""Linear, logistic and Poisson regression with standard errors, in the data's own units."""

from collections.abc import Iterator

from potluck.core.plan import Plan, Statistic, required
from potluck.learning.data.declared import find, measured
from potluck.learning.statistics.course import Course
from potluck.learning.statistics.events import some_of
from potluck.learning.statistics.kind import StatisticKind, wanted
from potluck.learning.statistics.opens import Number, Table
from potluck.learning.statistics.regressions.ahead import reach
from potluck.learning.statistics.regressions.design import columns_of, design, faults
from potluck.learning.statistics.regressions.families import FAMILIES
from potluck.learning.statistics.regressions.glm import Glm
from potluck.learning.statistics.regressions.noised import NewtonSteps, OneSum
from potluck.learning.statistics.regressions.opens import designed, fitted, offset, outcome
from potluck.learning.statistics.regressions.regression import Regression

KEYS = frozenset({"family", "target", "events", "features", "offset", "weights", "errors", "cluster", "rounds"})


def check(plan: Plan, one: Statistic, at: str) -> Iterator[str]:
    """Family, columns and errors that go together, and what holds with noise."""
    found = [*_columns(plan, one, at), *faults(plan, f"{at}.features", one.features)]
    yield from found
    if one.by is not None:
        yield f"{at}.by: a regression has one fit. hint: one statistic a group with data.where, or a product of columns"
    if one.family is None:
        yield f"{at}.family: is missing. hint: one of {', '.join(FAMILIES.words())}"
        return
    if not found:
        yield from _target(plan, one, at)
    if one.errors == "cluster" and one.cluster is None:
        yield f"{at}.cluster: is missing. hint: name the column that says whose rows go together"
    if one.errors != "cluster" and one.cluster is not None:
        yield f'{at}.cluster: goes with errors = "cluster" alone. hint: leave it out'
    yield from _rounds(plan, one, at)
    yield from _noised(plan, one, at) if plan.noisy else ()


def rounds(plan: Plan, one: Statistic) -> int:
    """Where a plan does not say: as many as nearly all fits take, with noise as many as were measured."""
    if one.family is None:
        return 1
    family = FAMILIES.of(one.family)
    if plan.noisy:
        return family.noised or 1
    return family.rounds + (family.scaled and one.errors != "model")


def pauses(plan: Plan, one: Statistic, at: str) -> Iterator[str]:
    """What only the owners can know."""
    if one.errors == "cluster":
        yield f"{at}.cluster: one that lies at two sites counts as two. hint: a column whose values each site has alone"


def course(plan: Plan, one: Statistic) -> Course:
    """Newton's method; with noise few steps."""
    of = Regression(plan, one)
    if not plan.noisy:
        return Glm(of)
    return OneSum(of) if of.family.scaled else NewtonSteps(of)


def _columns(plan: Plan, one: Statistic, at: str) -> Iterator[str]:
    yield from wanted(plan, f"{at}.target", one.target)
    for name in columns_of(one.features):
        yield from wanted(plan, f"{at}.features", name)
        if name == one.target:
            yield f"{at}.features: {name} is the target. hint: leave it out"
    for key, beside in (("offset", one.offset), ("weights", one.weights)):
        if beside is not None:
            yield from wanted(plan, f"{at}.{key}", beside, measured=True)
    if one.cluster not in (None, plan.data.person):
        yield from wanted(plan, f"{at}.cluster", one.cluster)


def _target(plan: Plan, one: Statistic, at: str) -> Iterator[str]:
    """What of a target does not go with its family."""
    column, family = required(find(plan, required(one.target))), FAMILIES.of(one.family)
    if not measured(column):
        if family.range != (0.0, 1.0):
            yield f"{at}.target: {one.target} has no numbers, which {one.family} needs. hint: a number"
        else:
            yield from some_of(plan, f"{at}.events", one.target, one.events)
    else:
        low, high = family.range
        if one.events:
            yield f"{at}.events: {one.target} is a number. hint: leave it out, or declare a category"
        if not low <= column.bounds[0] < column.bounds[1] <= high:
            yield f"{at}.target: {one.family} needs numbers from {low:g} to {high:g}. hint: declare such a range"
    if one.offset is not None and max(map(abs, required(find(plan, one.offset)).bounds)) > family.reach:
        what = "is added to the linear predictor as it is, and may be beyond"
        yield f"{at}.offset: {one.offset} {what} {family.reach:g}. hint: of a time at risk its logarithm"
    if one.weights is not None and required(find(plan, one.weights)).bounds[0] < 0:
        yield f"{at}.weights: some may be below 0. hint: declare low = 0"


def _rounds(plan: Plan, one: Statistic, at: str) -> Iterator[str]:
    family, usual = FAMILIES.of(one.family), rounds(plan, one)
    least = usual if plan.noisy else 1 + (family.first is not None)
    if (family.scaled and one.rounds != usual) or (one.rounds or 1) < least:
        yield f"{at}.rounds: this fit takes {usual if family.scaled else f'{least} or more'}. hint: leave it out"


def _noised(plan: Plan, one: Statistic, at: str) -> Iterator[str]:
    """What nobody has shown to hold with noise."""
    if not FAMILIES.of(one.family).noised:
        yield f'{at}.family: {one.family} is refused with noise. hint: noise = "none", or sums and counts by group'
    for key in ("offset", "weights"):
        if getattr(one, key) is not None:
            yield f"{at}.{key}: its intervals are not known to hold with noise. hint: leave it out"
    if one.errors != "model":
        yield f'{at}.errors: these are not known to hold with noise. hint: errors = "model"'


def opens(plan: Plan, one: Statistic) -> Iterator[Table]:
    """Products of all columns of the design and the target, and of the scores of clusters. By an offset rows weigh as
    much as their predicted outcomes and these' variances, by orders of magnitude more or less than others."""
    features, parameters = [*designed(plan, one.features)], len(design(plan, one.features, constant=True).names)
    beside = (Number(one.weights),) if one.weights else ()
    columns = [*features, outcome(plan, one.target, one.events), *offset(one)]
    yield from fitted(columns, beside=beside, parameters=parameters)
    if one.offset and FAMILIES.of(one.family).weighs:
        yield from fitted(features, beside=(*beside, Number(one.offset, link=required(one.family))))
    if one.cluster:
        yield Table(clusters=one.cluster)


REGRESSION = StatisticKind(
    tells=(
        "in each round, sums of products of the columns and the target; of few rows, or of one that alone has "
        "a value, its columns and target can be worked out"
    ),
    keys=KEYS,
    check=check,
    opens=opens,
    half=None,
    infers=True,
    reach=reach,
    course=course,
    rounds=rounds,
    pauses=pauses,
)
