"""What a sum says of one finished model: numbers with their intervals, curves, and groups beside each other."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from potluck.core.stages import Floats
from potluck.learning.evaluation.confusion import Confusion
from potluck.learning.evaluation.intervals import Interval, Noised, quadratic, within
from potluck.learning.evaluation.metric_intervals import Within, share
from potluck.learning.evaluation.ranking import Z

LEAST = 5.0
"""A share or a mean of fewer rows than so many times the noise in their number is not told: it would be of the noise.
Its intervals are."""


@dataclass(frozen=True, slots=True)
class Measure:
    """A number; None: not defined, or the noise leaves nothing of it.

    noise: 95 % interval of the value on these rows, from the noise alone; None without noise. population: of the value
    on rows like these, noise included; None: nothing is said of them.
    """

    value: float | None
    noise: Interval | None = None
    population: Interval | None = None


@dataclass(frozen=True, slots=True)
class Bin:
    """Rows whose score is in [low, high): how many, and what they are in the mean: the share of positives, or the mean
    of a number. Without rows that is not defined."""

    low: float
    high: float
    rows: Measure
    observed: Measure


@dataclass(frozen=True, slots=True)
class Threshold:
    """What is so if scores of at least `at` are called positive: rates, and the net benefit beside that of calling all
    positive; of none it is 0."""

    at: float
    tpr: Measure
    fpr: Measure
    net_benefit: Measure
    treat_all: Measure


@dataclass(frozen=True, slots=True)
class Judgement:
    """Of one model, or of one of its outputs. measures: by name, rows among them; gaps: how far groups lie apart, by
    what; each: of several labels or classes, each one's own; ties: as of `TwoSided`."""

    measures: Mapping[str, Measure]
    confusion: Confusion | None = None
    calibration: tuple[Bin, ...] = ()
    thresholds: tuple[Threshold, ...] = ()
    groups: Mapping[str, Mapping[str, Measure]] = field(default_factory=dict)
    gaps: Mapping[str, Measure] = field(default_factory=dict)
    each: "Mapping[str, Judgement]" = field(default_factory=dict)
    ties: float = 0.0


def of_within(value: float | None, found: Within) -> Measure:
    """With the intervals of a metric."""
    return Measure(value, found.noise, found.population)


def count(cells: Floats, std: float) -> Measure:
    """How many rows are in these cells, each with noise `std`."""
    total = Noised(float(cells.sum()), std * math.sqrt(cells.size))
    return Measure(total.value if std else round(total.value), total.interval() if std else None)


def proportion(hits: Floats, misses: Floats, std: float) -> Measure:
    """The share of rows in the first cells, of those in any of both."""
    some, rest = (Noised(float(one.sum()), std * math.sqrt(one.size)) for one in (hits, misses))
    rows = some.value + rest.value
    if not std and not rows:
        return Measure(None)
    known = rows > LEAST * math.hypot(some.std, rest.std) and 0 <= some.value <= rows
    value = some.value / rows if known else None
    return of_within(value, share(some, rest))


def mean(cells: Floats, worth: Floats, std: float, widest: Interval) -> Measure:
    """The mean over rows of what a row is worth, which depends on its cell alone. cells, worth: of one shape; widest:
    where it may lie.

    It solves H(v) = sum of cells (worth - v) = 0, so a candidate v is refused where H^2 > Z^2 Var H. Of the noise Var H
    is std^2 sum (worth - v)^2, of drawn rows sum of cells (worth - v)^2, where no cell counts as below 0. Both are
    quadratic in v (Fieller 1954, "Some problems in interval estimation").
    """
    total, rows = float((cells * worth).sum()), float(cells.sum())
    if not std and not rows:
        return Measure(None)
    value = total / rows if rows > LEAST * std * math.sqrt(cells.size) else None
    value = None if value is None or not widest[0] <= value <= widest[1] else value

    def ends(weights: Floats) -> Interval:
        square = Z * Z
        curved = rows**2 - square * float(weights.sum())
        slope = -2 * (total * rows - square * float((weights * worth).sum()))
        return within(quadratic(curved, slope, total**2 - square * float((weights * worth**2).sum())), widest)

    noise = np.full(cells.shape, std * std)
    return Measure(value, ends(noise) if std else None, ends(noise + np.maximum(cells, 0.0)))


def apart(groups: Sequence[Measure]) -> Measure:
    """How far the largest lies above the smallest. Each group's interval holds its own value, so the distance is at
    most what the farthest ends leave, and at least what all ends do."""
    known = [one.value for one in groups if one.value is not None]
    if len(known) < 2:
        return Measure(None)
    some = [one for one in groups if one.value is not None]
    return Measure(
        max(known) - min(known),
        _apart([one.noise for one in some if one.noise is not None]),
        _apart([one.population for one in some if one.population is not None]),
    )


def _apart(ends: Sequence[Interval]) -> Interval | None:
    if len(ends) < 2:
        return None
    pairs = [(one, other) for one in ends for other in ends if one is not other]
    return max(0.0, *(one[0] - other[1] for one, other in pairs)), max(one[1] - other[0] for one, other in pairs)


def less(one: Measure, other: Measure) -> Measure:
    """The first less the second, of two models on the same rows. Their noise is independent, so squares of distances to
    the ends add up; how rows go together is not known, so of a population the distances themselves do."""
    if one.value is None or other.value is None:
        return Measure(None)
    value = one.value - other.value
    noise = _less(one, other, one.noise, other.noise, math.hypot)
    return Measure(value, noise, _less(one, other, one.population, other.population, lambda a, b: a + b))


def _less(
    one: Measure, other: Measure, mine: Interval | None, its: Interval | None, joined: Callable[[float, float], float]
) -> Interval | None:
    if mine is None or its is None or one.value is None or other.value is None:
        return None
    value = one.value - other.value
    below, above = joined(one.value - mine[0], its[1] - other.value), joined(mine[1] - one.value, other.value - its[0])
    return value - below, value + above


def alone(found: Judgement) -> Judgement:
    """Without what is said of a population: of persons with several rows these are no independent sample."""

    def left(one: Measure) -> Measure:
        return replace(one, population=None)

    def each(named: Mapping[str, Measure]) -> dict[str, Measure]:
        return {name: left(one) for name, one in named.items()}

    return replace(
        found,
        measures=each(found.measures),
        calibration=tuple(replace(one, observed=left(one.observed)) for one in found.calibration),
        thresholds=tuple(
            Threshold(one.at, left(one.tpr), left(one.fpr), left(one.net_benefit), left(one.treat_all))
            for one in found.thresholds
        ),
        groups={name: each(one) for name, one in found.groups.items()},
        gaps=each(found.gaps),
        each={name: alone(one) for name, one in found.each.items()},
    )
