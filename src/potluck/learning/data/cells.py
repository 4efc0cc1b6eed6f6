"""Typed values of this process as cells: what the same rows would say in a CSV file that is written as the plan says.

Whole numbers keep all their digits, a Decimal its own, an absent value is None; true and false are "1" and "0"; dates
are ISO texts, and a moment that has a zone is what it is in UTC. These are the texts that DuckDB gives of the same
values. A value that has no text (bytes, lists that are no tensors) is refused with its column's name alone.
"""

import math
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from uuid import UUID

import numpy as np

from potluck.core.errors import DataError

EXACT = 2**53


def unsaid(name: str, kind: str, where: str) -> DataError:
    """Of a value or a column of this type, which has no text."""
    what = f"column {name.strip()!r} holds values of type {kind}, which no text stands for"
    return DataError(what, where=where, hint="numbers, texts, true and false, dates and times can be read")


def text_of(value: object, name: str, where: str, decimal: str = ".") -> str | None:
    """A cell's text. name: its column; decimal: the mark that numbers have. Raises DataError: it has none."""
    kind = type(value)
    if value is None or kind is str:
        return value  # type: ignore[return-value]
    found = _TEXTS.get(kind)
    if found is None:
        if isinstance(value, np.floating) and not isinstance(value, float):
            # Any but NumPy's doubles, by its shortest text: .1 is not .10000000149.
            return text_of(float(str(value)), name, where, decimal)
        if isinstance(value, np.generic):
            return text_of(value.item(), name, where, decimal)
        found = next((make for kind, make in _TEXTS.items() if isinstance(value, kind)), None)
    if found is None:
        raise unsaid(name, kind.__name__, where)
    text = found(value)
    return text.replace(".", decimal) if decimal != "." and isinstance(value, float | Decimal) else text


def _of_float(value: float) -> str:
    whole = value.is_integer() and abs(value) <= EXACT and (value != 0 or math.copysign(1, value) > 0)
    return str(int(value)) if whole else repr(float(value))


def _of_moment(value: datetime) -> str:
    try:
        plain = value if value.tzinfo is None else value.astimezone(UTC).replace(tzinfo=None)
    except OverflowError:  # at the ends of the calendar
        plain = value.replace(tzinfo=None)
    return _shortened(plain.isoformat(" "))


def _of_time(value: time) -> str:
    return _shortened(value.isoformat())


def _shortened(text: str) -> str:
    """Without closing zeros of a fraction."""
    return text.rstrip("0") if "." in text else text


# A datetime is a date, and true is a whole number: the narrower stands first.
_TEXTS: dict[type, Callable[..., str]] = {
    str: str,
    float: _of_float,
    bool: lambda value: "1" if value else "0",
    int: str,
    Decimal: "{:f}".format,
    datetime: _of_moment,
    date: str,
    time: _of_time,
    timedelta: str,
    UUID: str,
}
