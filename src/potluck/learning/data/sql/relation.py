"""A source while it is open to queries: what its engine is, which columns it has, and what it answers."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from potluck.learning.data.sql.dialect import Dialect
from potluck.learning.data.sql.values import Cell

Column = NDArray[np.generic]


@dataclass(frozen=True, slots=True)
class Limits:
    """What reading may take, and how a CSV file is written. rows: at most; memory: bytes of its engine; decimal: the
    mark in texts that are numbers; folder: where files lie that cells name, None where nobody says it; lists: columns
    whose cells may be lists of numbers."""

    rows: int
    memory: int = 1 << 30
    separator: str = ","
    encoding: str = "utf-8"
    decimal: str = "."
    folder: Path | None = None
    lists: frozenset[str] = frozenset()

    def beside(self, file: Path) -> "Limits":
        """Of rows in a file: what their cells name lies in its folder, where nobody says another."""
        return self if self.folder else replace(self, folder=file.parent)

    def here(self) -> "Limits":
        """Of rows in memory: likewise in the working directory."""
        return self.beside(Path("rows"))


class Relation(Protocol):
    """An open source.

    source: what stands after FROM. cells: by name, the wanted columns. line: the column that says where a row stands;
    None: rows are counted. placed: their owner can find a row by where it stands. mixed: the engine gives rows in no
    order of its own, and is to be asked for one.
    """

    @property
    def dialect(self) -> Dialect: ...

    @property
    def source(self) -> str: ...

    @property
    def cells(self) -> Mapping[str, Cell]: ...

    @property
    def line(self) -> str | None: ...

    @property
    def placed(self) -> bool: ...

    @property
    def mixed(self) -> bool: ...

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """A small answer. Raises DataError, Doubt."""
        ...

    def batches(self, query: str) -> Iterator[list[Column]]:
        """A large one, some rows at a time, in order: an array a column, NaN (of texts None) where it is NULL.

        Raises DataError, Doubt.
        """
        ...
