"""Rows in memory: a pandas frame, or whatever has named columns as it has, and a NumPy array.

They are handed on as Arrow, some rows at a time. Numbers, moments, true and false keep their types; all else becomes
the texts that a file would have. As pandas has it, NaN is no value.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from potluck.core.errors import DataError
from potluck.core.stages import Floats
from potluck.learning.data.cells import text_of, unsaid
from potluck.learning.data.problems import Problems
from potluck.learning.data.source import Frame, Rows, by_place
from potluck.learning.data.sources.lists import list_type, listed
from potluck.learning.data.sql.duck import FEW, Duck, numbered, streamed
from potluck.learning.data.sql.relation import Limits

if TYPE_CHECKING:
    import pyarrow as pa

CHUNK = 1 << 16
WIDTHS = (4, 8)
"""Bytes of floats that DuckDB knows, too."""
UNITS, FINER = ("s", "ms", "us", "ns"), ("ps", "fs", "as")
"""In which Arrow counts time, and in which NumPy does besides."""


@dataclass(frozen=True, slots=True, eq=False)
class InMemory:
    """See `learning.data.source.Rows`. Columns of an array are taken by their places."""

    frame: NDArray[np.generic] | Frame = field(repr=False)
    where: str
    limits: Limits

    def names(self) -> tuple[str, ...]:
        """A frame's labels, an array's places."""
        if not isinstance(self.frame, np.ndarray):
            return tuple(str(label).strip() for label in self.frame.columns)
        if self.frame.ndim != 2:
            hint = "array.reshape(-1, 1) is one column; pandas.DataFrame(array) has the names of a structured array"
            what = f"is an array of shape {self.frame.shape}, not of rows and columns"
            raise DataError(what, where=self.where, hint=hint)
        return tuple(map(str, range(self.frame.shape[1])))

    @contextmanager
    def open(
        self, wanted: Sequence[str], layout: Sequence[str] | None, problems: Problems, careful: bool
    ) -> Iterator[Duck]:
        """By name, or by place where it has not all the wanted names and a layout says the order."""
        index = by_place(wanted, layout, self.names(), self.where, named=not isinstance(self.frame, np.ndarray))
        columns = [self._column(place) for place in index]
        if any(len(column) != len(self.frame) for column in columns):
            raise DataError("has columns of different lengths", where=self.where, hint="give a frame, or an array")
        schema = numbered(map(self._kind, columns, wanted))
        with streamed(schema, self._batches(schema, wanted, columns), wanted, self.where, self.limits) as found:
            yield found

    def _kind(self, column: Any, name: str) -> "pa.DataType":
        """The type of a column's cells as they are handed on."""
        lists = name.strip() in self.limits.lists and column.dtype == object
        return (list_type(column) if lists else None) or _type(column)

    def _column(self, place: int) -> Any:
        """What is cut to pieces by places, and may have a dtype."""
        if isinstance(self.frame, np.ndarray):
            return self.frame[:, place]
        label = list(self.frame.columns)[place]
        column = self.frame[label]  # type: ignore[index]  # a pandas label need not be a text
        return column if hasattr(column, "dtype") else np.asarray(column)

    def _batches(self, schema: "pa.Schema", names: Sequence[str], columns: Sequence[Any]) -> "Iterator[pa.RecordBatch]":
        import pyarrow as pa

        size = FEW if any(pa.types.is_list(kind) for kind in schema.types) else CHUNK
        for start in range(0, len(self.frame), size):
            parts = [_part(one, start, size) for one in columns]
            arrays = [self._array(*one, start) for one in zip(parts, schema.types[1:], names, strict=True)]
            lines = np.arange(start + 1, min(start + size, len(self.frame)) + 1)
            yield pa.record_batch([lines, *arrays], schema=schema)

    def _array(self, part: NDArray[np.generic], kind: "pa.DataType", name: str, start: int) -> "pa.Array":
        import pyarrow as pa

        if pa.types.is_list(kind):
            return listed(part, kind)
        if kind != pa.string():
            if part.dtype.kind in "Mm":
                part = self._moments(part, kind, name)
            known = part.dtype.kind != "f" or part.dtype.itemsize in WIDTHS
            values = part if known else _widened(part)
            return pa.array(values, type=kind, from_pandas=True)
        some = zip(part.tolist(), _gone(part), strict=True)
        texts = [None if no else text_of(v, name, self.where, self.limits.decimal) for v, no in some]
        try:
            return pa.array(texts, kind)
        except UnicodeEncodeError:  # its message quotes the letter
            line = start + 1 + next(place for place, text in enumerate(texts) if text and not _whole(text))
            what = f"column {name!r}, line {line}: half of a letter (a surrogate)"
            raise DataError(what, where=self.where, hint="correct the cell, or how the text was decoded") from None

    def _moments(self, part: Any, kind: Any, name: str) -> Any:
        """Moments and spans in the unit of a type, whatever steps NumPy counts them in."""
        unit = np.dtype(f"{part.dtype.kind}8[{kind.unit}]")
        if part.dtype == unit:
            return part
        counted = np.datetime_data(part.dtype)[0]
        if part.dtype.kind == "m" and counted in ("Y", "M"):  # they differ in length
            raise unsaid(name, part.dtype.name, self.where)
        found = part.astype(unit)
        if counted not in FINER and not np.array_equal(found.astype(part.dtype), part, equal_nan=True):
            what = f"column {name!r} holds a moment that is in no calendar"
            raise DataError(what, where=self.where, hint="correct the cell: dates lie in the years of four digits")
        return found


