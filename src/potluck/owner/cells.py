"""Typed values of a database as cells: what the same rows in a CSV file would say.

Whole numbers keep all their digits, a Decimal its own, an absent value is None; true and false are "1" and "0", as
SQLite has them; dates are ISO texts. A value that has no text (bytes, lists) is refused with its column's name alone.
It does NOT guess: a column that holds numbers and texts is a column of texts.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from potluck.core.errors import DataError

EXACT = 2**53


@dataclass(frozen=True, slots=True, eq=False)
class Fetched:
    """Rows as `learning.data.source.Frame` has them: one array [n] a column, of numbers or of texts and None."""

    columns: tuple[str, ...]
    cells: tuple[NDArray[np.generic], ...] = field(repr=False)
    length: int = field(repr=False)

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, name: str, /) -> NDArray[np.generic]:
        return self.cells[self.columns.index(name)]


def column(values: Iterable[object], name: str, where: str) -> NDArray[np.generic]:
    """[n] one column's values as cells. Raises DataError: a value that has no text."""
    listed = list(values)
    if all(map(_is_number, listed)):
        return np.array([math.nan if value is None else value for value in listed], dtype=np.float64)
    texts = np.empty(len(listed), dtype=object)
    for place, value in enumerate(listed):
        texts[place] = _text(value, name, where)
    return texts


def joined(parts: Sequence[NDArray[np.generic]]) -> NDArray[np.generic]:
    """[n] one column of its parts, each as `column` made it: numbers where all are, else texts."""
    if not parts:
        return np.empty(0, dtype=object)
    if len({part.dtype for part in parts}) == 1:
        return np.concatenate(parts)
    return np.concatenate([part if part.dtype == object else _as_texts(part) for part in parts])


def _is_number(value: object) -> bool:
    """May the value be a float64, with no digit lost? None may; true may not, nor a NaN: that is no absent value."""
    kind = type(value)
    if kind is int:
        return -EXACT < value < EXACT  # type: ignore[operator]
    return value is None or (kind is float and value == value)


def _as_texts(numbers: NDArray[np.generic]) -> NDArray[np.generic]:
    texts = np.empty(len(numbers), dtype=object)
    for place, value in enumerate(numbers.tolist()):
        texts[place] = None if value != value else _of_float(value)
    return texts


def _of_float(value: float) -> str:
    return str(int(value)) if value.is_integer() and abs(value) < EXACT else repr(value)


def _text(value: object, name: str, where: str) -> str | None:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "1" if value else "0"
    if isinstance(value, float):
        return _of_float(value)
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, int | date | datetime | time | timedelta | UUID):
        return str(value)
    what = f"column {name!r} holds values of type {type(value).__name__}, which no text stands for"
    raise DataError(what, where=where, hint="numbers, texts, true and false, dates and times can be read")
