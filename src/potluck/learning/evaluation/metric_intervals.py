"""95 % intervals of metrics that are read off sums: for these held-out rows, and for rows like them.

Each interval holds all candidates that a test does not refuse. A metric solves an equation H = 0 in the sums, so at a
candidate H is as far from zero as the noise in the sums moves it: it is refused where H^2 > Z^2 Var H. `Within.noise`
takes the noise alone: it is of the value on these very rows, by the same bins. `Within.population` adds what drawing
the rows contributes: it is of the value on rows of the same kind. Where the noise drowns the sums nothing is refused,
and the interval is the whole range.

Expectation and variance of H are exact for independent normal noise: products of two noised sums are freed of what the
noise adds to them. Rows count as drawn independently, errors and targets of a regression as normal and unrelated;
with correlated rows (several of one person) intervals of a population are too narrow.
References: Fieller 1954, "Some problems in interval estimation"; Hanley and McNeil 1982, "The meaning and use of the
area under a receiver operating characteristic curve"; Wilson 1927, "Probable inference"; Zou and Donner 2008,
"Construction of confidence limits about effect measures: a general approach" (`mean`).
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from potluck.core.stages import Floats
from potluck.learning.evaluation.intervals import Interval, Noised
from potluck.learning.evaluation.ranking import Z

Excess = Callable[[Floats], Floats]
"""Of candidates: H^2 - Z^2 Var H."""
UNIT: Interval = (0.0, 1.0)
_EVERY, _NEAR = np.linspace(0.0, 1.0, 201), np.geomspace(1e-10, 1.0, 240)
"""Candidates: shares of the range, and steps away from the value itself, since an interval may be narrow."""
_BETWEEN = np.linspace(0.0, 1.0, 65)
FEW = 3.0
"""So many times the noise, and a bin says how positives and negatives stand in it."""


@dataclass(frozen=True, slots=True)
class Within:
    """A metric's two intervals: of these rows (None without noise: the value is exact), and of rows like them."""

    noise: Interval | None
    population: Interval


def area(negative: Floats, positive: Floats, std: float) -> Within:
    """Of the area under the curve of two histograms of scores [bins], with noise `std` in each cell; ties count half.

    H(a) = sum over pairs of bins of n_i p_j (k_ij - a), where k is 1 below, 1/2 at and 0 above.
    """
    bins = len(negative)
    count, other = float(negative.sum()), float(positive.sum())
    beats = np.cumsum(negative) - negative / 2  # n k
    beaten = other - np.cumsum(positive) + positive / 2  # k p
    wins = float(beats @ positive)
    # The squares and the sum of k itself.
    squares, total = bins * (bins - 1) / 2 + bins / 4, bins**2 / 2
    variance = std * std

    def test(a: Floats) -> tuple[Floats, Floats]:
        spread = squares - 2 * a * total + (a * bins) ** 2
        moved = float(beats @ beats + beaten @ beaten) + bins * a**2 * (count**2 + other**2)
        moved = moved - 2 * a * float(count * beats.sum() + other * beaten.sum())
        least = variance * variance * spread
        return wins - a * count * other, np.maximum(variance * moved - least, least)

    m, n = max(count, 1.0), max(other, 1.0)

    def drawn(a: Floats) -> Floats:
        first, second = a / (2 - a) - a * a, 2 * a * a / (1 + a) - a * a
        return m * n * (a * (1 - a) + (n - 1) * first + (m - 1) * second)

    return _both(test, drawn, UNIT, std > 0, wins / (count * other) if count * other else 0.5)


def tied(negative: Floats, positive: Floats, std: float) -> float:
    """The share of pairs of a negative and a positive that fall into one bin, freed of what the noise may add to it.

    By ranks the area is within half of it of the area by bins.
    """
    pairs = float(negative.sum() * positive.sum())
    if negative.sum() <= 0 or positive.sum() <= 0:
        return 0.0
    noise = std * math.sqrt(float(negative @ negative + positive @ positive))
    return min(1.0, max(0.0, (float(negative @ positive) - 2 * noise) / pairs))


def unsorted(negative: Floats, positive: Floats, std: float) -> float:
    """About how much larger the area is by ranks than by bins, of a model that tells rows apart within a bin as its
    neighbours say: at least 0.

    If the logarithm of the ratio of positives to negatives rises by d over a bin, evenly, a positive in it has a higher
    score than a negative with the chance 1/2 + d / 12 (to first order), where ties count 1/2. d is read off the bins to
    either side, of those in which both are more than FEW times the noise, if two are: in others the ratio is unknown.
    """
    least, pairs = max(std, 1.0), float(negative.sum() * positive.sum())
    if len(negative) < 2 or negative.sum() <= 0 or positive.sum() <= 0:
        return 0.0
    ratios, every = np.log(np.maximum(positive, least) / np.maximum(negative, least)), np.arange(len(negative))
    told = np.flatnonzero(np.minimum(negative, positive) > FEW * least)
    told = told if len(told) > 1 else every
    rises = np.interp(every, told, np.gradient(ratios[told], told))
    inside = np.maximum(negative, 0.0) * np.maximum(positive, 0.0)
    return max(0.0, float(inside @ np.clip(rises / 12, -0.5, 0.5)) / pairs)


def widened(found: Within, below: float, above: float) -> Within:
    """Intervals of a share with so much more to either side."""

    def wider(ends: Interval) -> Interval:
        return max(0.0, ends[0] - below), min(1.0, ends[1] + above)

    return _each(found, wider)


