"""The tables of counts that are summed in one round, laid out one after another."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import accumulate, combinations

import numpy as np

from potluck.core.stages import Floats
from potluck.learning.data.units import Index
from potluck.learning.statistics.sums import Part
from potluck.learning.synthesis.axes import Axis

Edge = tuple[int, int]
"""Two axes, by their places, the lower one first."""


@dataclass(frozen=True, slots=True)
class Side:
    """An axis of a table, by its place. coarse: by its groups alone."""

    axis: int
    coarse: bool = False


@dataclass(frozen=True, slots=True)
class Table:
    """Counts by these axes. weight: what a row adds to its cell, a whole number: counts are known so many times
    better."""

    sides: tuple[Side, ...]
    weight: int = 1


@dataclass(frozen=True, slots=True, eq=False)
class Counts:
    """A table as it was opened. values: counts in its shape; std: the noise in each."""

    values: Floats = field(repr=False)
    std: float


@dataclass(frozen=True, slots=True)
class Tables:
    """Tables over these axes. A row is in one cell of each table at most."""

    axes: Sequence[Axis]
    each: tuple[Table, ...]

    def shape(self, table: Table) -> tuple[int, ...]:
        """Of one of them."""
        return tuple(self.axes[one.axis].grouped if one.coarse else self.axes[one.axis].size for one in table.sides)

    @property
    def sizes(self) -> list[int]:
        """Cells of each."""
        return [math.prod(self.shape(table)) for table in self.each]

    @property
    def size(self) -> int:
        """Of all."""
        return sum(self.sizes)

    @property
    def weights(self) -> Floats:
        """[tables] what a row adds to each."""
        return np.array([table.weight for table in self.each], np.float64)

    @property
    def norm(self) -> float:
        """The L2 norm of what a row adds."""
        return math.sqrt(sum(table.weight**2 for table in self.each))

    def places(self, columns: Mapping[str, Floats], index: Index) -> Index:
        """[k, tables] the cell of each of these rows in all that is summed; -1 where it is in none."""
        fine = [axis.codes(columns[axis.name][index]) for axis in self.axes]
        coarse = [np.where(codes < 0, -1, axis.groups[codes]) for axis, codes in zip(self.axes, fine, strict=True)]
        found = np.empty((len(index), len(self.each)), np.int64)
        starts = accumulate(self.sizes, initial=0)
        for place, (table, start) in enumerate(zip(self.each, starts, strict=False)):
            cell, there = np.zeros(len(index), np.int64), np.ones(len(index), np.bool_)
            for side, size in zip(table.sides, self.shape(table), strict=True):
                codes = (coarse if side.coarse else fine)[side.axis]
                cell, there = cell * size + codes, there & (codes >= 0)
            found[:, place] = np.where(there, start + cell, -1)
        return found

    def opened(self, part: Part) -> list[Counts]:
        """Each table of what was opened."""
        ends, std = [*accumulate(self.sizes)][:-1], float(part.std[0])
        each = zip(np.split(part.values, ends), self.each, strict=True)
        return [Counts(values.reshape(self.shape(one)) / one.weight, std / one.weight) for values, one in each]


def others(axes: Sequence[Axis], target: int | None) -> list[int]:
    """All axes but the target's."""
    return [place for place in range(len(axes)) if place != target]


def first(axes: Sequence[Axis], target: int | None) -> Tables:
    """Each column, by the target; then each pair of columns by groups. A column counts as often as there are pairs that
    it stands in: they rest on it."""
    rest = others(axes, target)
    pairs = [Table((Side(one, True), Side(other, True))) for one, other in combinations(rest, 2)]
    return _weighed(axes, _alone(rest, target), pairs, max(len(rest) - 1, 1))


def second(axes: Sequence[Axis], target: int | None, edges: Iterable[Edge]) -> Tables:
    """Each column once more, then the pairs of columns of a tree."""
    pairs = [Table((Side(one), Side(other))) for one, other in edges]
    return _weighed(axes, _alone(others(axes, target), target), pairs, 1)


def _alone(rest: Iterable[int], target: int | None) -> list[Table]:
    by = () if target is None else (Side(target),)
    return [Table((Side(one), *by)) for one in rest]


def _weighed(axes: Sequence[Axis], alone: Iterable[Table], pairs: Iterable[Table], uses: int) -> Tables:
    """All of them, with weights. uses: how often a table of one column counts.

    Noise of standard deviation s / w in each of c cells is off by c s / w in L1. At a given norm, which is the root of
    all w squared, the sum of that is least where each w is as the cube root of c.
    """
    every = [(table, uses) for table in alone] + [(table, 1) for table in pairs]
    cells = Tables(axes, tuple(table for table, _ in every)).sizes
    weights = [max(1, round((many * often) ** (1 / 3))) for many, (_, often) in zip(cells, every, strict=True)]
    return Tables(axes, tuple(replace(table, weight=weight) for weight, (table, _) in zip(weights, every, strict=True)))
