"""How raw columns become features: declared ranges and values alone, no statistic of the data.

A number becomes 2 (x - low)/(high - low) - 1, clamped to [-1, 1]; a category one 0/1 feature a declared value, but for
its reference; a flagged missing value feature 0 and an extra 0/1 feature. Beside a reference, which is all zeros, a
value that is not declared counts as missing: it would pass for the reference else. The encoding is data: a model file
carries it, so that training and scoring cannot differ.
"""

from collections.abc import Mapping

import msgspec
import numpy as np

from potluck.core.plan import Column, Plan
from potluck.core.stages import Floats
from potluck.learning.data.column import COLUMNS, OTHER, Field

NARROWEST, WIDEST_RANGE = 1e-300, 1e300
"""Ranges in between can be scaled without overflow or underflow."""


class Encoding(msgspec.Struct, frozen=True, kw_only=True):
    """The columns that become features, in order, and the texts that mean "no value".

    layout: all columns in file order where the files have no header; else empty.
    """

    fields: tuple[Field, ...]
    missing: tuple[str, ...]
    layout: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """The features' names [p]."""
        return tuple(name for field in self.fields for name in field.features)


def field(name: str, column: Column) -> Field:
    """A declared column as it is encoded."""
    return COLUMNS.of(column.kind).field(name, column)


def inputs(plan: Plan) -> dict[str, Column]:
    """The columns that are read for themselves: to train those that become features."""
    data = plan.data
    outside = {data.person}
    if plan.traits.labelled:
        outside |= {data.target.column if data.target else None, data.split.column if data.split else None}
    return {name: one for name, one in data.columns.items() if name not in outside and not one.ignored}


def encoding(plan: Plan) -> Encoding:
    """What a plan declares: all its columns but the person's, and to train also but the target's and the split's.

    Of statistics the features are not used, but each column's ranges, values and rule for missing values are.
    """
    data, inside = plan.data, inputs(plan)
    if plan.traits.counts:  # which counts every declared value, and needs none to compare with
        inside = {name: msgspec.structs.replace(column, reference=None) for name, column in inside.items()}
    fields = tuple(field(name, column) for name, column in inside.items())
    return Encoding(fields=fields, missing=data.missing, layout=() if data.header else tuple(data.columns))


def referred(one: Field, found: Floats) -> Floats:
    """[n] a column as read, where beside a reference a value that is not declared counts as missing."""
    if COLUMNS.of(one.kind).measured:
        return found
    return np.where(found < 0, np.nan if one.referred else OTHER, found)


def scale(values: Floats, low: float, high: float) -> Floats:
    """[n] numbers on [-1, 1], clamped, and before anything else: twice a number can be beyond float64."""
    return np.asarray(2 * (np.clip(values, low, high) - low) / (high - low) - 1, dtype=np.float64)


def encode(how: Encoding, columns: Mapping[str, Floats]) -> Floats:
    """Raw columns [n] -> features [n, p]. A missing value is 0 in all of its column's features but the flag."""
    parts: list[Floats] = []
    for one in how.fields:
        values = columns[one.name]
        parts.append(COLUMNS.of(one.kind).features(one, values))
        if one.missing == "flag":
            parts.append(np.isnan(values).astype(np.float64)[:, None])
    if parts:
        return np.hstack(parts)
    length = len(next(iter(columns.values()))) if columns else 0
    return np.zeros((length, 0))
