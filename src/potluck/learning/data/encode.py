"""How raw columns become features: declared ranges and values alone, no statistic of the data.

A number becomes 2 (x - low)/(high - low) - 1, clamped to [-1, 1]; a category one 0/1 feature a declared value, but for
its reference; a flagged missing value feature 0 and an extra 0/1 feature. Beside a reference, which is all zeros, a
value that is not declared counts as missing: it would pass for the reference else. The encoding is data: a model file
carries it, so that training and scoring cannot differ.
"""

import math
from collections.abc import Mapping, Sequence

import msgspec
import numpy as np

from potluck.core.plan import Column, Plan
from potluck.core.stages import Floats
from potluck.learning.data.column import COLUMNS, OTHER, Field, Key, key, to_number
from potluck.learning.data.problems import Unfit
from potluck.learning.data.source import Cells

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


def numbers(cells: Cells, missing: Sequence[str]) -> Floats:
    """[n] numbers, NaN where missing. Raises Unfit: text, nan or inf where a number is expected."""
    if isinstance(cells, np.ndarray):
        coded = [k for k in map(key, missing) if isinstance(k, float)]
        values = np.where(np.isin(cells, coded), np.nan, cells) if coded else cells
        infinite = np.isinf(values)
        if infinite.any():
            rest = np.where(infinite, 0.0, values)
            raise Unfit(np.flatnonzero(infinite).tolist(), rest, "inf where a number is expected")
        return np.asarray(values, dtype=np.float64)
    gone = {key(text) for text in missing}
    quick = _quickly(cells)
    if quick is not None and not np.isin(quick, [k for k in gone if isinstance(k, float)]).any():
        return quick
    out, wrong = np.zeros(len(cells), dtype=np.float64), []
    for index, cell in enumerate(cells):
        number = None if cell is None else to_number(cell)
        if number is not None and number not in gone:
            out[index] = number
        elif cell is None or key(cell) in gone:
            out[index] = np.nan
        else:
            wrong.append(index)
    if wrong:
        raise Unfit(wrong, out, "nan, inf or text where a number is expected")
    return out


def _quickly(cells: Sequence[str | None]) -> Floats | None:
    """The numbers of a column where every cell is one, else None."""
    try:
        values = np.fromiter(map(float, cells), np.float64, len(cells))  # type: ignore[arg-type]  # None: TypeError
    except (ValueError, TypeError):
        return None
    plain = np.isfinite(values).all() and "_" not in "".join(filter(None, cells))
    return values if plain else None


def codes(cells: Cells, table: Mapping[Key, float], missing: Sequence[str]) -> Floats:
    """[n] the code of each cell by `table`; OTHER where it is not there, NaN where missing."""
    gone = {key(text) for text in missing}
    known: dict[str, float] = {}

    def code(text: str) -> float:
        found = key(text)
        return math.nan if found in gone else table.get(found, OTHER)

    if isinstance(cells, np.ndarray):
        distinct, inverse = np.unique(cells, return_inverse=True)
        each = [math.nan if math.isnan(value) else code(repr(float(value))) for value in distinct]
        return np.asarray(each, dtype=np.float64)[inverse]
    out = np.empty(len(cells), dtype=np.float64)
    for index, cell in enumerate(cells):
        if cell is None:
            out[index] = np.nan
            continue
        if cell not in known:
            known[cell] = code(cell)
        out[index] = known[cell]
    return out


def order(values: Sequence[str]) -> dict[Key, float]:
    """The code of each declared value: its place."""
    return {key(value): float(place) for place, value in enumerate(values)}


def folded(text: str) -> str:
    """A text as it would be if letters had no case."""
    return text.strip().casefold()


def folded_all(declared: Sequence[str]) -> frozenset[str]:
    """Declared values likewise, but for those that compare as numbers."""
    return frozenset(folded(text) for text in declared if to_number(text.strip()) is None)


def written(one: Field, cells: Cells, missing: Sequence[str]) -> Floats:
    """[n] a column as it stands: also beside a reference OTHER for a value that is not declared. Raises Unfit."""
    return COLUMNS.of(one.kind).read(one, cells, missing)


def referred(one: Field, found: Floats) -> Floats:
    """[n] what `written` gives, where beside a reference a value that is not declared counts as missing."""
    return np.where(found == OTHER, np.nan, found) if one.referred else found


def other_last(found: Floats, values: int) -> Floats:
    """[n] codes of a category with so many values, OTHER as one more behind them; NaN stays."""
    return np.where(found == OTHER, float(values), found)


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
