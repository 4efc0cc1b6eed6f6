"""Proportional hazards: hazard ratios with their intervals, by bins of time."""

from collections.abc import Iterator

from potluck.core.plan import Plan, Statistic, required
from potluck.learning.statistics.events import some_of
from potluck.learning.statistics.kind import StatisticKind, edges_of, wanted, without_noise
from potluck.learning.statistics.opens import Axis, Table
from potluck.learning.statistics.regressions.design import columns_of, design, faults
from potluck.learning.statistics.regressions.hazards import Cox
from potluck.learning.statistics.regressions.opens import designed, fitted, sides

ROUNDS, BINS = 10, 52
"""Where a plan does not say: fits that there are take about 5 rounds."""


def check(plan: Plan, one: Statistic, at: str) -> Iterator[str]:
    """Time, event, features and strata."""
    found = [
        *wanted(plan, f"{at}.time", one.time, measured=True),
        *wanted(plan, f"{at}.event", one.event, measured=False),
        *(wrong for name in columns_of(one.features) for wrong in wanted(plan, f"{at}.features", name)),
        *faults(plan, f"{at}.features", one.features),
        *(wanted(plan, f"{at}.strata", one.strata, measured=False) if one.strata else ()),
    ]
    yield from found
    clash = {one.time, one.event, one.strata} & set(columns_of(one.features))
    if clash:
        yield f"{at}.features: {min(map(str, clash))} has another part in this fit. hint: leave it out"
    if one.by is not None:
        yield f"{at}.by: hazards have one fit. hint: strata, or a product of columns"
    if not found:
        yield from some_of(plan, f"{at}.events", one.event, one.events)
    why = "its noise would drown the coefficients of any study of usual size"
    yield from without_noise(plan, one, at, why, "survival with its log-rank test")


def pauses(plan: Plan, one: Statistic, at: str) -> Iterator[str]:
    """Who exits alone in a bin is read off its sum."""
    what = "every bin's sums are opened, and of a row that exits alone in its bin they are that row's columns"
    yield f"{at}.bins: {what}. hint: fewer bins"


def opens(plan: Plan, one: Statistic) -> Iterator[Table]:
    """Products of all columns of the design, of those who exit in a bin, by stratum; and who has the event there."""
    edges = edges_of(plan, one, one.time)
    bins = (*((Axis(one.strata),) if one.strata else ()), Axis(required(one.time), edges[1:-1]))
    yield Table(parameters=len(design(plan, one.features, constant=False).terms))
    yield from fitted(designed(plan, one.features), bins)
    yield Table((*bins, sides(plan, one.event, one.events)))


COX = StatisticKind(
    tells=(
        "in each round and for each bin of time, sums of the columns of all who leave in it; of a row alone "
        "in its bin, all its columns"
    ),
    title="Cox regression",
    keys=frozenset({"time", "event", "events", "bins", "features", "strata", "rounds"}),
    check=check,
    opens=opens,
    course=Cox,
    half=None,
    usual={"bins": BINS},
    rounds=lambda plan, one: ROUNDS,
    pauses=pauses,
    infers=True,
)
