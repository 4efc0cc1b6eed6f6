"""Rows of any library that hands them on as an Arrow stream: Arrow tables, polars frames (lazy ones too), relations of
DuckDB.

https://arrow.apache.org/docs/format/CDataInterface/PyCapsuleInterface.html. No cell becomes an object of Python. What a
value says is what it says in a Parquet file: NaN is a number that is none, and an absent value is null alone.
"""

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from potluck.core.errors import DataError, UsageError
from potluck.learning.data.cells import unsaid
from potluck.learning.data.problems import Problems
from potluck.learning.data.source import Rows, by_place
from potluck.learning.data.sql.duck import Duck, numbered, streamed
from potluck.learning.data.sql.relation import Limits

if TYPE_CHECKING:
    import pyarrow as pa

STREAM = "__arrow_c_stream__"
CHUNK = 1 << 16
WIDE = ("Int128", "UInt128")
"""Types of polars that Arrow has not."""


@dataclass(frozen=True, slots=True, eq=False)
class ArrowRows:
    """See `learning.data.source.Rows`."""

    source: Any = field(repr=False)
    where: str
    limits: Limits

    def names(self) -> tuple[str, ...]:
        """As the source has them."""
        return tuple(name.strip() for name in self._labels())

    @contextmanager
    def open(
        self, wanted: Sequence[str], layout: Sequence[str] | None, problems: Problems, careful: bool
    ) -> Iterator[Duck]:
        """By name, or by place: see `by_place`."""
        import pyarrow as pa

        labels = self._labels()
        index = by_place(wanted, layout, [name.strip() for name in labels], self.where)
        source, lazy = self.source, _lazy(self.source)
        with self._as_our_errors():
            if lazy is not None:
                self._known(lazy.collect_schema(), [labels[place] for place in index])
            if lazy is not None:  # what is not wanted is not computed
                source, index = lazy.select([labels[place] for place in index]).collect(), list(range(len(index)))
            reader = pa.RecordBatchReader.from_stream(source)
        types = [_plain(reader.schema.field(place).type) for place in index]
        schema = numbered(types)
        with streamed(schema, self._batches(reader, index, schema), wanted, self.where, self.limits) as found:
            yield found

    def _known(self, schema: Any, labels: Sequence[str]) -> None:
        """Raises DataError: a column's type is not one of Arrow's."""
        for label in labels:
            if str(schema[label]) in WIDE:
                raise unsaid(label, str(schema[label]), self.where)

    def _labels(self) -> list[str]:
        import pyarrow as pa

        with self._as_our_errors():
            lazy = _lazy(self.source)
            if lazy is not None:
                return list(lazy.collect_schema().names())
            return list(pa.RecordBatchReader.from_stream(self.source).schema.names)

    def _batches(
        self, reader: "pa.RecordBatchReader", index: Sequence[int], schema: "pa.Schema"
    ) -> "Iterator[pa.RecordBatch]":
        import pyarrow as pa

        seen = 0
        with self._as_our_errors():
            for whole in reader:
                for start in range(0, len(whole), CHUNK):
                    cut = whole.slice(start, CHUNK)
                    lines = np.arange(seen + 1, seen + len(cut) + 1)
                    seen += len(cut)
                    pairs = zip(index, schema.types[1:], strict=True)
                    yield pa.record_batch(
                        [lines, *(_decoded(cut.column(place), kind) for place, kind in pairs)], schema=schema
                    )

    @contextmanager
    def _as_our_errors(self) -> Iterator[None]:
        """What libraries raise while they compute rows, without the values that their messages may quote."""
        import duckdb
        import pyarrow as pa

        polars = sys.modules.get("polars")
        more = (polars.exceptions.PolarsError,) if polars else ()
        try:
            yield
        except (pa.ArrowException, duckdb.Error, OSError, TypeError, ValueError, *more) as error:
            what = f"cannot be read as an Arrow stream ({type(error).__name__})"
            hint = "give a frame or a table, not a column alone, of numbers, texts, true and false, dates and times"
            raise DataError(what, where=self.where, hint=hint) from None


def _lazy(source: Any) -> Any:
    """A polars frame, as a lazy one; None: it is none."""
    polars = sys.modules.get("polars")
    if polars is None or not isinstance(source, polars.DataFrame | polars.LazyFrame):
        return None
    return source.lazy()


def _plain(kind: "pa.DataType") -> "pa.DataType":
    """The type of cells as they are handed on: dictionaries differ from batch to batch, and DuckDB knows no half
    floats."""
    import pyarrow as pa

    if pa.types.is_dictionary(kind):
        return pa.large_string() if _text(kind.value_type) else _plain(kind.value_type)
    return pa.float64() if pa.types.is_float16(kind) else kind


def _text(kind: "pa.DataType") -> bool:
    import pyarrow as pa

    return kind in (pa.string(), pa.large_string(), pa.string_view())


def _decoded(array: "pa.Array", kind: "pa.DataType") -> "pa.Array":
    import pyarrow as pa

    if pa.types.is_dictionary(array.type):
        values = array.dictionary.cast(pa.large_string()) if _text(array.type.value_type) else array.dictionary
        array = pa.DictionaryArray.from_arrays(array.indices, values).dictionary_decode()
    if array.type == kind:
        return array
    # A half float by its shortest text: .1 is not .0999755859375.
    return pa.array([None if one is None else float(str(np.float16(one))) for one in array.to_pylist()], kind)


def arrow(source: object, where: str, limits: Limits) -> Rows | None:
    """An object that hands its rows on as an Arrow stream, more than once. pandas has rules of its own.

    Raises UsageError: it does so but once.
    """
    import pandas as pd
    import pyarrow as pa

    if isinstance(source, pd.DataFrame) or not (hasattr(source, STREAM) or _lazy(source) is not None):
        return None
    if isinstance(source, pa.RecordBatchReader):
        hint = "rows may be read more than once: give reader.read_all()"
        raise UsageError("a stream can be read but once", where=where, hint=hint)
    return ArrowRows(source, where, limits.here())