@dataclass(frozen=True, slots=True, eq=False)
class ByName:
    """Columns [n] of numbers by name, as a frame. length: n, also where there is no column."""

    by_name: Mapping[str, Floats] = field(repr=False)
    length: int

    def __len__(self) -> int:
        return self.length

    @property
    def columns(self) -> Iterable[str]:
        """The names."""
        return self.by_name

    def __getitem__(self, name: str, /) -> Floats:
        return self.by_name[name]


def _type(column: Any) -> "pa.DataType":
    """The type of a column's cells as they are handed on."""
    import pandas as pd
    import pyarrow as pa

    dtype = column.dtype
    if dtype.name == "category":
        truths = pd.api.types.infer_dtype(dtype.categories, skipna=True) == "boolean"
        return pa.bool_() if truths else pa.string()
    if dtype.name in ("object", "boolean", "bool[pyarrow]"):
        return pa.bool_() if pd.api.types.infer_dtype(column, skipna=True) == "boolean" else pa.string()
    if not isinstance(dtype, np.dtype) or dtype.kind not in "biufMm":
        return pa.string()
    if dtype.kind in "Mm":
        unit = np.datetime_data(dtype)[0]
        unit = "ns" if unit in FINER else unit if unit in UNITS else "s"
        return pa.timestamp(unit) if dtype.kind == "M" else pa.duration(unit)
    if dtype.kind == "f" and dtype.itemsize not in WIDTHS:
        return pa.float64()
    return pa.from_numpy_dtype(dtype)


def _part(column: Any, start: int, size: int) -> NDArray[np.generic]:
    part = getattr(column, "iloc", column)[start : start + size]
    # As they are: numbers of pandas that may be absent would become floats.
    return np.asarray(part) if isinstance(column.dtype, np.dtype) else np.asarray(part, dtype=object)


def _gone(part: NDArray[np.generic]) -> list[bool]:
    """Which cells are absent."""
    import pandas as pd

    try:
        return list(pd.isna(part).tolist())
    except ArithmeticError:  # a Decimal that may not even be compared
        return [value.is_nan() if isinstance(value, Decimal) else bool(pd.isna(value)) for value in part.tolist()]


def _whole(text: str) -> bool:
    """Whether a text is of letters alone: pairs of surrogates are one each."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _widened(part: NDArray[np.generic]) -> NDArray[np.generic]:
    """Floats that few know: narrow ones by their shortest text, as .1 is not .0999755859375."""
    return np.array([float(str(value)) for value in part], np.float64)


def in_memory(source: object, where: str, limits: Limits) -> Rows | None:
    """An array, or an object with columns."""
    frame = isinstance(source, np.ndarray) or hasattr(source, "columns")
    return InMemory(source, where, limits.here()) if frame else None  # type: ignore[arg-type]  # as far as it can be told
