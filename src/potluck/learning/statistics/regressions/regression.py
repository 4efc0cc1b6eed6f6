"""What a regression is of: its family, the columns that it reads, and each row's y, x, offset and weight."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from potluck.core.plan import Column, Plan, Statistic, required
from potluck.core.stages import Floats
from potluck.learning.data.declared import find, measured, there
from potluck.learning.statistics.events import events
from potluck.learning.statistics.regressions.design import Design, columns_of, design
from potluck.learning.statistics.regressions.families import FAMILIES, Family


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """Some rows. y, offset, weights [n]: as the fit has them, weights up to 1; x [n, d]."""

    y: Floats = field(repr=False)
    x: Floats = field(repr=False)
    offset: Floats = field(repr=False)
    weights: Floats = field(repr=False)


@dataclass(frozen=True, slots=True)
class Regression:
    """One, of a plan that passed its check. group: a category, and the places of the values whose rows alone are
    fitted; also: columns in which a row needs a value beside."""

    plan: Plan
    one: Statistic
    group: tuple[str, tuple[int, ...]] | None = None
    also: tuple[str, ...] = ()

    @property
    def family(self) -> Family:
        return FAMILIES.of(self.one.family)

    @property
    def design(self) -> Design:
        return design(self.plan, self.one.features, constant=True)

    @property
    def used(self) -> tuple[str, ...]:
        """The columns in which a row needs a value."""
        one = self.one
        beside = filter(None, (one.offset, one.weights, one.cluster))
        return (required(one.target), *columns_of(one.features), *beside)

    @property
    def middle(self) -> float:
        """Of y, in its own units: y is what lies beside it, in `half`s."""
        return sum(self._column(self.one.target).bounds) / 2 if self.family.scaled else 0.0

    @property
    def half(self) -> float:
        low, high = self._column(self.one.target).bounds if self.family.scaled else (-1.0, 1.0)
        return (high - low) / 2

    @property
    def y(self) -> tuple[float, float]:
        """Its range in the fit."""
        if self.family.scaled:
            return -1.0, 1.0
        column = self._column(self.one.target)
        return column.bounds if measured(column) else (0.0, 1.0)

    @property
    def heaviest(self) -> float:
        """The largest weight."""
        return self._column(self.one.weights).bounds[1] if self.one.weights else 1.0

    @property
    def turn(self) -> Floats:
        """[d, d] from coefficients of the fit to those in the data's units; `middle` comes to the intercept."""
        return np.asarray(self.half * self.design.turn, dtype=np.float64)

    def told(self, weights: Floats) -> Floats:
        """[d] coefficients in the data's units."""
        found = np.asarray(self.turn @ weights, dtype=np.float64)
        found[0] += self.middle
        return found

    def eta(self, weights: Floats) -> tuple[float, float]:
        """The least and the largest of x b with the offset, whatever the row."""
        low, high = self.design.reach(weights)
        least, most = self._offset()
        return low + least, high + most

    def reaches(self, weights: Floats) -> bool:
        """Whether sums are asked there: not where single rows would be all of a sum."""
        low, high = self.design.reach(weights)
        return bool(np.isfinite(weights).all()) and max(-low, high) <= self.family.reach

    def counts(self, columns: Mapping[str, Floats]) -> NDArray[np.int64]:
        """Which rows have all that it needs."""
        found = there(self.plan, (*self.used, *self.also), columns)
        if self.group is not None:
            found &= np.isin(columns[self.group[0]], self.group[1])
        return np.flatnonzero(found)

    def batch(self, columns: Mapping[str, Floats], index: NDArray[np.int64]) -> Batch:
        """These rows."""
        some = {name: columns[name][index] for name in self.used}
        nothing = np.zeros(len(index))
        offset = self._clipped(some, self.one.offset) / self.half if self.one.offset else nothing
        weights = self._clipped(some, self.one.weights) / self.heaviest if self.one.weights else nothing + 1
        return Batch(self._y(some), self.design.rows(some, slice(None)), offset, weights)

    def _y(self, some: Mapping[str, Floats]) -> Floats:
        name = required(self.one.target)
        column = self._column(name)
        if measured(column):
            return (self._clipped(some, name) - self.middle) / self.half
        return np.asarray(np.isin(some[name], events(column, self.one.events)), dtype=np.float64)

    def _clipped(self, some: Mapping[str, Floats], name: str | None) -> Floats:
        low, high = self._column(name).bounds
        return np.asarray(np.clip(some[name or ""], low, high), dtype=np.float64)

    def _offset(self) -> tuple[float, float]:
        low, high = self._column(self.one.offset).bounds if self.one.offset else (0.0, 0.0)
        return low / self.half, high / self.half

    def _column(self, name: str | None) -> Column:
        return required(find(self.plan, required(name)))
