"""One of declared values: one 0/1 feature a value, but for the reference, which is all zeros."""

import msgspec
import numpy as np

from potluck.core.plan import Column
from potluck.core.stages import Floats
from potluck.learning.data.column import ColumnKind, Field
from potluck.learning.data.notation import Notation, key
from potluck.learning.data.sql.layers import Layer
from potluck.learning.data.sql.values import Cell, code, order


def check(at: str, column: Column, how: Notation) -> list[str]:
    """Values, each once, of which the reference is one, and no range."""
    if column.low is not None or column.high is not None:
        return [f'{at}: a category has no low or high. hint: kind = "number", or leave them out']
    if column.format is not None:
        return [f'{at}.format: a category has none. hint: kind = "date", or leave it out']
    if column.shape is not None:
        return [f"{at}.shape: a category has none. hint: leave it out"]
    if not column.values:
        return [f'{at}: a category needs values. hint: list them, e.g. values = ["no", "yes"]']
    again = how.twice(column.values)
    if again:
        return [f"{at}: {again} is there twice. hint: texts that are the same number are one value"]
    if column.reference is not None and key(column.reference) not in {key(value) for value in column.values}:
        what = f'"{column.reference}" is no value of this column'
        return [f"{at}.reference: {what}. hint: one of {', '.join(column.values)}"]
    return how.not_missing(at, column.values)


def field(name: str, column: Column) -> Field:
    """With its values."""
    reference = msgspec.UNSET if column.reference is None else column.reference
    return Field(name=name, kind=column.kind, values=column.values, missing=column.missing, reference=reference)


def value(one: Field, cell: Cell, how: Notation, layer: Layer) -> str:
    """Each value's place; OTHER or CASE where the plan does not declare it."""
    return code(cell, order(one.values), how, layer)


def names(one: Field) -> tuple[str, ...]:
    """A name a value that becomes a feature."""
    return tuple(f"{one.name}={one.values[place]}" for place in one.levels)


def features(one: Field, values: Floats) -> Floats:
    """[n] to [n, levels] of 0 and 1, a missing value all zeros."""
    return np.asarray(values[:, None] == np.array(one.levels), dtype=np.float64)


def fault(one: Field, how: Notation) -> list[str]:
    """Values or a reference that are none."""
    found, values = [], [how.key(value) for value in one.values]
    if one.reference is not msgspec.UNSET and how.key(one.reference) not in values:
        found.append(f"the reference of column {one.name!r} is none of its values")
    if not values or len(set(values)) < len(values):
        found.append(f"column {one.name!r} has no values, or one of them twice")
    if how.gone & set(values):
        found.append(f'column {one.name!r} declares a value that means "no value" too')
    return found


CATEGORY = ColumnKind(check=check, field=field, value=value, names=names, features=features, fault=fault)
