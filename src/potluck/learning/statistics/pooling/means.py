"""Of a meta-analysis: each site's mean of a number, or its share of some values of a category."""

from collections.abc import Iterator

import numpy as np

from potluck.core.plan import Plan, Statistic, required
from potluck.learning.data.declared import find, there
from potluck.learning.data.encode import scale
from potluck.learning.statistics.course import Columns
from potluck.learning.statistics.events import events, some_of
from potluck.learning.statistics.kind import wanted
from potluck.learning.statistics.opens import Table, squares
from potluck.learning.statistics.pooling.pooled import Estimator, Own, pooling
from potluck.learning.statistics.regressions.opens import sides
from potluck.learning.statistics.result import declared


def mean(plan: Plan, one: Statistic, columns: Columns) -> Own | None:
    """Of numbers that are not all the same: else its variance would be 0, and the pooled value its own."""
    name = required(one.column)
    values = columns[name][there(plan, (name,), columns)]
    z = np.sort(scale(values, *declared(plan, one)))  # in one order, whichever rows came first
    n = len(z)
    return Own(float(z.mean()), float(z.var(ddof=1)) / n, n) if n > 1 and z[0] < z[-1] else None


def share(plan: Plan, one: Statistic, columns: Columns) -> Own | None:
    """On [-1, 1]; its variance with half a row more on each side."""
    name = required(one.column)
    values = columns[name][there(plan, (name,), columns)]
    n = len(values)
    hits = int(np.isin(values, events(required(find(plan, name)), one.events)).sum())
    wide = (hits + 0.5) / (n + 1)
    return Own(2 * hits / n - 1, 4 * wide * (1 - wide) / n, n) if n > 1 else None


def _range(plan: Plan, one: Statistic) -> tuple[float, float]:
    low, high = declared(plan, one)
    return (low + high) / 2, (high - low) / 2


def of_mean(plan: Plan, one: Statistic, at: str) -> Iterator[str]:
    """A number."""
    yield from wanted(plan, f"{at}.column", one.column, measured=True)


def of_share(plan: Plan, one: Statistic, at: str) -> Iterator[str]:
    """A category, and which of its values count."""
    found = [*wanted(plan, f"{at}.column", one.column, measured=False)]
    yield from found or some_of(plan, f"{at}.events", one.column, one.events)


def both_sides(plan: Plan, one: Statistic) -> tuple[Table, ...]:
    """The rows with one of the values, and the others."""
    return (Table((sides(plan, one.column, one.events),)),)


MEAN = pooling(Estimator(mean, _range, "two rows with different numbers"), frozenset({"column"}), of_mean, squares)
PROPORTION = pooling(
    Estimator(share, lambda plan, one: (0.5, 0.5), "two rows"), frozenset({"column", "events"}), of_share, both_sides
)
