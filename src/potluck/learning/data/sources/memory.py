"""Rows in memory: a pandas or polars frame, or whatever has named columns as they have, and a NumPy array."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from potluck.core.errors import DataError
from potluck.core.stages import Floats
from potluck.learning.data.problems import Problems
from potluck.learning.data.source import Cells, Frame, Rows, by_place
from potluck.learning.data.sql.duck import Duck, streamed
from potluck.learning.data.sql.relation import Limits
from potluck.learning.data.sql.values import Cell

if TYPE_CHECKING:
    import pyarrow as pa

CHUNK = 1 << 16


@dataclass(frozen=True, slots=True, eq=False)
class InMemory:
    """See `learning.data.source.Rows`. Columns of an array are taken by their places."""

    frame: NDArray[np.generic] | Frame = field(repr=False)
    where: str
    limits: Limits

    def names(self) -> tuple[str, ...]:
        """A frame's labels, an array's places."""
        if isinstance(self.frame, np.ndarray):
            return tuple(map(str, range(self.frame.shape[1] if self.frame.ndim == 2 else 0)))
        return tuple(map(str, self.frame.columns))

    @contextmanager
    def open(
        self, wanted: Sequence[str], layout: Sequence[str] | None, problems: Problems, careful: bool
    ) -> Iterator[Duck]:
        """By name, or by place where it has not all the wanted names and a layout says the order."""
        import pyarrow as pa

        index = by_place(wanted, layout, self.names(), self.where, named=not isinstance(self.frame, np.ndarray))
        columns = [self._column(place) for place in index]
        if any(len(column) != len(self.frame) for column in columns):
            raise DataError("has columns of different lengths", where=self.where, hint="give a frame, or an array")
        cells = {name: Cell(f"c{i}", typed=isinstance(columns[i], np.ndarray)) for i, name in enumerate(wanted)}
        fields = [(cell.sql, pa.float64() if cell.typed else pa.string()) for cell in cells.values()]
        schema = pa.schema([("line", pa.int64()), *fields])
        with streamed(schema, _batches(schema, columns, len(self.frame)), cells, self.where, self.limits) as found:
            yield found

    def _column(self, place: int) -> Cells:
        if isinstance(self.frame, np.ndarray):
            return _cells(self.frame[:, place])
        label = list(self.frame.columns)[place]
        return _cells(np.asarray(self.frame[label]))  # type: ignore[index]  # a pandas label need not be a text


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


def _batches(schema: "pa.Schema", columns: Sequence[Cells], length: int) -> "Iterator[pa.RecordBatch]":
    import pyarrow as pa

    for start in range(0, length, CHUNK):
        stop = min(start + CHUNK, length)
        parts = [np.arange(start + 1, stop + 1), *(column[start:stop] for column in columns)]
        arrays = [pa.array(part, type=one.type, from_pandas=True) for part, one in zip(parts, schema, strict=True)]
        yield pa.record_batch(arrays, schema=schema)


def _cells(values: NDArray[np.generic]) -> Cells:
    if values.dtype.kind == "f" and values.dtype.itemsize < 8:  # by its shortest text: .1 is not .10000000149
        return np.array([float(str(value)) for value in values], np.float64)
    if values.dtype.kind == "M":
        said = np.datetime_as_string(values.astype("datetime64", copy=False)).tolist()
        return [None if text == "NaT" else text.replace("T", " ") for text in said]
    exact = values.dtype.kind == "f" or (values.dtype.kind in "iu" and bool((np.abs(values) < 2**53).all()))
    if exact:
        return values.astype(np.float64, copy=False)
    import pandas as pd

    missing = pd.isna(values)
    return [None if gone else str(value) for value, gone in zip(values.tolist(), missing.tolist(), strict=True)]


def in_memory(source: object, where: str, limits: Limits) -> Rows | None:
    """An array, or an object with columns."""
    frame = isinstance(source, np.ndarray) or hasattr(source, "columns")
    return InMemory(source, where, limits) if frame else None  # type: ignore[arg-type]  # as far as it can be told
