"""Counts and shares with the interval that noise leaves: of these rows."""

from potluck.core.stages import Floats
from potluck.learning.evaluation import metric_intervals
from potluck.learning.evaluation.intervals import Noised
from potluck.learning.evaluation.ranking import Z
from potluck.learning.statistics.result import Estimate, plain


def count(value: float, std: float) -> Estimate:
    """How many rows there are."""
    low, high = (plain(value + side * Z * std, std, True) for side in (-1, 1))
    return Estimate(value=plain(value, std, True), low=low, high=high)


def share(values: Floats, std: Floats, place: int) -> Estimate:
    """Of rows counted at several places, the share of those at one of them.

    Its interval takes a count that noise brought below zero as zero: this is nearer to the truth, whatever it is, so
    that the interval covers it at least as often, and it is never that of nothing known.
    """
    hits = Noised(float(values[place]), float(std[place]))
    others = Noised(float(values.sum() - values[place]), float((std**2).sum() - std[place] ** 2) ** 0.5)
    rows = hits.value + others.value
    if rows <= 0:
        return Estimate(value=None, low=0.0 if hits.std else None, high=1.0 if hits.std else None)
    value = hits.value / rows
    above = (Noised(max(one.value, 0.0), one.std) for one in (hits, others))
    low, high = metric_intervals.share(*above).noise or (value, value)
    return Estimate(value=value, low=low, high=high)


def exact(value: float | None) -> Estimate:
    """A number without noise."""
    return Estimate(value=value, low=value, high=value)
