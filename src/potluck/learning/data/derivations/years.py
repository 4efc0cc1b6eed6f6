"""Whole years from one day to another, as people count their age: from one birthday to the next.

Whoever was born on 29 February is a year older on 1 March of a year without that day.
"""

from collections.abc import Sequence

from potluck.core.plan import Column
from potluck.core.tables.derived import Derive
from potluck.learning.data.column import Field
from potluck.learning.data.derive import Derivation, of_range
from potluck.learning.data.sql.layers import Layer


def check(at: str, one: Derive, source: Column) -> list[str]:
    """Another day, and a range."""
    if one.to is None:
        return [f'{at}.to: is missing. hint: a day, as to = "2025-12-31", or a column of dates']
    return of_range(at, one)


def column(one: Derive) -> Column:
    """A number."""
    return Column(kind="number", low=one.low, high=one.high)


def value(one: Derive, source: Field, of: Sequence[str], layer: Layer) -> str:
    """Of days as yyyymmdd the difference has the years in front of its last four digits."""
    return layer.dialect.floor(f"({of[1]} - {of[0]}) / {layer.dialect.double(10_000)}")


YEARS = Derivation(
    keys=frozenset({"to", "low", "high"}),
    taken="a date",
    takes=lambda kind: kind.dated,
    said=lambda one: f"the whole years from {one.source} to {one.to}",
    check=check,
    column=column,
    value=value,
)
