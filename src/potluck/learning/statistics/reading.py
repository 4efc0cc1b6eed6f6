"""How a result is read off the cells of its groups, and what noise will leave open of it."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

import msgspec
import numpy as np

from potluck.core.plan import Plan, Statistic, required
from potluck.core.stages import Floats
from potluck.learning.data.declared import find
from potluck.learning.evaluation.intervals import half
from potluck.learning.evaluation.ranking import Z
from potluck.learning.statistics.result import Result, Values
from potluck.learning.statistics.sums import Part

R = TypeVar("R", bound=Result)
Read = Callable[[Plan, Statistic, Part], Result]
"""Of [groups, width]. Without `by` there is one group; with it one a declared value, and a last one of all other
values."""
ReadPart = Callable[[Plan, Statistic, Part], R]
"""Of one cell [width]."""
ReadCell = Callable[[Plan, Statistic, Floats, Floats], R]
"""The same to which the grid is nothing: values [width] and std [width]."""
Opened = Mapping[str, Part]
"""Of a kind that is made of others: by part, as for `Read`, or of one of their groups."""
Join = Callable[[Plan, Statistic, Opened], Result]
Half = Callable[[Plan, Statistic, float, float | None], float | None]
"""Of the noise in each number, and of how many rows count (None: not known), half a 95 % interval of the result. None:
rows are not known, or the noise leaves no bound."""


@dataclass(frozen=True, slots=True)
class Reach:
    """What a statistic with noise will be able to say. least: about how many rows it takes: with fewer it is mostly
    refused, or says nothing; value: at the rows that count, None where these are not known or too few; of: what the
    value is."""

    least: float
    value: float | None
    of: str

    def document(self) -> dict[str, object]:
        """As JSON has it."""
        return {"least_rows": math.ceil(self.least), "value": self.value, "of": self.of}


Foresee = Callable[[Plan, Statistic, float, float | None], Reach]
"""Of the noise in each number, and of how many rows count (None: not known)."""


def names(plan: Plan, one: Statistic) -> tuple[str, ...]:
    """The declared values of `by`; none without it."""
    return required(find(plan, one.by)).values if one.by else ()


def groups(plan: Plan, one: Statistic) -> int:
    """How many cells `by` makes: one a declared value and "other"; 1 without `by`."""
    return len(names(plan, one)) + 1 if one.by else 1


def by_part(read: ReadPart[R]) -> Read:
    """The read of a kind whose groups are alike: of all together, and of each declared value. Its result has `by`."""

    def every(plan: Plan, one: Statistic, part: Part) -> R:
        return each_group(plan, one, {"": part}, lambda cell: read(plan, one, cell[""]))

    return every


def by_group(read: ReadCell[R]) -> Read:
    """The same of a kind to which the grid is nothing."""
    return by_part(lambda plan, one, part: read(plan, one, part.values, part.std))


def each_group(plan: Plan, one: Statistic, opened: Opened, read: Callable[[Opened], R]) -> R:
    """What `read` says of all groups together, and of each declared value `by`."""
    each = {key: tuple(part.groups()) for key, part in opened.items()}
    cells = {name: read({key: parts[i] for key, parts in each.items()}) for i, name in enumerate(names(plan, one))}
    whole = read({key: part.together() for key, part in opened.items()})
    return msgspec.structs.replace(whole, by=cells or None)


def each_number(plan: Plan, one: Statistic, std: float, rows: float | None) -> float:
    """The forecast of a result that is a number of the sum, or several: of each, over all groups."""
    return Z * std * math.sqrt(groups(plan, one))


def even(typical: tuple[float, ...], read: ReadCell[Values]) -> Half:
    """The forecast of a value that is made of several numbers, by its own interval. typical: what a row adds to each on
    average, if values are even over the declared range."""

    def found(plan: Plan, one: Statistic, std: float, rows: float | None) -> float | None:
        if rows is None:
            return None
        values = rows * np.array(typical)
        made = read(plan, one, values, np.full(len(values), std * math.sqrt(groups(plan, one))))
        assert isinstance(made.low, float)
        assert isinstance(made.high, float)
        return half((made.low, made.high))

    return found
