"""What tests with noise will find, from the plan alone: the smallest effect that they find POWER of the time.

Groups are alike in size, numbers even over their declared ranges and independent, and nothing is tied but by bins. A
statistic that is chi-squared where nothing is to be found is taken to be noncentral where something is. Reference:
Cohen 1988, "Statistical Power Analysis for the Behavioral Sciences".
"""

import math

from potluck.core.plan import Plan, Statistic, required
from potluck.learning.data.declared import find
from potluck.learning.statistics.hypotheses.tested import ENOUGH, ENOUGH_PAIRS
from potluck.learning.statistics.kinds import contingency
from potluck.learning.statistics.reading import Reach, groups, names
from potluck.learning.statistics.result import declared

LEVEL, POWER = 0.05, 0.8
SAFE = ENOUGH + 2
"""Standard deviations of its noise from which on a count has ENOUGH in all but few runs."""
EVEN = 1 / 3
"""The variance of a number that is even over [-1, 1]."""


def noncentrality(df: int) -> float:
    """At which a chi-squared test finds something POWER of the time."""
    from scipy.optimize import brentq  # loaded where a plan of tests is checked
    from scipy.stats import chi2, ncx2

    beyond = chi2.isf(LEVEL, df)
    return float(brentq(lambda at: ncx2.sf(beyond, df, at) - POWER, 1e-6, 1e3))


def _reach(least: float, rows: float | None, effect: float, of: str) -> Reach:
    known = rows is not None and rows >= least
    return Reach(least, effect if known else None, f"the smallest {of} found in {100 * POWER:.0f} of 100 runs")


def of_means(plan: Plan, one: Statistic, std: float, rows: float | None) -> Reach:
    """Of two groups that lie apart and others between them."""
    many, (low, high) = len(names(plan, one)), declared(plan, one)
    least = many * max(2.0, SAFE * std)
    each = (rows or least) / many
    variance = EVEN / each + (std / each) ** 2
    effect = math.sqrt(2 * noncentrality(many - 1) * variance) * (high - low) / 2
    return _reach(least, rows, effect, "difference of means")


def of_differences(plan: Plan, one: Statistic, std: float, rows: float | None) -> Reach:
    """Of two numbers of each row."""
    std *= math.sqrt(groups(plan, one))
    (low, high), (least, most) = (required(find(plan, name)).bounds for name in one.columns)
    over = max(abs(high - least), abs(most - low))
    drawn = ((high - low) ** 2 + (most - least) ** 2) / 12
    fewest = max(2.0, SAFE * std, 2 * std * over**2 / drawn)  # or noise makes the variance negative
    n = rows or fewest
    effect = math.sqrt(noncentrality(1) * (drawn / n + (std * over / n) ** 2))
    return _reach(fewest, rows, effect, "mean difference")


def of_correlations(plan: Plan, one: Statistic, std: float, rows: float | None) -> Reach:
    """Of one pair."""
    std *= math.sqrt(groups(plan, one))
    least = max(3.0, SAFE * std)
    n = rows or least
    effect = math.sqrt(noncentrality(1) * (1 / n + (std / EVEN / n) ** 2))
    return _reach(least, rows, min(effect, 1.0), "correlation")


def of_counts(plan: Plan, one: Statistic, std: float, rows: float | None) -> Reach:
    """Of a table whose margins are even: Cohen's w, of 2 x 2 the difference of two shares."""
    std *= math.sqrt(groups(plan, one))
    down, across = (size - 1 for size in contingency.shape(plan, one))
    least = SAFE * std * max(down * math.sqrt(across), across * math.sqrt(down))
    n = rows or least
    effect = math.sqrt(noncentrality((down - 1) * (across - 1)) * (1 + std**2 * down * across / n) / n)
    what = "difference of shares" if down == across == 2 else "distance from independence (Cohen's w)"
    return _reach(least, rows, min(effect, math.sqrt(min(down, across) - 1)), what)


def of_ranks(plan: Plan, one: Statistic, std: float, rows: float | None) -> Reach:
    """Of two groups, and others between them: how far from one half the chance lies that a row of one is above a row of
    the other."""
    bins, many = required(one.bins), len(names(plan, one))
    least = many * max(1.0, SAFE * std * math.sqrt(bins))
    each = (rows or least) / many
    drawn = (2 * each + 2 / many) / (12 * each**2) * (1 - 1 / bins**2)
    moved = std**2 * bins / (6 * each**2) + std**4 * bins * (bins - 1) / (2 * many * each**4)
    effect = math.sqrt(noncentrality(many - 1) * (drawn + moved))
    return _reach(least, rows, min(effect, 0.5), "distance of the chance to be above from one half")


def of_distances(plan: Plan, one: Statistic, std: float, rows: float | None) -> Reach:
    """Of two groups whose distributions are farthest apart in the middle. Rows and noise move both alike: as a Brownian
    bridge, seen at the ends of bins (Chernoff 1965, "Sequential tests for the mean of a normal distribution IV")."""
    from scipy.special import kolmogi, ndtri

    bins = required(one.bins)
    least = 2 * max(1.0, SAFE * std * math.sqrt(bins))
    each = (rows or least) / 2
    scale = math.sqrt(2 / each * (1 + std**2 * bins / each))
    effect = scale * (float(kolmogi(LEVEL)) - 0.583 / math.sqrt(bins) + float(ndtri(POWER)) / 2)
    return _reach(least, rows, min(effect, 1.0), "largest distance of two distributions")


def of_pairs(plan: Plan, one: Statistic, std: float, rows: float | None) -> Reach:
    """Of the ranks of two numbers."""
    std *= math.sqrt(groups(plan, one)) * required(one.bins)
    least = max(3.0, (ENOUGH_PAIRS + 2) * std)
    n = rows or least
    effect = math.sqrt(noncentrality(1) * (1 / n + (std / n) ** 2))
    return _reach(least, rows, min(effect, 1.0), "correlation of ranks")
