"""Tests by ranks, of counts a bin and group: rows in one bin are ties, so they are exact where each value has its own.

References: Mann and Whitney 1947, "On a test of whether one of two random variables is stochastically larger than the
other"; Kruskal and Wallis 1952, "Use of ranks in one-criterion variance analysis"; Hodges 1958, "The significance
probability of the Smirnov two-sample test"; Spearman 1904, "The proof and measurement of association between two
things".
"""

import math
from collections.abc import Iterator, Mapping

import numpy as np

from potluck.core.plan import Plan, Statistic, required
from potluck.core.stages import Floats
from potluck.learning.data.sql.layers import Layer
from potluck.learning.statistics.hypotheses import power, tails
from potluck.learning.statistics.hypotheses.tested import (
    ENOUGH,
    UNKNOWN,
    Tested,
    exact,
    of_declared,
    of_groups,
    of_pairs,
    of_two_groups,
)
from potluck.learning.statistics.kind import ONE, Cells, Check, StatisticKind, binned, edges_of
from potluck.learning.statistics.kinds import histogram
from potluck.learning.statistics.opens import Axis, Table
from potluck.learning.statistics.reading import Foresee, Read, by_group

BINS = 20
PAIRS = 1 << 16
"""Most pairs of bins that are counted."""


def mannwhitney(counts: Floats, std: float) -> Tested:
    """Whether one of two groups has larger values, of counts [2, bins]. The statistic is U of the first group.

    Without noise p is normal, corrected for ties and continuity. With noise its variance has two parts more: of what
    the noise in each bin moves, freed of what it does to itself, and of pairs of bins that both hold noise.
    """
    first, second = counts
    n, m = float(first.sum()), float(second.sum())
    deviation = std * math.sqrt(len(first))
    if min(n, m) < max(1.0, ENOUGH * deviation):
        return UNKNOWN
    below = np.cumsum(second) - second / 2  # rows of the second group below each bin
    above = n - np.cumsum(first) + first / 2  # rows of the first group above each bin
    u = float(first @ below)
    total, tied = n + m, first + second
    # The third power of a noised count is off by three times its value times the variance of its noise: of two groups.
    ties = float((tied**3 - tied * (1 + 6 * std**2)).sum())
    drawn = n * m / 12 * (total + 1 - ties / (total * (total - 1)))
    both = std**4 * len(first) * (len(first) - 1) / 4  # of pairs of bins, each half a win away from even
    moved = std**2 * float(((below - m / 2) ** 2).sum() + ((above - n / 2) ** 2).sum())
    variance = drawn + max(moved - both, both)
    if drawn <= 0:
        return UNKNOWN
    away = abs(u - n * m / 2) - (0.0 if std else 0.5)
    return Tested(statistic=u, df=None, p=tails.normal(away / math.sqrt(variance)))


def kruskal(counts: Floats, std: float = 0.0) -> Tested:
    """Whether groups have alike values, of counts [groups, bins]; corrected for ties. Groups without rows are left
    out."""
    rows = counts.sum(axis=1)
    counts, rows = counts[rows > 0], rows[rows > 0]
    total, tied = float(rows.sum()), counts.sum(axis=0)
    if len(rows) < 2:
        return UNKNOWN
    even = 1 - float((tied**3 - tied).sum()) / (total**3 - total)
    if even <= 0:
        return UNKNOWN
    away = counts @ _ranks(tied) / rows - (total + 1) / 2
    statistic = 12 / (total * (total + 1)) * float((rows * away**2).sum()) / even
    return Tested(statistic=statistic, df=float(len(rows) - 1), p=tails.chi_squared(statistic, len(rows) - 1))


