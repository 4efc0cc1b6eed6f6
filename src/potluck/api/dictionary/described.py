"""A column as a data dictionary describes it, in the words of a plan.

A dictionary says less than a plan needs: seldom a range, never what a missing value is to do. What it does not say is
never guessed: such a column is a comment with what its author has to fill in.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from potluck.core.plan import Column
from potluck.learning.data import kinds as _kinds  # noqa: F401  fills COLUMNS
from potluck.learning.data.column import COLUMNS
from potluck.learning.data.notation import Notation

RANGE, VALUES = "range to confirm", "values to confirm"
FLAGS = (False, True)


@dataclass(frozen=True, slots=True)
class Described:
    """One column. kind: "number", "category", or "" where it is neither; low, high: None where nobody says; values: of
    a category; format: of a date; unit: for people. note: what else a reader should know, on one line; why: of a column
    without a kind, what it is."""

    name: str
    kind: str = ""
    low: float | None = None
    high: float | None = None
    values: tuple[str, ...] = ()
    format: str | None = None
    note: str = ""
    why: str = ""
    unit: str = ""

    def confirm(self, how: Notation) -> str:
        """What its author has to fill in before it can be declared; empty: nothing."""
        if not self.kind:
            return self.why
        kind = COLUMNS.of(self.kind)
        if kind.measured and (self.low is None or self.high is None):
            return RANGE
        if not kind.measured and not kind.dated and not self.values:
            return VALUES
        wrong = kind.check(self.kind, self.column, how)
        return wrong[0].partition(". hint: ")[0].partition(": ")[2] if wrong else ""

    @property
    def column(self) -> Column:
        """As a plan declares it."""
        return Column(
            kind=self.kind, low=self.low, high=self.high, values=self.values, format=self.format, unit=self.unit
        )

    @property
    def table(self) -> dict[str, object]:
        """What a plan's entry would say of it, as far as it is known."""
        said = {
            "kind": self.kind,
            "low": self.low,
            "high": self.high,
            "values": list(self.values),
            "format": self.format,
            "unit": self.unit,
        }
        return {name: value for name, value in said.items() if value not in (None, "", [])}


@dataclass(frozen=True, slots=True)
class Sheet:
    """One table of a dictionary. missing: the texts that mean "no value", None where it does not say."""

    name: str
    columns: tuple[Described, ...]
    missing: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Format:
    """How dictionaries of one kind are read.

    claims: whether a document is one (a JSON value, or of CSV the list of its rows). sheets: the names of its tables.
    read: one of them. Both raise UsageError: it is not as its specification says.
    """

    name: str
    claims: Callable[[object], bool]
    sheets: Callable[[object], list[str]]
    read: Callable[[object, str], Sheet]


def number(value: object) -> float | None:
    """A bound as a finite number: numbers, and texts that are one."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        found = float(value)
    except (ValueError, OverflowError):
        return None
    return found if math.isfinite(found) else None


def text(value: object) -> str | None:
    """A value of a list as a file would write it; None: it is none that a cell can hold."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, str | int | float) else None


def values(found: object, how: Notation = Notation(())) -> tuple[str, ...]:  # noqa: B008  it is frozen
    """A list's values as texts, each once (1 and 1.0 are one), but for those that mean "no value"."""
    out: dict[float | str, str] = {}
    for one in found if isinstance(found, list) else ():
        if (said := text(one)) is not None and how.key(said) not in how.gone:
            out.setdefault(how.key(said), said)
    return tuple(out.values())


def highest(bounds: Sequence[float | None]) -> float | None:
    """The highest of those that are said: of several lower bounds the one that holds."""
    return max((one for one in bounds if one is not None), default=None)


def lowest(bounds: Sequence[float | None]) -> float | None:
    """The lowest likewise."""
    return min((one for one in bounds if one is not None), default=None)


def together(*notes: str) -> str:
    """Those notes that say something, as one."""
    return ", ".join(filter(None, notes))
