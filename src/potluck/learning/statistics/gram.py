"""What a row adds of several numbers at once: (1, x, upper triangle of x x^T), each number scaled to [-1, 1].

Variances read off such sums have an error of their own. Each row is cut off by less than a step of the grid in each
number, so that a mean is sure to a step h, and a variance, which is the mean square less the square of the mean, to
h (1 + 2 |mean|). Where numbers differ by little of their declared range, that is much of it. A variance that is no
larger is 0: sums cannot tell such a column from one that is the same in all rows.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from potluck.core.plan import Plan, Statistic, repeated
from potluck.core.stages import Floats
from potluck.learning.data.sql.layers import Layer
from potluck.learning.statistics.kind import ONE, Cells, scaled, wanted
from potluck.learning.statistics.reading import names
from potluck.learning.statistics.result import EVERYBODY
from potluck.learning.statistics.sums import Part

SURE = 1e-4
"""A variance that may be off by more of itself has fewer than four digits that are sure."""
LISTED = 3
"""So many groups are named."""


@dataclass(frozen=True, slots=True, eq=False)
class Moments:
    """mean [p]; spread [p, p]: covariances, divided by rows; lost [p]: how far off variances may be, at most."""

    rows: float = field(repr=False)
    mean: Floats = field(repr=False)
    spread: Floats = field(repr=False)
    lost: Floats = field(repr=False)


def of_several(plan: Plan, one: Statistic, at: str) -> Iterator[str]:
    """The check of a kind that takes two or more different numbers."""
    if len(one.columns) < 2 or repeated(one.columns):
        yield f'{at}.columns: at least two different columns. hint: columns = ["age", "chol"]'
        return
    for name in one.columns:
        yield from wanted(plan, f"{at}.columns", name, measured=True)


def width(plan: Plan, one: Statistic) -> int:
    """How many numbers a row adds."""
    size = len(one.columns) + 1
    return size * (size + 1) // 2


def norm(plan: Plan, one: Statistic) -> float:
    """The L2 norm of what a row adds, at most: every number lies within [-1, 1]."""
    return math.sqrt(width(plan, one))


def cells(plan: Plan, one: Statistic, columns: Mapping[str, str], layer: Layer) -> Cells:
    """A row's numbers, row by row of the triangle."""
    xs = [scaled(plan, name, columns, layer) for name in one.columns]
    products = (f"{x} * {y}" for place, x in enumerate(xs) for y in xs[place:])
    return Cells((ONE, *xs, *products))


def products(rows: Floats) -> Floats:
    """[n, d (d + 1) / 2] the upper triangle of x x^T of each row [n, d]."""
    i, j = np.triu_indices(rows.shape[1])
    return np.asarray(rows[:, i] * rows[:, j], dtype=np.float64)


def square(upper: Floats) -> Floats:
    """[d, d], symmetric, of its upper triangle [d (d + 1) / 2]."""
    size = (math.isqrt(8 * len(upper) + 1) - 1) // 2
    found = np.zeros((size, size))
    found[np.triu_indices(size)] = upper
    return np.asarray(found + np.triu(found, 1).T, dtype=np.float64)


def variances(rows: Floats, totals: Floats, squares: Floats, blur: float) -> tuple[Floats, Floats, Floats]:
    """Means, variances (divided by rows) and how far off these may be, of sums of numbers on [-1, 1] and of their
    squares, all [...]; nan where there are no rows. blur: of `sums.Part`; 0: variances are left as they come out."""
    safe = np.where(rows > 0, rows, np.nan)
    mean = totals / safe
    spread, lost = squares / safe - mean**2, blur * (1 + 2 * np.abs(mean)) * (rows > 1)
    return mean, np.where((spread <= lost) | (rows == 1), 0.0, spread) if blur else spread, lost


def covariances(sums: Floats, blur: float) -> Moments:
    """Of a `square` of more than no rows. Where a variance is 0 for all that is known, so are its covariances."""
    rows = float(sums[0, 0])
    mean, own, lost = variances(sums[0, 0], sums[0, 1:], np.diag(sums)[1:], blur)
    sure = np.outer(own, own) > 0 if blur else np.full((len(own), len(own)), True)
    spread = np.where(sure, sums[1:, 1:] / rows - np.outer(mean, mean), 0.0)
    return Moments(rows, mean, np.asarray(spread, dtype=np.float64), lost)


def is_sure(variance: Floats, lost: Floats) -> NDArray[np.bool_]:
    """Whether so many digits of it are known that nobody need look."""
    return np.asarray(lost <= SURE * variance)


def unsure(plan: Plan, one: Statistic, part: Part) -> Iterator[str]:
    """A line a column whose variance has few sure digits, of an opened statistic of such sums [groups, width]."""
    size = (math.isqrt(8 * part.values.shape[1] + 1) - 3) // 2
    columns = one.columns if len(one.columns) == size else (" less ".join(one.columns) or one.column or "",)
    few = {name: list[str]() for name in columns}
    groups = [f"{one.by} = {name}" for name in names(plan, one)]
    for where, cell in (*zip(groups, part.groups(), strict=False), (EVERYBODY, part.together())):
        if cell.values[0] > 0:
            made = covariances(square(cell.values), part.blur)
            for place in np.flatnonzero(~is_sure(np.diag(made.spread), made.lost)):
                few[columns[place]].append(where)
    for name, found in few.items():
        if found:
            yield narrow(one, f"{name} ({listed(found)})" if one.by else name, "all rows")


def narrow(one: Statistic, column: str, rows: str) -> str:
    """The line of a column whose variance among these rows is not sure."""
    what = f"{column} is the same in {rows}, or differs by so little of its declared range"
    return f"{one.name}: {what} that its variance has fewer than four sure digits. hint: declare a narrower range"


def listed(names: Sequence[str]) -> str:
    """Some names, the first ones if they are many."""
    return f"{', '.join(names[:LISTED])}{', and others' if len(names) > LISTED else ''}"
