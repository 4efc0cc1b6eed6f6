"""How many rows have each level of a column, as all tables that it stands in tell: its own, and those of its pairs.

It is the estimate of least squares (Gauss and Markov): each count by how well it is known, and what a group of levels
has too much or too little is shared evenly.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np

from potluck.core.stages import Floats
from potluck.learning.synthesis.axes import Axis
from potluck.learning.synthesis.tables import Counts


@dataclass(frozen=True, slots=True, eq=False)
class Known:
    """rows [size]: of each level; std [size]: the noise in each."""

    rows: Floats = field(repr=False)
    std: Floats = field(repr=False)


def known(axis: Axis, own: Counts, margins: Iterable[Counts]) -> Known:
    """A column's levels. own: [size, target] its own table; margins: of its pairs, by its levels or by its groups."""
    rows, by = own.values.sum(axis=1), own.values.shape[1]
    if not own.std:
        return Known(rows, np.zeros(axis.size))
    sure = 1 / (by * own.std**2)
    total, of_groups, surely = rows * sure, np.zeros(axis.grouped), 0.0
    for one in margins:
        weight = one.std**-2
        if len(one.values) == axis.size:
            total, sure = total + one.values * weight, sure + weight
        else:
            of_groups, surely = of_groups + one.values * weight, surely + weight
    many = np.bincount(axis.groups)
    group = sure / many  # how surely the levels by themselves tell of a group
    found = total / sure
    wanted = (np.bincount(axis.groups, found) * group + of_groups) / (group + surely)
    found = found + ((wanted - np.bincount(axis.groups, found)) / many)[axis.groups]
    variance = (1 - 1 / many) / sure + 1 / (group + surely) / many**2
    return Known(found, np.sqrt(variance)[axis.groups])


def refined(axis: Axis, coarse: Counts, across: Axis, fine: Counts) -> Counts:
    """Counts of a pair by levels, brought nearer to the same by groups: by how well each is known, shared evenly."""
    if not fine.std:
        return fine
    places = np.ix_(axis.groups, across.groups)
    many = np.outer(np.bincount(axis.groups), np.bincount(across.groups))
    sums = np.zeros(many.shape)
    np.add.at(sums, places, fine.values)
    part = fine.std**2 / (many * fine.std**2 + coarse.std**2)
    return Counts(fine.values + ((coarse.values - sums) * part)[places], fine.std)
