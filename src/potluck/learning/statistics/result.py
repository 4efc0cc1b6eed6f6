"""What one statistic says: numbers with their 95 % intervals, as JSON has them."""

from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

import msgspec

from potluck.core.plan import Plan, Statistic, required
from potluck.core.stages import Floats
from potluck.learning.data.declared import find
from potluck.learning.evaluation.intervals import Noised
from potluck.learning.evaluation.ranking import Z
from potluck.learning.statistics.forms import AnyForm

EVERYBODY = "all"
R = TypeVar("R")
Value = float | int | tuple["Value", ...] | None


class Result(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What one statistic says. A kind whose results are no `Values` has a struct of its own on this one: its fields are
    the keys of the JSON."""

    def document(self) -> dict[str, object]:
        """As JSON has it."""
        found: dict[str, object] = msgspec.to_builtins(self)
        return found

    def shown(self, plan: Plan, one: Statistic) -> tuple[AnyForm, ...]:
        """As tables and pictures, what is read first before the rest. Empty: its values are drawn as what they are."""
        return ()


def each(whole: R, by: Mapping[str, R] | None) -> list[tuple[str, R]]:
    """The result of all rows, and that of each group, by what a table calls them."""
    return [(EVERYBODY, whole), *(by or {}).items()]


class Estimate(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A number that is estimated, and its 95 % interval; None: not defined, or open.

    population: the interval for rows like these, where low and high are of these rows.
    """

    value: float | int | None
    low: float | int | None
    high: float | int | None
    population: tuple[float | None, float | None] | None = None


class Values(Result, frozen=True, kw_only=True, omit_defaults=True):
    """A number, a list or nested lists (in declared order), and the ends of the interval of each.

    None where it is not defined (no rows). edges: of a list of bins; labels: of nested lists, of the outer ones and of
    those in them; by: of each declared value.
    """

    value: Value
    low: Value
    high: Value
    edges: tuple[float, ...] | None = None
    labels: tuple[tuple[str, ...], ...] | None = None
    by: "dict[str, Values] | None" = None


EVERYBODY = "all"
"""What a table calls all groups together."""


def called(one: Statistic, name: str) -> str:
    """A group as a picture names it."""
    return name if name == EVERYBODY else f"{one.by} = {name}"


def declared(plan: Plan, one: Statistic) -> tuple[float, float]:
    """The declared range of the statistic's column, a number."""
    return required(find(plan, one.column or "")).bounds


def plain(value: float, std: float, whole: bool) -> float | int:
    """A number as it is shown: a count without noise is whole."""
    return round(value) if whole and std == 0 else float(value)


def single(values: Floats, std: Floats, *, whole: bool) -> Values:
    """Of values [1]: the number itself."""
    value, reach = float(values[0]), Z * float(std[0])
    low, high = (plain(value + side * reach, reach, whole) for side in (-1, 1))
    return Values(value=plain(value, reach, whole), low=low, high=high)


def undefined(rows: Noised, widest: tuple[float, float]) -> Values:
    """No rows: no value. With noise the truth may be anything in its range."""
    low, high = widest if rows.std else (None, None)
    return Values(value=None, low=low, high=high)


def counts(
    values: Floats,
    std: Floats,
    shape: Callable[[Sequence[float | int]], Value],
    edges: tuple[float, ...] | None = None,
    labels: tuple[tuple[str, ...], ...] | None = None,
) -> Values:
    """Of counts [d], in lists as `shape` makes them."""
    made = [
        shape([plain(float(v + side * Z * s), float(s), True) for v, s in zip(values, std, strict=True)])
        for side in (0, -1, 1)
    ]
    return Values(value=made[0], low=made[1], high=made[2], edges=edges, labels=labels)
