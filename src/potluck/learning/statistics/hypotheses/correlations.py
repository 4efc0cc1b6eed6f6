"""Pearson's correlations of several numbers, from one sum of (1, x, upper triangle of x x^T); each may hold noise.

Noise moves a covariance of centred numbers by s^2 (1 + m_i^2)(1 + m_j^2) in variance: the count, both sums and the
product hold it. Reference: Student 1908, "Probable error of a correlation coefficient".
"""

import msgspec
import numpy as np

from potluck.core.plan import Plan, Statistic
from potluck.core.stages import Floats
from potluck.learning.statistics import gram, opens
from potluck.learning.statistics.forms import AnyForm, Frame, Grid
from potluck.learning.statistics.hypotheses import power, tails
from potluck.learning.statistics.hypotheses.tested import ENOUGH, noise
from potluck.learning.statistics.kind import StatisticKind
from potluck.learning.statistics.reading import by_part
from potluck.learning.statistics.result import OF, Result, each, titled
from potluck.learning.statistics.sums import Part

Matrix = tuple[tuple[float | None, ...], ...]


class Correlated(Result, frozen=True, kw_only=True, omit_defaults=True):
    """Correlations and their p values, two-sided, by `columns`; None where the rows, or the noise, say nothing. by: of
    each declared value."""

    matrix: Matrix
    columns: tuple[str, ...]
    p: Matrix
    by: "dict[str, Correlated] | None" = None

    def shown(self, plan: Plan, one: Statistic) -> tuple[AnyForm, ...]:
        """All correlations as grids, and a line a pair."""
        pairs = tuple(
            (name, self.columns[i], self.columns[j], mine.matrix[i][j], mine.p[i][j])
            for name, mine in each(self, self.by)
            for i in range(len(self.columns))
            for j in range(i)
        )
        empty = Grid(down="column", across="column", rows=self.columns, columns=self.columns, values=(), deepest=1.0)
        grids = [
            msgspec.structs.replace(empty, title=titled(one, name), values=mine.matrix)
            for name, mine in each(self, self.by)
        ]
        return *grids, Frame(head=(OF, "column", "with", "correlation", "p"), rows=pairs)


def correlations(sums: Floats, std: float, blur: float = 0.0) -> tuple[Floats, Floats]:
    """The correlations [p, p] and their p values of a `gram.square`; nan where the rows or the noise say none. blur:
    of `sums.Part`."""
    width = len(sums) - 1
    if sums[0, 0] < max(3.0, ENOUGH * std):
        return np.full((width, width), np.nan), np.full((width, width), np.nan)
    found = gram.covariances(sums, blur)
    rows, mean, spread = found.rows, found.mean, found.spread
    own = np.where(np.diag(spread) > 0, np.diag(spread), np.nan)
    matrix = np.clip(spread / np.sqrt(np.outer(own, own)), -1, 1)
    moved = std**2 * np.outer(1 + mean**2, 1 + mean**2) / np.outer(own, own) / rows**2
    with np.errstate(divide="ignore"):
        away = np.abs(matrix) / np.sqrt((1 - matrix**2) / (rows - 2) + moved)
    p = tails.student(away, rows - 2)
    for one, same in ((matrix, 1.0), (p, 0.0)):
        np.fill_diagonal(one, np.where(np.isnan(own), np.nan, same))
    return matrix, p


def read(plan: Plan, one: Statistic, cell: Part) -> Correlated:
    """Of one cell."""
    sums = gram.square(cell.values)
    matrix, p = map(listed, correlations(sums, noise(cell.std), cell.blur))
    return Correlated(matrix=matrix, columns=one.columns, p=p)


def listed(matrix: Floats) -> Matrix:
    """As JSON has it."""
    return tuple(tuple(None if np.isnan(one) else float(one) for one in row) for row in matrix)


CORRELATION = StatisticKind(
    tells=(
        "how many rows there are, sums of the columns and of their products by pairs; of few rows, their "
        "columns can be worked out"
    ),
    title="Correlations",
    keys=frozenset({"test", "columns"}),
    check=gram.of_several,
    cells=gram.cells,
    read=by_part(read),
    width=gram.width,
    norm=gram.norm,
    alone=False,
    products=True,
    opens=opens.gram,
    half=None,
    reach=power.of_correlations,
    infers=True,
)
