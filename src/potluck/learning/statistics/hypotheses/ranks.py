"""Tests by ranks, of counts a bin and group: rows in one bin are ties, so they are exact where each value has its own.

References: Mann and Whitney 1947, "On a test of whether one of two random variables is stochastically larger than the
other"; Kruskal and Wallis 1952, "Use of ranks in one-criterion variance analysis"; Hodges 1958, "The significance
probability of the Smirnov two-sample test"; Spearman 1904, "The proof and measurement of association between two
things".
"""

import hashlib
import math
from collections.abc import Iterator, Mapping

import numpy as np

from potluck.core.plan import Plan, Statistic, required
from potluck.core.seeded import generator
from potluck.core.stages import Floats
from potluck.learning.data.sql.layers import Layer
from potluck.learning.statistics.hypotheses import power, tails
from potluck.learning.statistics.hypotheses.tested import (
    ENOUGH,
    ENOUGH_PAIRS,
    UNKNOWN,
    Tested,
    noise,
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
DRAWS = 10_000
TOGETHER = 1 << 20
"""Numbers that are drawn at once."""
PAIRS = 1 << 16
"""Most pairs of bins that are counted."""


def rank_sums(counts: Floats, std: float) -> tuple[Floats, Floats] | None:
    """How far each group's sum of ranks is from what it would be of groups that are alike, and the covariance of that
    [groups, groups], of counts [groups, bins]. None where noise drowns a group, or all rows are alike.

    Half the difference of rows below and above it is what a row adds. With noise the covariance has two parts more: of
    what the noise in each bin moves, freed of what it does to itself, and of pairs of bins that both hold noise.
    """
    groups, bins = counts.shape
    rows, tied = counts.sum(axis=1), counts.sum(axis=0)
    total = float(rows.sum())
    if rows.min() < max(1.0, ENOUGH * std * math.sqrt(bins)):
        return None
    # The third power of a noised count is off by three times its value times the variance of its noise.
    ties = float((tied**3 - tied * (1 + 3 * groups * std**2)).sum())
    drawn = total**2 / 12 * (total + 1 - ties / (total * (total - 1)))
    if drawn <= 0:
        return None
    middle = _ranks(tied) - (total + 1) / 2
    part = rows / total
    both = std**4 * bins * (bins - 1) / 4  # of pairs of bins, each half a win away from even
    moved = max(std**2 * float(middle @ middle) - groups * both, 0.0)
    away = np.eye(groups) - part[:, None]
    covariance = (
        drawn * (np.diag(part) - np.outer(part, part)) + moved * away @ away.T + both * (groups * np.eye(groups) - 1)
    )
    return counts @ middle, np.asarray(covariance, np.float64)


def mannwhitney(counts: Floats, std: float) -> Tested:
    """Whether one of two groups has larger values, of counts [2, bins]. The statistic is U of the first group.

    p is normal, without noise corrected for continuity.
    """
    found = rank_sums(counts, std)
    if found is None:
        return UNKNOWN
    (apart, _), covariance = found
    even = float(counts.sum(axis=1).prod()) / 2
    away = abs(apart) - (0.0 if std else 0.5)
    return Tested(statistic=float(even + apart), df=None, p=tails.normal(away / math.sqrt(covariance[0, 0])))


def kruskal(counts: Floats, std: float = 0.0) -> Tested:
    """Whether groups have alike values, of counts [groups, bins]; corrected for ties. Without noise groups without rows
    are left out."""
    some = counts if std else counts[counts.sum(axis=1) > 0]
    found = rank_sums(some, std) if len(some) > 1 else None
    if found is None:
        return UNKNOWN
    apart, covariance = (one[..., :-1] for one in found)  # the last group's follows
    statistic, df = float(apart @ np.linalg.solve(covariance[:-1], apart)), len(some) - 1
    return Tested(statistic=statistic, df=float(df), p=tails.chi_squared(statistic, df))


def smirnov(counts: Floats, std: float = 0.0) -> Tested:
    """Whether two groups have one distribution, of counts [2, bins]: the largest distance between them at a bin's end.

    Of numbers that share bins the distance is at most what it would be of the numbers. Without noise p is that of
    numbers, and so too large: the distribution of one sample of as many rows as say as much. With noise it is that of
    so many distances of groups that are alike, bins, rows and noise as they are, whose draws are public: their seed is
    the opened sum.
    """
    rows = counts.sum(axis=1)
    if rows.min() <= ENOUGH * std * math.sqrt(counts.shape[1]):
        return UNKNOWN
    n, m = map(float, rows)
    statistic = float(np.abs(np.cumsum(counts[0]) / n - np.cumsum(counts[1]) / m).max())
    if not std:
        return Tested(statistic=statistic, df=None, p=tails.kolmogorov(statistic, max(1, round(n * m / (n + m)))))
    alike = np.maximum(counts.sum(axis=0), 0.0)
    far = _distances(alike / alike.sum(), math.sqrt(1 / n + 1 / m), std * math.hypot(1 / n, 1 / m), _seed(counts))
    return Tested(statistic=statistic, df=None, p=float((1 + (far >= statistic).sum()) / (1 + len(far))))


def _distances(shares: Floats, drawn: float, moved: float, seed: int) -> Floats:
    """[DRAWS] largest distances of two groups of the same shares [bins], which rows move by `drawn` times the root of a
    share, and noise by `moved`."""
    draw, below, spread = generator(seed, "smirnov"), np.cumsum(shares), np.sqrt(drawn**2 * shares + moved**2)
    found: list[Floats] = []
    for start in range(0, DRAWS, step := max(1, TOGETHER // len(shares))):
        apart = np.cumsum(spread * draw.standard_normal((min(step, DRAWS - start), len(shares))), axis=1)
        found.append(np.abs(apart - apart[:, -1:] * below).max(axis=1))
    return np.concatenate(found)


def _seed(counts: Floats) -> int:
    return int.from_bytes(hashlib.sha256(np.ascontiguousarray(counts, "<f8").tobytes()).digest()[:8])


def spearman(counts: Floats, std: float = 0.0) -> Tested:
    """Whether one number rises with the other, of counts [bins, bins]: the correlation of their ranks.

    Noise in each pair of bins moves the products of their ranks, as it has moved these ranks.
    """
    total, bins = float(counts.sum()), len(counts)
    if total < max(3.0, ENOUGH_PAIRS * std * bins):
        return UNKNOWN
    down, across = (counts.sum(axis=side) for side in (1, 0))
    left, right = (_ranks(one) - (total + 1) / 2 for one in (down, across))
    apart = [(total**3 - float((one**3 - 3 * bins * std**2 * one).sum())) / 12 for one in (down, across)]
    if min(apart) <= 0:
        return UNKNOWN
    wide = math.sqrt(apart[0] * apart[1])
    rho = max(-1.0, min(1.0, float(left @ counts @ right) / wide))
    df = total - 2
    moved = (std / wide) ** 2 * float(left @ left) * float(right @ right)
    spread = (1 - (0.0 if std else rho * rho)) / df + moved
    return Tested(
        statistic=rho, df=df, p=float(tails.student(math.inf if spread <= 0 else abs(rho) / math.sqrt(spread), df))
    )


def _ranks(tied: Floats) -> Floats:
    """The middle of the ranks of each bin's rows."""
    return np.cumsum(tied) - (tied - 1) / 2


def pairs(plan: Plan, one: Statistic, columns: Mapping[str, str], layer: Layer) -> Cells:
    """A 1 at the pair of bins of each row."""
    return Cells((ONE,), tuple(binned(plan, one, name, columns, layer) for name in one.columns))


def square(plan: Plan, one: Statistic, values: Floats, std: Floats) -> Tested:
    """Spearman's of the opened counts of pairs."""
    return spearman(values.reshape(required(one.bins), -1), noise(std))


def of_bins(plan: Plan, one: Statistic, at: str) -> Iterator[str]:
    """Two numbers, and no more pairs of bins than are counted together."""
    yield from of_pairs(plan, one, at)
    bins = required(one.bins)
    if bins**2 > PAIRS:
        yield f"{at}.bins: {bins:,} times {bins:,} counts. hint: bins = {math.isqrt(PAIRS)} or less"


def _of_bins(title: str, check: Check, read: Read, reach: Foresee) -> StatisticKind:
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
KRUSKAL = _of_bins("Kruskal-Wallis test", of_groups, of_declared(kruskal), power.of_ranks)
KS = _of_bins("Kolmogorov-Smirnov test", of_two_groups, of_declared(smirnov), power.of_distances)
SPEARMAN = StatisticKind(
    title="Spearman's correlation",
    tells="how many rows lie in each pair of bins; of a row alone in its pair, about what both values are",
    keys=frozenset({"test", "columns", "bins"}),
    usual={"bins": BINS},
    check=of_bins,
    cells=pairs,
    read=by_group(square),
    width=lambda plan, one: required(one.bins) ** 2,
    whole=True,
    opens=lambda plan, one: (Table(tuple(Axis(name, edges_of(plan, one, name)[1:-1]) for name in one.columns)),),
    half=None,
    reach=power.of_pairs,
    infers=True,
)
