"""A site's rows as its plan's sums need them."""

from potluck.core.plan import Plan
from potluck.dp.mechanism import mechanism
from potluck.learning.data import table
from potluck.learning.data.source import Source
from potluck.learning.data.table import Table
from potluck.learning.data.tally import Tally, rests_on
from potluck.learning.loops import build
from potluck.learning.statistics import read as statistics
from potluck.learning.training.drawn import a_round
from potluck.learning.training.methods import method_of


def least_summed(plan: Plan, tally: Tally) -> int:
    """How many rows what is learnt rests on at least; where rounds draw rows, as many as one draws on average."""
    rows = rests_on(plan, tally)
    return a_round(plan, rows) if plan.training and method_of(plan).batched else rows


def rows_of(source: Source, plan: Plan, site: str) -> Table:
    """Statistics are added up while the rows are read, but for noise that hides persons with several rows: which of
    them count is known when all are there. Raises DataError, told to the site's owner only."""
    several = plan.noisy and plan.privacy.unit == "person" and plan.data.reduce is None
    if not plan.traits.counts or several:
        return table.read(source, plan, site)
    return statistics.read(source, plan, site, mechanism(plan, next(build(plan).lead())).grid)
