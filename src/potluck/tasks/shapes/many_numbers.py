"""Exact statistics of more numbers than rows: they say of each row whether it is in them."""

from potluck.dp.mechanism import mechanism
from potluck.learning.statistics.statistics import StatisticsTask
from potluck.tasks.shapes.shape import Case, Shape

MEASURED = "of 65 exact numbers over 45 rows, whoever knew what a row adds told for 100 of 100 whether it was in them"


def _said(case: Case) -> str | None:
    plan, rows = case.plan, case.summed
    if plan.noisy or rows < 1:
        return None
    numbers = mechanism(plan, next(StatisticsTask(plan).lead())).grid.length
    if numbers <= rows:
        return None
    what = f"{numbers:,} exact numbers, more than rows, are opened of {case.over}"
    return f"statistics: {what}: {MEASURED} (attack published). hint: noise, fewer statistics or cells, or more rows"


MANY_NUMBERS = Shape("published", _said)
