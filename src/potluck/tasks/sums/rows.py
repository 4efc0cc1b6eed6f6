"""A site's rows as its plan's sums need them."""

from potluck.core.plan import Plan
from potluck.dp.mechanism import mechanism
from potluck.learning.data import table
from potluck.learning.data.source import Source
from potluck.learning.data.table import Table
from potluck.learning.loops import build
from potluck.learning.statistics import read as statistics


def rows_of(source: Source, plan: Plan, site: str) -> Table:
    """Statistics are added up while the rows are read, but for noise that hides persons with several rows: which of
    them count is known when all are there. Raises DataError, told to the site's owner only."""
    several = plan.noisy and plan.privacy.unit == "person" and plan.data.reduce is None
    if not plan.traits.counts or several:
        return table.read(source, plan, site)
    return statistics.read(source, plan, site, mechanism(plan, next(build(plan).lead())).grid)
