"""Rows of a Parquet file, a column at a time: what the plan does not name stays unread. Needs pyarrow."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from potluck.core.errors import DataError, UsageError
from potluck.learning.data.source import Rows
from potluck.learning.data.sources.memory import InMemory
from potluck.owner.cells import column

PIP = "pip install 'potluck[parquet]'"


class ParquetRows:
    """The rows as `learning.data.source.Frame` has them. The file is open while a column is read, not longer."""

    def __init__(self, path: Path, max_rows: int, where: str) -> None:
        """Reads names and row count. Raises UsageError: no pyarrow. Raises DataError: no Parquet, too many rows."""
        self._path, self._where = path, where
        with _opened(path, where) as file:
            self.columns: tuple[str, ...] = tuple(name.strip() for name in file.schema_arrow.names)
            self._length = int(file.metadata.num_rows)
        if self._length > max_rows:
            raise DataError(f"has more rows than data.max_rows ({max_rows})", where=where, hint="raise it")

    def __len__(self) -> int:
        return self._length

    def __getitem__(self, name: str, /) -> NDArray[np.generic]:
        place = self.columns.index(name)
        with _opened(self._path, self._where) as file:
            values = column(_values(file, place), name, self._where)
        if len(values) != self._length:
            raise DataError("was changed while it was read", where=self._where, hint="leave it alone during a run")
        return values


def _values(file: Any, place: int) -> Iterator[object]:
    """One column's values. A narrow float by its shortest text, as in a CSV: .1 is not .10000000149."""
    name = file.schema_arrow.names[place]
    narrow = {"float": np.float32, "halffloat": np.float16}.get(str(file.schema_arrow.types[place]))
    for group in range(file.metadata.num_row_groups):
        # By name: to ask for "a" also brings "a.b", which may stand before it.
        values = file.read_row_group(group, columns=[name]).column(name).to_pylist()
        if narrow is None:
            yield from values
        else:
            yield from (None if value is None else float(str(narrow(value))) for value in values)


@contextmanager
def _opened(path: Path, where: str) -> Iterator[Any]:
    try:
        import pyarrow.lib
        import pyarrow.parquet
    except ImportError:
        raise UsageError("reading Parquet needs pyarrow", where=where, hint=PIP) from None
    try:
        with pyarrow.parquet.ParquetFile(path) as file:
            yield file
    except FileNotFoundError:
        raise DataError(f"no such file: {path}", where=where, hint="correct the path of this site's data") from None
    except (OSError, pyarrow.lib.ArrowException) as error:
        raise DataError(f"{path} cannot be read as Parquet ({type(error).__name__})", where=where) from None


def parquet(source: object, where: str, most: int) -> Rows | None:
    """A path that ends in `.parquet`, in any case."""
    if not isinstance(source, str | Path) or Path(source).suffix.lower() != ".parquet":
        return None
    return InMemory(ParquetRows(Path(source), most, where))
