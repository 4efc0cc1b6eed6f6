"""How raw columns become features: declared ranges and values alone, no statistic of the data.

A number becomes 2 (x - low)/(high - low) - 1, clamped to [-1, 1]; a category one 0/1 feature a declared value, but for
its reference; a flagged missing value feature 0 and an extra 0/1 feature. One that is filled with its column's mean is
NaN until that is known, so that no sum can take it for a value. Beside a reference, which is all zeros, a
value that is not declared counts as missing: it would pass for the reference else. The encoding is data: a model file
carries it, so that training and scoring cannot differ.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from potluck.core.plan import Column, Plan, required
from potluck.core.stages import Floats
from potluck.learning.data.column import COLUMNS, Field
from potluck.learning.data.declared import declared, of_rows
from potluck.learning.data.derive import named
from potluck.learning.data.notation import Notation
from potluck.learning.data.reduce import source_of
from potluck.learning.data.sql.relation import Limits
from potluck.learning.data.sql.values import OTHER

MOST = 1 << 40
"""Rows, where no plan says how many there may be."""
NARROWEST, WIDEST_RANGE = 1e-300, 1e300
"""Ranges in between can be scaled without overflow or underflow."""


UNKNOWN = 2.0
"""In place of a mean on [-1, 1] that is not known yet."""


class Encoding(msgspec.Struct, frozen=True, kw_only=True):
    """The columns that become features, in order, and the texts that mean "no value".

    layout: all columns in file order where the files have no header; else empty. helpers: columns that others are
    derived from, or that a condition is on. decimal, fold: of `Notation`;
    separator, encoding: of CSV files; unset: as of `Notation` and of a plan that does not say it.
    """

    fields: tuple[Field, ...]
    missing: tuple[str, ...]
    layout: tuple[str, ...] = ()
    helpers: tuple[Field, ...] | msgspec.UnsetType = msgspec.UNSET
    decimal: Literal[","] | msgspec.UnsetType = msgspec.UNSET
    fold: Literal[True] | msgspec.UnsetType = msgspec.UNSET
    separator: str | msgspec.UnsetType = msgspec.UNSET
    encoding: str | msgspec.UnsetType = msgspec.UNSET

    @property
    def notation(self) -> Notation:
        """How its cells are spelt."""
        return Notation(self.missing, self.decimal or ".", bool(self.fold))

    @property
    def beside(self) -> tuple[Field, ...]:
        """The helpers."""
        return self.helpers or ()

    @property
    def limits(self) -> Limits:
        """How a file of new rows is read."""
        decimal = self.decimal or "."
        separator, encoding = self.separator or ",", self.encoding or "utf-8"
        lists = frozenset(one.name for one in self.fields if COLUMNS.of(one.kind).listed)
        return Limits(MOST, separator=separator, encoding=encoding, decimal=decimal, lists=lists)

    @property
    def names(self) -> tuple[str, ...]:
        """The features' names [p]."""
        return tuple(name for field in self.fields for name in field.features)

    @property
    def averaged(self) -> NDArray[np.int64]:
        """[m] which features are those of columns whose gaps are filled with their mean."""
        each = [one.missing == "mean" for one in self.fields for _ in one.features]
        return np.flatnonzero(np.array(each, dtype=np.bool_))

    @property
    def fills(self) -> dict[str, float]:
        """By column what fills its gaps, in the data's units."""
        return {one.name: one.filled for one in self.fields if one.filled is not None}

    @property
    def flags(self) -> NDArray[np.int64]:
        """[p] where among the features the one is that says of this one's column that it has no value; -1: there is
        none, or it is this one."""
        found: list[int] = []
        for one in self.fields:
            flagged, wide = one.missing == "flag", len(one.features)
            flag = len(found) + wide - 1 if flagged else -1
            found += [flag] * (wide - flagged) + [-1] * flagged
        return np.array(found, np.int64)

    @property
    def gapped(self) -> NDArray[np.int64]:
        """[q] which features programs for trees take: all but the flags of columns that have others, of which all are
        NaN where the column has no value."""
        flags = self.flags
        return np.setdiff1d(np.arange(len(flags)), flags[flags >= 0])


def field(name: str, column: Column) -> Field:
    """A declared column as it is encoded."""
    return COLUMNS.of(column.kind).field(name, column)


def inputs(plan: Plan) -> dict[str, Column]:
    """The columns that are read for themselves: to train those that become features. There what is derived of a column
    stands for it."""
    data = plan.data
    outside = {data.person}
    if plan.traits.labelled:
        outside |= {*(data.target.names if data.target else ()), data.split.column if data.split else None}
        outside |= {name for one in data.derive.values() for name in named(one)} if data.reduce is None else set()
    return {
        name: one
        for name, one in declared(plan).items()
        if name not in outside and not one.ignored and not COLUMNS.of(one.kind).dated
    }


def helpers(plan: Plan, fields: Iterable[Field]) -> tuple[Field, ...]:
    """The fields that these ones are derived from, or that conditions and a derived target need."""
    data = plan.data
    mine = {one.name for one in fields}
    needed = mine & data.derive.keys() | {one.column for one in data.where}
    needed |= data.derive.keys() & set(data.target.names if plan.traits.labelled and data.target else ())
    return tuple(one for one in _with_parts(plan, needed) if one.name not in mine)


