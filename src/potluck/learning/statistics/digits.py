"""How many digits a variance has that is read off sums of numbers and of their products, without noise.

Each row is cut off by less than a step of the grid in each number. So with numbers on [-1, 1] a mean is sure to a step,
and a variance, which is the mean square less the square of the mean, to a step times 1 + 2 |mean|. Where numbers differ
by little of their declared range, that is much of it.
"""

import math

import numpy as np

from potluck.core.plan import Plan, Statistic
from potluck.core.stages import Floats
from potluck.learning.statistics import gram
from potluck.learning.statistics.reading import names
from potluck.learning.statistics.result import EVERYBODY

SURE = 1e-4
"""A variance that may be off by more of itself has fewer than four digits that are sure."""
DOUBLES = 2.0**-51
"""More than what doubles get wrong about a mean of numbers on [-1, 1], or of their squares."""
LISTED = 3
"""So many groups are named."""


def settled(plan: Plan, one: Statistic, values: Floats, step: float) -> tuple[Floats, list[str]]:
    """The opened numbers [groups, width] of a kind that adds `products`, and a line a column whose digits are not sure.

    Where no digit of a variance is sure it is brought below zero, of which kinds make nothing, and covariances with it
    to zero. In the total that is done in the last group, which is the only one, or "other", which no kind shows alone.
    The variance of a single row is zero.
    """
    size = (math.isqrt(8 * values.shape[1] + 1) - 3) // 2
    columns = one.columns if len(one.columns) == size else (" less ".join(one.columns) or one.column or "",)
    down, across = (place[size + 1 :] - 1 for place in np.triu_indices(size + 1))
    found, few = values.copy(), {name: list[str]() for name in columns}
    groups = [f"{one.by} = {name}" for name in names(plan, one)]
    for place in range(len(groups) + 1):
        whole = place == len(groups)
        cell = values.sum(axis=0) if whole else values[place]
        if cell[0] < 1:
            continue
        rows, mean, spread = gram.covariances(gram.square(cell, size))
        error, own = (step + DOUBLES) * (1 + 2 * np.abs(mean)), np.diag(spread)
        lost = (own <= error) | (rows == 1)
        nothing = rows * (mean[down] * mean[across] - DOUBLES * (rows > 1) * (down == across))
        others = found[:place].sum(axis=0)[size + 1 :] if whole else 0.0
        mine = found[place, size + 1 :]
        found[place, size + 1 :] = np.where(lost[down] | lost[across], nothing - others, mine)
        for name in np.array(columns)[(error > SURE * own) & (rows > 1)]:
            few[str(name)].append(EVERYBODY if whole else groups[place])
    return found, [_line(one, name, where) for name, where in few.items() if where]


def _line(one: Statistic, column: str, groups: list[str]) -> str:
    which = f" ({', '.join(groups[:LISTED])}{', and others' if len(groups) > LISTED else ''})" if one.by else ""
    what = f"{column}{which} is the same in all rows, or differs by so little of its declared range"
    return f"{one.name}: {what} that its variance has fewer than four sure digits. hint: declare a narrower range"