def share(hits: Noised, misses: Noised) -> Within:
    """Of hits / (hits + misses), two counts with independent noise. Without noise the population's is Wilson's."""
    rows = hits.value + misses.value

    def test(a: Floats) -> tuple[Floats, Floats]:
        return (1 - a) * hits.value - a * misses.value, ((1 - a) * hits.std) ** 2 + (a * misses.std) ** 2

    def drawn(a: Floats) -> Floats:
        return max(rows, 1.0) * a * (1 - a)

    return _both(test, drawn, UNIT, hits.std > 0, hits.value / rows if rows else 0.5)


def ratio(errors: Noised, rows: Noised, most: float) -> Within:
    """Of errors / rows, a mean of squares: at most `most`, math.inf where nothing is declared."""

    def test(x: Floats) -> tuple[Floats, Floats]:
        return (1 - x) * errors.value - x * rows.value, ((1 - x) * errors.std) ** 2 + (x * rows.std) ** 2

    def drawn(x: Floats) -> Floats:
        return 2 * x**2 * max(rows.value, 1.0)

    last = 1.0 if math.isinf(most) else most / (1 + most)
    found = _both(test, drawn, (0.0, last), rows.std > 0, _odds(errors.value, rows.value))
    return _each(found, lambda ends: (_ratio(ends[0]), min(most, _ratio(ends[1]))))


def explained(rows: Noised, errors: Noised, total: Noised, squares: Noised) -> Within:
    """Of r2 = 1 - errors / (squares - total^2 / rows): from -math.inf to 1.

    H(v) = E N - v (S N - T^2) for v = 1 - r2 = x / (1 - x), times 1 - x.
    """
    n, e, t, s = rows.value, errors.value, total.value, squares.value
    vn, ve, vt, vs = rows.std**2, errors.std**2, total.std**2, squares.std**2
    spread = s * n - t * t + vt

    def test(x: Floats) -> tuple[Floats, Floats]:
        u = 1 - x
        mixed, noise = u * e - x * s, u**2 * ve + x**2 * vs
        least = noise * vn + 2 * (x * vt) ** 2
        return u * e * n - x * spread, np.maximum(vn * mixed**2 + n * n * noise + 4 * vt * (x * t) ** 2 - least, least)

    def drawn(x: Floats) -> Floats:
        return 4 * (x * spread) ** 2 / max(n, 1.0)

    found = _both(test, drawn, UNIT, rows.std > 0, _odds(e * n, spread))
    return _each(found, lambda ends: (1 - _ratio(ends[1]), 1 - _ratio(ends[0])))


def regression(
    rows: Noised, errors: Noised, total: Noised, squares: Noised, most: float, width: float
) -> dict[str, Within]:
    """Of r2, and of rmse = sqrt(errors / rows) `width`. most: as in `ratio`."""
    squared = ratio(errors, rows, most)
    return {
        "r2": explained(rows, errors, total, squares),
        "rmse": _each(squared, lambda ends: (math.sqrt(ends[0]) * width, math.sqrt(ends[1]) * width)),
    }


def mean(values: Sequence[float | None], each: Sequence[Within]) -> Within:
    """Of the mean of a metric of several labels, by its values and their intervals.

    Noise in one label's cells is independent of that in others', so squares of distances to the ends add up. Rows are
    the same for all labels: of a population it is the mean of the ends, which holds however labels go together.
    """
    ends = np.array([one.population for one in each]).mean(axis=0).tolist()
    noise = np.array([one.noise for one in each if one.noise is not None])
    if not len(noise):
        return Within(None, tuple(ends))
    known = [value for value in values if value is not None]
    if len(known) < len(each):
        return Within(tuple(noise.mean(axis=0).tolist()), tuple(ends))
    below, above = (np.sqrt(((noise - np.array(known)[:, None]) ** 2).sum(axis=0)) / len(each)).tolist()
    centre = float(np.mean(known))
    return Within((max(0.0, centre - below), min(1.0, centre + above)), tuple(ends))


def _both(
    test: Callable[[Floats], tuple[Floats, Floats]], drawn: Excess, widest: Interval, noisy: bool, centre: float
) -> Within:
    def noise(x: Floats) -> Floats:
        distance, variance = test(x)
        return distance**2 - Z * Z * variance

    def population(x: Floats) -> Floats:
        return noise(x) - Z * Z * drawn(x)

    return Within(_kept(noise, widest, centre) if noisy else None, _kept(population, widest, centre))


def _kept(excess: Excess, widest: Interval, centre: float) -> Interval:
    """The least interval that holds every candidate within `widest` that is not refused; where all are, `widest`."""
    low, high = widest
    every = np.concatenate([low + (high - low) * _EVERY, centre - _NEAR, [centre], centre + _NEAR])
    grid = np.sort(np.clip(every, low, high))
    inside = np.flatnonzero(excess(grid) <= 0)
    if not len(inside):
        return widest
    first, last = int(inside[0]), int(inside[-1])
    least = low if first == 0 else _edge(excess, grid[first - 1], grid[first])
    most = high if last == len(grid) - 1 else _edge(excess, grid[last + 1], grid[last])
    return least, most


def _edge(excess: Excess, refused: float, kept: float) -> float:
    """Where candidates begin to be kept, between one that is refused and one that is kept."""
    for _ in range(2):
        between = refused + (kept - refused) * _BETWEEN
        first = max(1, int(np.argmax(excess(between) <= 0)))
        refused, kept = between[first - 1], between[first]
    return float(kept)


def _odds(part: float, other: float) -> float:
    """Where part / other lies as x / (1 - x)."""
    part, other = max(part, 0.0), max(other, 0.0)
    return part / (part + other) if part + other > 0 else 0.5


def _ratio(x: float) -> float:
    return math.inf if x >= 1 else x / (1 - x)


def _each(found: Within, change: Callable[[Interval], Interval]) -> Within:
    """The intervals of a function of a metric; of a falling one, `change` swaps the ends."""
    return Within(change(found.noise) if found.noise else None, change(found.population))
