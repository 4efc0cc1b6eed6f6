"""Areas under the curve and their intervals.

References: DeLong, DeLong, Clarke-Pearson 1988, "Comparing the areas under two or more correlated receiver
operating characteristic curves"; Wilson 1927, "Probable inference, the law of succession, and statistical inference".
"""

import math

import numpy as np

from potluck.core.stages import Floats

Z = 1.959963984540054
"""The normal quantile of a 95 % interval."""


def auc_of(negative: Floats, positive: Floats) -> float | None:
    """The area under the curve of two (perhaps noised) histograms of scores [bins]; a tie counts half.

    None where a side is empty or the noise leaves no area in [0, 1].
    """
    area = reckoned(negative, positive)
    return area if area is not None and 0 <= area <= 1 else None


def reckoned(negative: Floats, positive: Floats) -> float | None:
    """The same, below 0 or above 1 where noise brings it there. None where a side is empty."""
    below = np.cumsum(negative) - negative / 2
    if negative.sum() <= 0 or positive.sum() <= 0:
        return None
    return float((positive * below).sum()) / float(negative.sum() * positive.sum())


def curve(negative: Floats, positive: Floats) -> tuple[float, tuple[float, float]] | None:
    """(area, its 95 % interval) by exact ranks of scores; None where a side is empty."""
    if not len(negative) or not len(positive):
        return None
    beats = _placements(np.sort(negative), positive)
    loses = _placements(np.sort(positive), negative)
    area = float(beats.mean())
    variance = (beats.var(ddof=1) / len(beats) if len(beats) > 1 else 0.0) + (
        loses.var(ddof=1) / len(loses) if len(loses) > 1 else 0.0
    )
    reach = Z * math.sqrt(float(variance))
    return area, (max(0.0, area - reach), min(1.0, area + reach))


def _placements(ordered: Floats, scores: Floats) -> Floats:
    """Of each score: the share of `ordered` below it, ties half."""
    low, high = np.searchsorted(ordered, scores, "left"), np.searchsorted(ordered, scores, "right")
    return np.asarray((low + high) / (2 * len(ordered)), dtype=np.float64)


def wilson(hits: int, count: int) -> tuple[float, float]:
    """The 95 % interval of a share."""
    share, square = hits / count, Z * Z / count
    centre = (share + square / 2) / (1 + square)
    reach = Z / (1 + square) * math.sqrt(share * (1 - share) / count + square / (4 * count))
    return max(0.0, centre - reach), min(1.0, centre + reach)
