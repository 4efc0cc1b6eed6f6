"""Pearson's chi-squared test that two categories are independent, of a table of counts that may hold noise.

With noise the distances from what independence expects vary by sampling and by noise. Both are diagonal in the same two
bases, one of the rows and one of the columns, so that each interaction is divided by its own variance; without noise
this is Pearson's statistic. Reference: Gaboardi, Lim, Rogers, Vadhan 2016, "Differentially private chi-squared
hypothesis testing: goodness of fit and independence testing" (the idea of the projected statistic).
"""

import numpy as np

from potluck.core.plan import Plan, Statistic
from potluck.core.stages import Floats
from potluck.learning.statistics.hypotheses import power, tails
from potluck.learning.statistics.hypotheses.tested import ENOUGH, UNKNOWN, Tested, noise
from potluck.learning.statistics.kind import StatisticKind
from potluck.learning.statistics.kinds import contingency
from potluck.learning.statistics.reading import by_group


def independence(table: Floats, std: float) -> Tested:
    """Of counts [rows, columns], each with noise of this standard deviation.

    Values that nobody has are left out. With noise that cannot be seen: where a row or column of the table has fewer
    than ENOUGH times its own noise, nothing is said.
    """
    down, across = table.sum(axis=1), table.sum(axis=0)
    if std:
        few = [down.min() < ENOUGH * std * np.sqrt(len(across)), across.min() < ENOUGH * std * np.sqrt(len(down))]
        if any(few):
            return UNKNOWN
    else:
        table = table[down > 0][:, across > 0]
    rows, columns = table.shape
    if min(rows, columns) < 2:
        return UNKNOWN
    down, across, total = table.sum(axis=1), table.sum(axis=0), float(table.sum())
    apart = table - np.outer(down, across) / total
    (left, drawn), (right, too) = (_axes(one / total) for one in (down, across))
    variance = total * np.outer(drawn, too) + std**2
    statistic = float(((left.T @ apart[:-1, :-1] @ right) ** 2 / variance).sum())
    df = (rows - 1) * (columns - 1)
    yates = None
    if (rows, columns) == (2, 2) and not std:
        expected = np.outer(down, across) / total
        far = np.abs(apart)
        yates = float(((far - np.minimum(0.5, far)) ** 2 / expected).sum())
    return Tested(statistic=statistic, df=float(df), p=tails.chi_squared(statistic, df), yates=yates)


def _axes(shares: Floats) -> tuple[Floats, Floats]:
    """Axes [k - 1, k - 1] along which noise varies by 1 and sampling by what is returned [k - 1], both independently,
    of the distances of all classes but the last from their expected share."""
    from scipy.linalg import eigh  # loaded where there is such a test

    away = (np.eye(len(shares)) - np.outer(shares, np.ones(len(shares))))[:-1]
    drawn, axes = eigh(away * shares @ away.T, away @ away.T)
    return axes, drawn


def read(plan: Plan, one: Statistic, values: Floats, std: Floats) -> Tested:
    """Of the counts of declared values."""
    return independence(values.reshape(contingency.shape(plan, one))[:-1, :-1], noise(std))


CHI2 = StatisticKind(
    tells=(
        "how many rows have each pair of values; whoever knows one value of a row that is alone with it reads the other"
    ),
    title="Chi-squared test",
    keys=frozenset({"test", "columns"}),
    check=contingency.check,
    cells=contingency.cells,
    read=by_group(read),
    width=contingency.width,
    whole=True,
    opens=contingency.CONTINGENCY.opens,
    half=None,
    reach=power.of_counts,
    infers=True,
)
