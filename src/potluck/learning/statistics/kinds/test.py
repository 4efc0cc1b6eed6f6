"""Tests of hypotheses: `test` says which one, and that one (`hypotheses/`) says all else."""

from collections.abc import Iterator

from potluck.core.plan import Plan, Statistic
from potluck.learning.statistics import hypotheses
from potluck.learning.statistics.kind import StatisticKind
from potluck.learning.statistics.opens import elsewhere


def check(plan: Plan, one: Statistic, at: str) -> Iterator[str]:
    """That it says which."""
    yield f"{at}.test: is missing. hint: one of {', '.join(hypotheses.TESTS.words())}"


TEST = StatisticKind(
    keys=frozenset({"test"}),
    check=check,
    opens=elsewhere,
    which=lambda one: hypotheses.TESTS.of(one.test) if one.test else None,
)
