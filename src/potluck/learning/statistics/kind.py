"""A kind of statistic as one object: what a row adds to its cell of the sum, and what the opened cell says.

A kind is a file in `kinds/` and a line in its table; nothing else knows its name.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from potluck.core.plan import Plan, Statistic
from potluck.core.registry import Registry, table
from potluck.core.stages import Floats
from potluck.learning.data.column import COLUMNS
from potluck.learning.data.encode import scale
from potluck.learning.statistics.result import Result, declared

Check = Callable[[Plan, Statistic, str], Iterator[str]]
Cells = Callable[[Plan, Statistic, Mapping[str, Floats], int], tuple[Floats, Floats]]


@dataclass(frozen=True, slots=True, kw_only=True)
class StatisticKind:
    """One kind of statistic.

    keys: of `[[statistics]]`, those that it reads beside name, kind and by.
    check: what of a statistic, at this key of the plan, does not fit; one line a problem.
    width: how many numbers a cell holds. `by` makes several cells of them.
    cells: of k rows, whose columns [k] are at hand: the place [k] of a row's first number in its cell (NaN: the row has
    no value, and adds nothing), and the numbers [k, m] that it adds from there on.
    most: the largest absolute value of a number of one row; norm: the L2 norm of one row's numbers, in units of `most`.
    read: values [width] and the noise in each, std [width], to the result.
    whole: rows are counted, so numbers are whole; alone: a row adds to one number alone.
    typical: what a row adds on average where values are even over the declared range, for a forecast of a value that
    rests on several numbers; empty: the value is one number of the sum itself, and known as well as that.
    unit: of the value, beside the column's: the same, its square, or none. lists: the value is several numbers.
    """

    keys: frozenset[str]
    check: Check
    cells: Cells
    read: Callable[[Plan, Statistic, Floats, Floats], Result]
    width: Callable[[Plan, Statistic], int] = lambda plan, one: 1
    most: Callable[[Plan, Statistic], float] = lambda plan, one: 1.0
    norm: float = 1.0
    whole: bool = False
    alone: bool = True
    typical: tuple[float, ...] = ()
    unit: Literal["", "same", "square"] = ""
    lists: bool = False


KINDS: Registry[StatisticKind] = table("statistics.kind")


def wanted(plan: Plan, at: str, name: str | None, measured: bool | None = None) -> Iterator[str]:
    """What is wrong with a column that a statistic names. measured: whether it takes numbers on a declared range, or
    else declared values; None: any column."""
    known = " or ".join(word for word, one in COLUMNS.entries.items() if measured in (None, one.measured))
    if name is None:
        yield f"{at}: is missing. hint: name a declared column of kind {known}"
        return
    column = plan.data.columns.get(name)
    if column is None or column.ignored or name == plan.data.person:
        yield f"{at}: {name} is not a declared column. hint: declare it in data.columns"
    elif measured not in (None, COLUMNS.of(column.kind).measured):
        yield f"{at}: {name} is a {column.kind}. hint: it takes a {known}"


def of_numbers(plan: Plan, one: Statistic, at: str) -> Iterator[str]:
    """The check of a kind that takes one column of numbers."""
    yield from wanted(plan, f"{at}.column", one.column, measured=True)


def powers(width: int) -> Cells:
    """The cells of a kind to which a row adds (1, x, x^2, ...), `width` numbers, with x scaled to [-1, 1]."""

    def cells(plan: Plan, one: Statistic, columns: Mapping[str, Floats], rows: int) -> tuple[Floats, Floats]:
        x = columns[one.column or ""]
        return np.where(np.isnan(x), np.nan, 0.0), scale(x, *declared(plan, one))[:, None] ** np.arange(width)

    return cells
