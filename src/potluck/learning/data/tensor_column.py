"""What columns whose cells are tensors have in common: a shape, a range, and no features.

A network takes their cells beside the encoded table. The kinds are in `kinds/`.
"""

import math

import numpy as np

from potluck.core.plan import Column, required
from potluck.core.stages import Floats
from potluck.learning.data.column import Field
from potluck.learning.data.encode import NARROWEST, WIDEST_RANGE
from potluck.learning.data.notation import Notation
from potluck.learning.data.sql.layers import Layer, cases
from potluck.learning.data.sql.values import Cell, absent

MOST, LARGEST = 8, 1 << 24
"""Axes of a shape, and numbers."""
FOREIGN = ("values", "reference", "format")
SPELLED = ("low", "high", *FOREIGN, "shape")
"""What a column has none of whose cells are tensors, or words of some length."""


def foreign(at: str, column: Column, words: tuple[str, ...], what: str) -> list[str]:
    """The first of these keys that a column has all the same. what: it is, for words."""
    found = (word for word in words if getattr(column, word) not in (None, ()))
    return [f"{at}.{word}: {what} has none. hint: leave it out" for word in found][:1]


def check(at: str, column: Column, how: Notation) -> list[str]:
    """A shape and a range."""
    if wrong := foreign(at, column, FOREIGN, f'a column of kind "{column.kind}"'):
        return wrong
    low, high, shape = column.low, column.high, column.shape
    if not shape or len(shape) > MOST or min(shape) < 1 or math.prod(shape) > LARGEST:
        hint = f"e.g. shape = [1, 28, 28]; at most {MOST} axes, and {LARGEST:,} numbers in all"
        return [f"{at}.shape: says of which shape each cell is. hint: {hint}"]
    if low is None or high is None:
        return [f"{at}: needs low and high. hint: what becomes -1 and 1, e.g. low = 0, high = 255 of a PNG file"]
    if not (math.isfinite(low) and math.isfinite(high) and NARROWEST <= high - low <= WIDEST_RANGE):
        return [f"{at}: low must be below high, and both finite. hint: e.g. low = 0, high = 255"]
    return []


def field(name: str, column: Column) -> Field:
    """With its shape and range."""
    low, high = column.bounds
    shape = required(column.shape)
    return Field(name=name, kind=column.kind, low=low, high=high, missing=column.missing, shape=shape)


def value(one: Field, cell: Cell, how: Notation, layer: Layer) -> str:
    """0, or NULL where there is no value: what a cell is, its file or its list says."""
    d = layer.dialect
    if cell.listed:
        return cases([(f"{cell.sql} IS NULL", "NULL")], d.double(0))
    text = cell.words or (f"CAST({cell.sql} AS {d.text_type})" if cell.typed else cell.sql)
    return cases(absent(layer.define(d.trimmed(text)), how, d), d.double(0))


def names(one: Field) -> tuple[str, ...]:
    """None."""
    return ()


def features(one: Field, values: Floats) -> Floats:
    """[n] to [n, 0]."""
    return np.zeros((len(values), 0))


def declared(one: Field) -> Column:
    """A field of a model file as a plan would declare it."""
    return Column(kind=one.kind, low=one.low, high=one.high, shape=one.shape or None)


def fault(one: Field, how: Notation) -> list[str]:
    """A shape or a range that is none."""
    return [f"column {one.name!r} has a shape or a range that is none"] if check("", declared(one), how) else []


def shape_of(one: Field) -> tuple[int, ...]:
    """The shape of a field's cells."""
    assert isinstance(one.shape, tuple)  # of a checked plan
    return one.shape
