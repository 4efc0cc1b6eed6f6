"""What a kind of statistic opens of rows without noise, for an owner's policy to judge (`learning/selection`).

Numbers are added up over the rows of each place of a table: all rows, or those of each value of a category. What an
opened sum is of are the rows that add to it. Whoever knows how many there are also has the sum of distances from either
end of a declared range, and to that a row at this end adds nothing: a range that all rows but one are clamped to makes
a column that is 1 at that row, and its product with another column is that row's value. So distances are judged from
both ends, and products of distances where products open.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import combinations_with_replacement
from typing import Never

from potluck.core.plan import Plan, Statistic, required


@dataclass(frozen=True, slots=True)
class Axis:
    """What a table counts rows by: the values of a category, unless one of these says otherwise.

    edges: between which numbers of a column lie. sides: of a category, places of values that are counted together; all
    other values are one more side. faults: words for what may be wrong with a cell, after the place of cells as
    declared: it is missing; then of a number below or above `edges`, of a category undeclared.
    """

    column: str
    edges: tuple[float, ...] | None = None
    sides: tuple[tuple[int, ...], ...] = ()
    faults: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, order=True)
class Number:
    """A column's numbers, clamped to their range; less: another column's are taken off. link: they are an offset of a
    regression of this family, and what is meant is what each row weighs by it."""

    column: str
    less: str = ""
    link: str = ""


Product = tuple[Number, ...]
"""Numbers that are multiplied by each other and added up; of one: the number itself."""


@dataclass(frozen=True, slots=True)
class Table:
    """Rows whose numbers open together: those of each place of `axes`, without axes all that count and each group.

    products: what is added up over them. parameters: how many numbers are fitted to them. clusters: a column by which
    rows are added up before their products are; distinct: one whose values are counted, each once.
    """

    axes: tuple[Axis, ...] = ()
    products: tuple[Product, ...] = ()
    parameters: int = 0
    clusters: str | None = None
    distinct: str | None = None


Opens = Callable[[Plan, Statistic], Iterable[Table]]


def rows_alone(plan: Plan, one: Statistic) -> tuple[Table, ...]:
    """How many rows count, of all and by group; the steps of a scale are not judged one by one."""
    return ()


def elsewhere(*given: object) -> Never:
    """Of a kind that is a word for others, or is made of them: these say it."""
    raise TypeError("what a statistic opens is said by its parts")


def sums(plan: Plan, one: Statistic) -> tuple[Table, ...]:
    """Of its column."""
    return (Table(products=((Number(required(one.column)),),)),)


def squares(plan: Plan, one: Statistic) -> tuple[Table, ...]:
    """Of its column, or of each of its columns, beside sums."""
    names = one.columns or (required(one.column),)
    return (Table(products=tuple(product for name in names for product in _powers(Number(name)))),)


def gram(plan: Plan, one: Statistic) -> tuple[Table, ...]:
    """Of its columns, with each other, beside sums."""
    return (Table(products=among([Number(name) for name in one.columns])),)


def among(numbers: Iterable[Number]) -> tuple[Product, ...]:
    """Each number, and each product of two."""
    numbers = list(numbers)
    return (*((one,) for one in numbers), *combinations_with_replacement(numbers, 2))


def _powers(one: Number) -> tuple[Product, ...]:
    return (one,), (one, one)
