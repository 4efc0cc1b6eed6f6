"""The columns of a regression in the data's own units, brought to [-1, 1] by what the plan declares of them.

A number is itself. A category is one column of 0 and 1 a declared value, but for its reference: the one that the plan
says, else the first. "a:b" is the product of two. Each column z = (r - middle) / half has a public linear map back to
the data's units, so that coefficients, errors and intercept are told in those.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

from potluck.core.plan import Column, Plan, required
from potluck.core.stages import Floats
from potluck.core.tables.statistic import factors
from potluck.learning.data.declared import find, measured
from potluck.learning.data.notation import key
from potluck.learning.statistics.regressions.coefficients import INTERCEPT

TIMES = ":"


@dataclass(frozen=True, slots=True)
class Factor:
    """A column, or whether it has one declared value. name: as results call it; code: of that value, None of a number;
    low, high: its range."""

    column: str
    name: str
    code: int | None
    low: float
    high: float

    def of(self, columns: Mapping[str, Floats]) -> Floats:
        """[n] in the data's units, clamped as everywhere."""
        values = columns[self.column]
        if self.code is None:
            return np.clip(values, self.low, self.high)
        return np.asarray(values == self.code, dtype=np.float64)


@dataclass(frozen=True, slots=True)
class Term:
    """One column of the design: a factor, or the product of two."""

    factors: tuple[Factor, ...]

    @property
    def name(self) -> str:
        return TIMES.join(one.name for one in self.factors)

    @property
    def binary(self) -> bool:
        return all(one.code is not None for one in self.factors)

    @property
    def range(self) -> tuple[float, float]:
        """In the data's units."""
        corners = [float(np.prod(one)) for one in product(*((one.low, one.high) for one in self.factors))]
        return min(corners), max(corners)

    @property
    def middle(self) -> float:
        return 0.0 if self.binary else sum(self.range) / 2

    @property
    def half(self) -> float:
        return 1.0 if self.binary else (self.range[1] - self.range[0]) / 2

    @property
    def low(self) -> float:
        """Of z, whose largest value is 1."""
        return 0.0 if self.binary else -1.0

    def scaled(self, columns: Mapping[str, Floats]) -> Floats:
        """z [n]."""
        whole = np.prod([one.of(columns) for one in self.factors], axis=0)
        return np.asarray(np.clip((whole - self.middle) / self.half, self.low, 1.0), dtype=np.float64)


@dataclass(frozen=True, slots=True)
class Design:
    """All terms. constant: with an intercept before them."""

    terms: tuple[Term, ...]
    constant: bool

    @property
    def names(self) -> tuple[str, ...]:
        """[d] as coefficients are called."""
        return ((INTERCEPT,) if self.constant else ()) + tuple(one.name for one in self.terms)

    def rows(self, columns: Mapping[str, Floats], some: NDArray[np.bool_] | slice) -> Floats:
        """[n, d] of some rows."""
        mine = {one.column: columns[one.column][some] for term in self.terms for one in term.factors}
        n = len(next(iter(mine.values())))
        return np.column_stack([np.ones((n, int(self.constant))), *(one.scaled(mine) for one in self.terms)])

    def reach(self, weights: Floats) -> tuple[float, float]:
        """The least and the largest of x w, whatever the row."""
        first = float(weights[0]) if self.constant else 0.0
        rest = weights[int(self.constant) :]
        ends = [sorted((w * one.low, w)) for w, one in zip(rest.tolist(), self.terms, strict=True)]
        return first + sum(low for low, _ in ends), first + sum(high for _, high in ends)

    @property
    def turn(self) -> Floats:
        """[d, d] from coefficients of z to those of the data's units. A centred column moves the intercept."""
        scales = [1.0] * self.constant + [1 / one.half for one in self.terms]
        found = np.diag(np.array(scales))
        if self.constant:
            found[0, 1:] = [-one.middle / one.half for one in self.terms]
        return found

    def shift(self, weights: Floats) -> float:
        """How far x w in the data's units lies above z w, without an intercept."""
        moved = [w * one.middle / one.half for w, one in zip(weights.tolist(), self.terms, strict=True)]
        return float(sum(moved))


def design(plan: Plan, features: Sequence[str], *, constant: bool) -> Design:
    """Of features as a plan names them: columns, or two joined by TIMES."""
    terms: list[Term] = []
    for feature in features:
        terms += map(Term, product(*(_factors(plan, name) for name in factors(feature))))
    return Design(tuple(terms), constant)


def columns_of(features: Sequence[str]) -> tuple[str, ...]:
    """The columns that features are made of, each once."""
    return tuple(dict.fromkeys(name for feature in features for name in factors(feature)))


def faults(plan: Plan, at: str, features: Sequence[str]) -> Iterator[str]:
    """What is wrong with features, but for what is wrong with their columns."""
    if not features:
        yield f'{at}: is missing. hint: features = ["age", "sex"]; two columns joined as in "age:sex" are their product'
    for feature in features:
        parts = factors(feature)
        if find(plan, feature) is not None and len(parts) > 1:
            yield f'{at}: {feature} could be a product. hint: another name, by data.derive with kind = "recode"'
        elif len(parts) > 2 or len(set(parts)) < len(parts):
            yield f'{at}: {feature} is not one column or two different ones. hint: "age:sex"'
    for name in columns_of(features):
        column = find(plan, name)
        if column is not None and not column.ignored and not measured(column) and len(column.values) == 1:
            yield f"{at}: {name} has one declared value, and so explains nothing. hint: leave it out"
    if len(set(features)) < len(features):
        yield f"{at}: a feature is there twice. hint: name each once"


def levels(column: Column) -> tuple[str, ...]:
    """The declared values that become a column: all but the reference."""
    reference = key(column.values[0] if column.reference is None else column.reference)
    return tuple(value for value in column.values if key(value) != reference)


def _factors(plan: Plan, name: str) -> tuple[Factor, ...]:
    column = required(find(plan, name))
    if measured(column):
        return (Factor(name, name, None, *column.bounds),)
    code = {value: place for place, value in enumerate(column.values)}
    return tuple(Factor(name, f"{name}={value}", code[value], 0.0, 1.0) for value in levels(column))