def fields_of_rows(plan: Plan) -> tuple[Field, ...]:
    """The fields of rows that are reduced to persons, with those that conditions and the order need."""
    reduce = required(plan.data.reduce)
    needed = {source_of(name, one) for name, one in reduce.columns.items()} | {one.column for one in plan.data.where}
    return _with_parts(plan, needed | {reduce.order})


def _with_parts(plan: Plan, needed: Collection[str | None]) -> tuple[Field, ...]:
    """Fields of rows of these names, and all that they are derived from."""
    columns, found = of_rows(plan), set(needed)
    # What an entry is made of stands above it, so one pass from the last to the first finds all.
    for name, one in reversed(plan.data.derive.items()):
        if name in found:
            found |= set(named(one))
    return tuple(_field(plan, name, column) for name, column in columns.items() if name in found)


def _field(plan: Plan, name: str, column: Column) -> Field:
    made = field(name, column)
    one = plan.data.derive.get(name)
    if one is not None and one.map and not one.values:
        # Its values come in the order of the map, which a model file does not keep.
        one = msgspec.structs.replace(one, values=made.values)
    return made if one is None else msgspec.structs.replace(made, derive=one)


def encoding(plan: Plan) -> Encoding:
    """What a plan declares: all its columns but the person's, and to train also but the target's and the split's.

    Of statistics the features are not used, but each column's ranges, values and rule for missing values are. Where
    rows become persons, the columns are the persons': what is scored later has one row a person.
    """
    data, inside = plan.data, inputs(plan)
    if plan.traits.counts:  # which counts every declared value, and needs none to compare with
        inside = {name: msgspec.structs.replace(column, reference=None) for name, column in inside.items()}
    reduced = data.reduce is not None
    fields = tuple(field(*one) if reduced else _field(plan, *one) for one in inside.items())
    return Encoding(
        fields=fields,
        missing=data.missing,
        layout=() if data.header else tuple(declared(plan) if reduced else data.columns),
        helpers=msgspec.UNSET if reduced else helpers(plan, fields) or msgspec.UNSET,
        decimal="," if data.decimal == "," else msgspec.UNSET,
        fold=data.fold or msgspec.UNSET,
        separator=msgspec.UNSET if data.separator == "," else data.separator,
        encoding=msgspec.UNSET if data.encoding == "utf-8" else data.encoding,
    )


def referred(one: Field, found: Floats) -> Floats:
    """[n] a column as read, where beside a reference a value that is not declared counts as missing."""
    if one.measured:
        return found
    return np.where(found < 0, np.nan if one.referred else OTHER, found)


def scale(values: Floats, low: float, high: float) -> Floats:
    """[n] numbers on [-1, 1], clamped, and before anything else: twice a number can be beyond float64."""
    return np.asarray(2 * (np.clip(values, low, high) - low) / (high - low) - 1, dtype=np.float64)


def tensors(how: Encoding) -> dict[str, tuple[int, ...]]:
    """The columns of tensors, by name, and the shape of a cell: of a text its tokens."""
    return {one.name: one.shape or (one.length or 0,) for one in how.fields if one.apart}


def worded(how: Encoding) -> tuple[Field, ...]:
    """The columns of texts."""
    return tuple(one for one in how.fields if COLUMNS.of(one.kind).worded)


def gapped(how: Encoding, features: Floats) -> Floats:
    """features [n, p] -> [n, q], as programs for trees take them (`Encoding.gapped`)."""
    flags, found = how.flags, features.copy()
    gaps = np.flatnonzero(flags >= 0)
    found[:, gaps] = np.where(features[:, flags[gaps]] > 0, np.nan, features[:, gaps])
    return found[:, how.gapped]


def with_means(how: Encoding, means: Floats) -> Encoding:
    """The same, with what fills gaps [m]: means as columns are encoded, or UNKNOWN."""
    given = iter(means.tolist())
    fields = []
    for one in how.fields:
        mean = next(given) if one.missing == "mean" else None
        fields.append(one if mean is None or abs(mean) > 1 else msgspec.structs.replace(one, fill=mean))
    return msgspec.structs.replace(how, fields=tuple(fields))


def filled(how: Encoding, features: Floats) -> Floats:
    """features [n, p], with no gap that is known how to fill. They are not written to."""
    known = [(place, one.fill) for place, one in _averaged(how) if one.fill is not msgspec.UNSET]
    if not known:
        return features
    found = features.copy()
    for place, value in known:
        found[np.isnan(found[:, place]), place] = value
    return found


def _averaged(how: Encoding) -> Iterator[tuple[int, Field]]:
    fields = (one for one in how.fields if one.missing == "mean")
    return zip(how.averaged.tolist(), fields, strict=True)


def encode(how: Encoding, columns: Mapping[str, Floats]) -> Floats:
    """Raw columns [n] -> features [n, p]. A missing value is 0 in all of its column's features but the flag; of columns
    that are filled what fills it, or NaN."""
    parts: list[Floats] = []
    for one in how.fields:
        values = columns[one.name]
        parts.append(COLUMNS.of(one.kind).features(one, values))
        if one.missing == "mean":
            parts[-1][np.isnan(values)] = np.nan if one.fill is msgspec.UNSET else one.fill
        if one.missing == "flag":
            parts.append(np.isnan(values).astype(np.float64)[:, None])
    if parts:
        return np.hstack(parts)
    length = len(next(iter(columns.values()))) if columns else 0
    return np.zeros((length, 0))
