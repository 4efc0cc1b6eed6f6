"""Of a plan: columns that others give or that another table has, which rows are chosen, and how they become persons."""

from typing import Annotated, Literal

import msgspec

from potluck.core.bounds import Size
from potluck.core.registry import Known

Text = Annotated[str, Size(1_000)]
Names = Annotated[tuple[Text, ...], Size(10_000)]
"""At most 10 000 names: the most that `mask` supports."""


class Derive(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename={"source": "from"}):
    """A column that each row's other columns give. source, to: the columns that it is made of; to: may be a day
    instead, as 2025-12-31. low, high, values, reference, missing, unit: as of a column; edges: of bins; map: old values
    to new ones."""

    kind: Annotated[str, Known("data.derive.kind")]
    source: Text
    to: Text | None = None
    low: float | None = None
    high: float | None = None
    values: tuple[Text, ...] = ()
    edges: Annotated[tuple[float, ...], Size(1_000)] = ()
    map: Annotated[dict[Text, Text], Size(10_000)] = {}
    reference: Text | None = None
    missing: Literal["refuse", "drop", "flag", "mean"] = "refuse"
    unit: Text = ""


class Where(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename={"within": "in"}):
    """One condition that a row meets, or is left out. A number or a day, as 2025-12-31; of a category some of its
    values. One of them is said."""

    column: Text
    at_least: float | str | None = None
    at_most: float | str | None = None
    above: float | str | None = None
    below: float | str | None = None
    within: Names | None = None
    not_in: Names | None = None

    @property
    def said(self) -> dict[str, float | str | tuple[str, ...]]:
        """What it demands, by the word of the plan."""
        words = ("at_least", "at_most", "above", "below")
        found = {word: getattr(self, word) for word in words} | {"in": self.within, "not_in": self.not_in}
        return {word: value for word, value in found.items() if value is not None}


class Join(msgspec.Struct, frozen=True, kw_only=True):
    """A second table of each owner. on: the key in the rows; to: in the table, by default called the same; columns:
    those declared ones that the table has."""

    table: Text
    on: Text
    to: Text | None = None
    columns: Names = ()

    @property
    def keys(self) -> tuple[str, str]:
        """The key's column in the rows, and in the table."""
        return self.on, self.on if self.to is None else self.to


class Reduced(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename={"source": "from"}):
    """A column that a person's rows give. source: the column that it is made of, by default that of its own name, and
    for a count none: it then counts rows; values: of `any`; low, high: of a count; reference: of `any`."""

    kind: Annotated[str, Known("data.reduce.columns.kind")]
    source: Text | None = None
    values: Names = ()
    low: float | None = None
    high: float | None = None
    reference: Text | None = None


class Reduce(msgspec.Struct, frozen=True, kw_only=True):
    """All rows of a person become one. order: the date or number by which they follow one another; columns: all that is
    left, by name."""

    order: Text | None = None
    columns: Annotated[dict[Text, Reduced], Size(10_000)] = {}
