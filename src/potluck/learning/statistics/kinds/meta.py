"""Meta-analyses: `of` says what each site estimates by itself, and that one (`pooling/`) says all else."""

from collections.abc import Iterator

from potluck.core.plan import Plan, Statistic
from potluck.learning.statistics.kind import StatisticKind
from potluck.learning.statistics.opens import elsewhere
from potluck.learning.statistics.pooling import METAS
from potluck.learning.statistics.pooling.pooled import TITLE


def check(plan: Plan, one: Statistic, at: str) -> Iterator[str]:
    """That it says of what."""
    yield f"{at}.of: is missing: what each site estimates. hint: one of {', '.join(METAS.words())}"


META = StatisticKind(
    title=TITLE,
    keys=frozenset({"of"}),
    check=check,
    opens=elsewhere,
    which=lambda one: METAS.of(one.of) if one.of else None,
)
