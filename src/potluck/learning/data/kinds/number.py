"""A number on a declared range: one feature, 2 (x - low)/(high - low) - 1, clamped to [-1, 1]."""

import math

import numpy as np

from potluck.core.plan import Column
from potluck.core.stages import Floats
from potluck.learning.data.column import ColumnKind, Field
from potluck.learning.data.encode import NARROWEST, WIDEST_RANGE, scale
from potluck.learning.data.notation import Notation
from potluck.learning.data.sql.layers import Layer
from potluck.learning.data.sql.values import Cell, number


def check(at: str, column: Column, how: Notation) -> list[str]:
    """A range that can be computed with, and nothing of a category."""
    low, high = column.low, column.high
    if column.reference is not None:
        return [f'{at}.reference: a number has none. hint: kind = "category", or leave it out']
    if column.format is not None:
        return [f'{at}.format: a number has none. hint: kind = "date", or leave it out']
    if column.shape is not None:
        return [f'{at}.shape: a number has none. hint: kind = "tensor", or leave it out']
    if column.values:
        return [f'{at}: a number has no values. hint: kind = "category", or leave values out']
    if low is None or high is None:
        return [f"{at}: a number needs low and high. hint: the range that is public knowledge, e.g. low = 0, high = 1"]
    if not (math.isfinite(low) and math.isfinite(high)):
        return [f"{at}: low and high must be finite. hint: give the range that is public knowledge"]
    if low >= high:
        return [f"{at}: the range is upside down (low = {low:g}, high = {high:g}). hint: low must be below high"]
    if not NARROWEST <= high - low <= WIDEST_RANGE:
        return [f"{at}: a range {high - low:g} wide cannot be computed with. hint: give the range in other units"]
    return []


def field(name: str, column: Column) -> Field:
    """With its range."""
    low, high = column.bounds
    return Field(name=name, kind=column.kind, low=low, high=high, missing=column.missing)


def value(one: Field, cell: Cell, how: Notation, layer: Layer) -> str:
    """As it is."""
    return number(cell, how, layer)


def names(one: Field) -> tuple[str, ...]:
    """Its own."""
    return (one.name,)


def features(one: Field, values: Floats) -> Floats:
    """[n] to [n, 1], a missing value 0."""
    return np.nan_to_num(scale(values, one.low, one.high))[:, None]


def fault(one: Field, how: Notation) -> list[str]:
    """A range that cannot be computed with, or a reference."""
    found = []
    finite = math.isfinite(one.low) and math.isfinite(one.high)
    if not (finite and NARROWEST <= one.high - one.low <= WIDEST_RANGE):
        found.append(f"the range of column {one.name!r} cannot be computed with")
    if one.reference:
        found.append(f"column {one.name!r} is a number and has a reference")
    return found


def bound(word: float | str) -> float | None:
    """A finite number."""
    return float(word) if not isinstance(word, str) and math.isfinite(word) else None


NUMBER = ColumnKind(
    check=check,
    field=field,
    value=value,
    names=names,
    features=features,
    fault=fault,
    measured=True,
    spread=True,
    bound=bound,
)
