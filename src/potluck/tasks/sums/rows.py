"""A site's rows as its plan's sums need them."""

from potluck.core.plan import Plan
from potluck.dp.mechanism import mechanism
from potluck.learning import folds, voting
from potluck.learning.data import table
from potluck.learning.data.source import Source
from potluck.learning.data.table import Table
from potluck.learning.data.tally import rests_on
from potluck.learning.data.target import goal_of
from potluck.learning.loops import build
from potluck.learning.models.class_weights import as_many_as, factors_of
from potluck.learning.statistics import read as statistics
from potluck.learning.statistics.statistics import courses
from potluck.learning.training.drawn import a_round


def least_summed(plan: Plan, rows: Table) -> int:
    """How many rows what is learnt rests on at least. Without noise also each look at the model and each vote on it,
    where there are rows to look with, and each fold, whose rows two models' sums differ by; and of training what a
    round takes, by how much rows weigh."""
    learnt = rests_on(plan, rows.tally)
    if plan.noisy or not plan.traits.trains:
        return learnt
    factors = factors_of(plan, goal_of(plan))
    learnt = learnt if factors is None else as_many_as(factors, rows.target[rows.train])
    looked = int(rows.validation.sum()) if plan.looks or voting.wanted(plan) else 0
    return min(a_round(plan, learnt), looked or learnt, folds.fewest(rows.folds) or learnt)


def rows_of(source: Source, plan: Plan, site: str, known: tuple[str, ...] = ()) -> Table:
    """Statistics are added up while the rows are read, but for noise that hides persons with several rows: which of
    them count is known when all are there; and for statistics of several rounds, which need the rows again. known:
    columns by which rows that are held are known again. Raises DataError, told to the site's owner only."""
    several = plan.noisy and plan.privacy.unit == "person" and plan.data.reduce is None
    if not plan.traits.counts or several or courses(plan):
        return table.read(source, plan, site, known)
    return statistics.read(source, plan, site, mechanism(plan, next(build(plan).lead())).grid)
