"""Sums of numbers as sums of distances from the ends of their declared ranges (`statistics/opens.py`)."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np

from potluck.core.plan import Plan, required
from potluck.core.stages import Floats
from potluck.learning.data.declared import find
from potluck.learning.statistics.opens import Number, Product
from potluck.learning.statistics.regressions.families import FAMILIES


@dataclass(frozen=True, slots=True)
class Distance:
    """How far a column's number, clamped to [low, high], lies from a point, or from another column's."""

    column: str
    low: float
    high: float
    away: "float | Distance"

    @property
    def words(self) -> str:
        """For the owner: which rows it is not 0 at."""
        if isinstance(self.away, Distance):
            return f"{self.column} other than {self.away.column}"
        if self.away == self.low:
            return f"{self.column} above {self.low:g}"
        return f"{self.column} below {self.high:g}" if self.away == self.high else f"{self.column} other than 0"

    def clamped(self, columns: Mapping[str, Floats]) -> Floats:
        """[n]."""
        return np.clip(columns[self.column], self.low, self.high)

    def of(self, columns: Mapping[str, Floats]) -> Floats:
        """[n], 0 or more."""
        away = self.away.clamped(columns) if isinstance(self.away, Distance) else self.away
        return np.abs(self.clamped(columns) - away)


@dataclass(frozen=True, slots=True)
class Weight:
    """What a column's number, clamped to [low, high], makes a row weigh as an offset of a regression. place: by which
    of its family's sums."""

    column: str
    low: float
    high: float
    family: str
    place: int

    @property
    def words(self) -> str:
        """For the owner: which rows it is large at."""
        return f"those that {self.column} makes weigh most"

    def of(self, columns: Mapping[str, Floats]) -> Floats:
        """[n], above 0."""
        return FAMILIES.of(self.family).weighs[self.place](np.clip(columns[self.column], self.low, self.high))


@dataclass(frozen=True, slots=True)
class Sum:
    """A product of distances and weights, of each row, that is added up."""

    factors: tuple[Distance | Weight, ...]

    @property
    def words(self) -> str:
        """For the owner: of which rows it is."""
        return " and ".join(dict.fromkeys(one.words for one in self.factors))

    def of(self, columns: Mapping[str, Floats]) -> Floats:
        """[n], 0 where a row adds nothing; without a value nan, of rows that do not count."""
        found = self.factors[0].of(columns)
        for one in self.factors[1:]:
            found = found * one.of(columns)
        return found

    def weight(self, columns: Mapping[str, Floats]) -> Floats:
        """[n] what rows weigh in it, wherever they lie; 1 where all weigh alike."""
        found = np.ones(len(columns[self.factors[0].column]))
        for one in self.factors:
            if isinstance(one, Weight):
                found *= one.of(columns)
        return found


def sums_of(plan: Plan, products: Sequence[Product]) -> tuple[Sum, ...]:
    """Of products, each from either end of every number in it."""
    found: dict[tuple[Distance | Weight, ...], None] = {}
    for one in products:
        for factors in product(*(_ends(plan, number) for number in one)):
            found[tuple(sorted(factors, key=repr))] = None
    return tuple(map(Sum, found))


def _ends(plan: Plan, one: Number) -> Iterator[Distance | Weight]:
    low, high = required(find(plan, one.column)).bounds
    if one.link:
        yield from (Weight(one.column, low, high, one.link, at) for at in range(len(FAMILIES.of(one.link).weighs)))
        return
    if one.less:
        less, bounds = one.less, required(find(plan, one.less)).bounds
        yield Distance(one.column, low, high, Distance(less, *bounds, bounds[0]))
        return
    for away in (low, high, *([0.0] if low < 0 < high else [])):
        yield Distance(one.column, low, high, away)
