"""A kind of column as one object: how its cells are read, and what features they become.

A kind is a file in `kinds/` and a line in its table. Words that mean "no value" and declared values are compared by
`key`, whatever the kind.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import msgspec

from potluck.core.plan import Column, Plan
from potluck.core.registry import Registry, table
from potluck.core.stages import Floats
from potluck.learning.data.problems import spelled

if TYPE_CHECKING:
    from potluck.learning.data.sql.layers import Layer
    from potluck.learning.data.sql.values import Cell

OTHER, CASE = -1.0, -2.0
"""Codes of a category's undeclared value: any, and one whose case alone differs from a declared one. NaN is a missing
value."""
Key = float | str


def key(text: str) -> Key:
    """What a text is compared by: as a number where it is one, else as trimmed text."""
    trimmed = text.strip()
    number = to_number(trimmed)
    return trimmed if number is None else number


def to_number(text: str) -> float | None:
    """The finite number that a text is, or None. Its digits are ASCII."""
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) and "_" not in text and text.strip().isascii() else None


def missing_keys(plan: Plan) -> frozenset[Key]:
    """The keys of what means "no value". Made once a plan: a plan may list many columns and many such texts."""
    return frozenset(map(key, plan.data.missing))


def not_missing(at: str, values: tuple[str, ...], gone: frozenset[Key]) -> list[str]:
    """Values that also mean "no value"."""
    return [
        f'{at}: "{value}" is in data.missing too. hint: a text is a value or means "no value"; list it in one place'
        for value in values
        if key(value) in gone
    ][:1]


def twice(values: tuple[str, ...]) -> str:
    """The first value that repeats another ("1" and "1.0" are one), or ""."""
    seen: set[Key] = set()
    for value in values:
        if key(value) in seen:
            return value
        seen.add(key(value))
    return ""


class Field(msgspec.Struct, frozen=True, kw_only=True):
    """One encoded column. low, high: of a number; values: of a category; reference: the one of them that is no feature
    (unset: each is one); missing: what a missing value does."""

    name: str
    kind: str
    low: float = -1.0
    high: float = 1.0
    values: tuple[str, ...] = ()
    missing: Literal["refuse", "drop", "flag"] = "refuse"
    reference: str | msgspec.UnsetType = msgspec.UNSET

    @property
    def referred(self) -> bool:
        """Whether a value that is not declared counts as missing."""
        return self.reference is not msgspec.UNSET

    @property
    def lacks(self) -> str:
        """What is wrong with a cell that counts as missing."""
        return "has no declared value" if self.referred else "has no value"

    def remedy(self, usual: str) -> str:
        """The hint where cells count as missing: before the usual one, that they may be misspelt."""
        return f"{spelled(values=self.values)}; {usual}" if self.referred else usual

    @property
    def levels(self) -> tuple[int, ...]:
        """The places of a category's values that become features."""
        left_out = None if self.reference is msgspec.UNSET else key(self.reference)
        return tuple(place for place, value in enumerate(self.values) if key(value) != left_out)

    @property
    def features(self) -> tuple[str, ...]:
        """The names of the features that this column becomes."""
        plain = COLUMNS.of(self.kind).names(self)
        return (*plain, f"{self.name}?") if self.missing == "flag" else plain


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnKind:
    """One kind of column.

    check: what of a declared column does not fit, at this key of the plan; the last are the keys of what means "no
    value". One line a problem.
    field: a declared column as it is encoded. value: SQL of a cell's number or code (`sql.values`), given the texts
    that mean "no value" and a layer to define parts of it in.
    names: of the features that it becomes, but for the flag of a missing value. features: [n] to [n, p].
    fault: what of a field of a model file cannot be, likewise.
    measured: its values are numbers on the declared range, to which they are clamped; else codes of declared values.
    spread: its features lie anywhere on [-1, 1]; else they are 0 or 1.
    """

    check: Callable[[str, Column, frozenset[Key]], list[str]]
    field: Callable[[str, Column], Field]
    value: "Callable[[Field, Cell, Sequence[str], Layer], str]"
    names: Callable[[Field], tuple[str, ...]]
    features: Callable[[Field, Floats], Floats]
    fault: Callable[[Field, frozenset[Key]], list[str]]
    measured: bool = False
    spread: bool = False


COLUMNS: Registry[ColumnKind] = table("data.columns.kind")
