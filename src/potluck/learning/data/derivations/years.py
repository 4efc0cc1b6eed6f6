"""Whole years from one day to another, as people count their age: from one birthday to the next.

Whoever was born on 29 February is a year older on 1 March of a year without that day.
"""

from collections.abc import Sequence
from datetime import date

import numpy as np

from potluck.core.plan import Column
from potluck.core.stages import Floats
from potluck.core.tables.derived import Derive
from potluck.learning.data.column import Field
from potluck.learning.data.derive import Days, Derivation, day, of_range
from potluck.learning.data.raw.said import Dated, Elapsed, Reading
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


def back(values: Floats, to: date, share: Floats) -> Days:
    """Between two anniversaries, the later one included."""
    last, before = _anniversary(values, to), _anniversary(values + 1, to)
    many = (last - before).astype(np.float64)
    found: Days = last - np.floor(share * many).astype("m8[D]")
    return found


def _anniversary(years: Floats, to: date) -> Days:
    """So many years before a day; of 29 February the day before 1 March."""
    first = (np.datetime64(to, "Y") - years.astype("m8[Y]")).astype("M8[M]") + np.timedelta64(to.month - 1, "M")
    found: Days = np.minimum(first.astype("M8[D]") + (to.day - 1), (first + 1).astype("M8[D]") - 1)
    return found


def between(one: Derive, found: Sequence[Reading], years: bool) -> Reading:
    """The time from one day to another."""
    first, *others = found
    last = others[0] if others else day(one.to or "")
    assert isinstance(first, Dated)  # of a checked entry, which takes dates
    assert isinstance(last, Dated | float)
    return Elapsed(first, last, years)


def read(one: Derive, below: Sequence[Field], found: Sequence[Reading]) -> Reading:
    """In whole years."""
    return between(one, found, years=True)


YEARS = Derivation(
    keys=frozenset({"to", "low", "high"}),
    taken="a date",
    takes=lambda kind: kind.dated,
    said=lambda one: f"the whole years from {one.source} to {one.to}",
    check=check,
    column=column,
    value=value,
    back=back,
    read=read,
)