def smirnov(counts: Floats, std: float = 0.0) -> Tested:
    """Whether two groups have one distribution, of counts [2, bins]: the largest distance between them at a bin's end.

    Of numbers that share bins the distance is at most what it would be of the numbers, so p is too large. p is the
    distribution of one sample of as many rows as say as much.
    """
    n, m = (float(one) for one in counts.sum(axis=1))
    if min(n, m) <= 0:
        return UNKNOWN
    statistic = float(np.abs(np.cumsum(counts[0]) / n - np.cumsum(counts[1]) / m).max())
    return Tested(statistic=statistic, df=None, p=tails.kolmogorov(statistic, max(1, round(n * m / (n + m)))))


def spearman(counts: Floats) -> Tested:
    """Whether one number rises with the other, of counts [bins, bins]: the correlation of their ranks."""
    total = float(counts.sum())
    down, across = (counts.sum(axis=side) for side in (1, 0))
    left, right = (_ranks(one) - (total + 1) / 2 for one in (down, across))
    wide = math.sqrt(float(down @ left**2) * float(across @ right**2))
    if total < 3 or wide <= 0:
        return UNKNOWN
    rho = max(-1.0, min(1.0, float(left @ counts @ right) / wide))
    df = total - 2
    away = math.inf if abs(rho) == 1 else abs(rho) * math.sqrt(df / (1 - rho * rho))
    return Tested(statistic=rho, df=df, p=float(tails.student(away, df)))


def _ranks(tied: Floats) -> Floats:
    """The middle of the ranks of each bin's rows."""
    return np.cumsum(tied) - (tied - 1) / 2


def pairs(plan: Plan, one: Statistic, columns: Mapping[str, str], layer: Layer) -> Cells:
    """A 1 at the pair of bins of each row."""
    return Cells((ONE,), tuple(binned(plan, one, name, columns, layer) for name in one.columns))


def square(plan: Plan, one: Statistic, values: Floats, std: Floats) -> Tested:
    """Spearman's of the opened counts of pairs."""
    return spearman(values.reshape(required(one.bins), -1))


def of_bins(plan: Plan, one: Statistic, at: str) -> Iterator[str]:
    """Two numbers, and no more pairs of bins than are counted together."""
    yield from of_pairs(plan, one, at)
    bins = required(one.bins)
    if bins**2 > PAIRS:
        yield f"{at}.bins: {bins:,} times {bins:,} counts. hint: bins = {math.isqrt(PAIRS)} or less"


def _exactly(check: Check, instead: str) -> Check:
    def every(plan: Plan, one: Statistic, at: str) -> Iterator[str]:
        yield from check(plan, one, at)
        yield from exact(plan, one, at, instead)

    return every


def _of_bins(title: str, check: Check, read: Read, reach: Foresee | None = None) -> StatisticKind:
    return StatisticKind(
        title=title,
        tells="how many rows of each group lie in each bin; of a row alone in its bin, about what its value is",
        keys=frozenset({"test", "column", "bins"}),
        usual={"bins": BINS},
        check=check,
        cells=histogram.cells,
        read=read,
        width=lambda plan, one: required(one.bins),
        whole=True,
        opens=histogram.HISTOGRAM.opens,
        half=None,
        reach=reach,
        infers=True,
    )


MANNWHITNEY = _of_bins("Mann-Whitney test", of_two_groups, of_declared(mannwhitney), power.of_ranks)
KRUSKAL = _of_bins("Kruskal-Wallis test", _exactly(of_groups, 'test = "anova"'), of_declared(kruskal))
KS = _of_bins("Kolmogorov-Smirnov test", _exactly(of_two_groups, 'test = "mannwhitney"'), of_declared(smirnov))
SPEARMAN = StatisticKind(
    title="Spearman's correlation",
    tells="how many rows lie in each pair of bins; of a row alone in its pair, about what both values are",
    keys=frozenset({"test", "columns", "bins"}),
    usual={"bins": BINS},
    check=_exactly(of_bins, 'test = "correlation"'),
    cells=pairs,
    read=by_group(square),
    width=lambda plan, one: required(one.bins) ** 2,
    whole=True,
    opens=lambda plan, one: (Table(tuple(Axis(name, edges_of(plan, one, name)[1:-1]) for name in one.columns)),),
    half=None,
    infers=True,
)
