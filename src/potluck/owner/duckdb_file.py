"""Rows of a DuckDB file: one SELECT, which DuckDB computes itself. Nothing is written, no other file is read.

The file is attached to be read alone, then everything outside of it is shut off: a view or a macro that it holds may
name another file, and is refused. It does NOT bound what the query computes, which is the owner's own, but for memory.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from potluck.core.errors import DataError, UsageError
from potluck.learning.data.problems import Problems
from potluck.learning.data.source import Rows, by_place
from potluck.learning.data.sql.duck import Duck, attached
from potluck.learning.data.sql.duck_types import typed
from potluck.learning.data.sql.relation import Limits
from potluck.owner.sql import HINT, REFUSED, Query, select

SCHEME = "duckdb:"
WRONG = (
    (
        "not a valid DuckDB database",
        "is no DuckDB file",
        "correct source.url in the policy; CSV and Parquet go in file",
    ),
    ("version number", "was written by another version of DuckDB", "pip install --upgrade duckdb, or write it anew"),
    ("set lock", "is in use by a program that may write to it", "close that program, or name a copy of the file"),
    ("file handle conflict", "is in use by this program itself", "close its connection, or give the rows as a frame"),
    ("Corrupt", "is damaged", "write it anew"),
    ("enough bytes", "is damaged", "write it anew"),
)
"""What a message of the engine says of a file that cannot be attached, and what is said instead."""


@dataclass(frozen=True, slots=True, eq=False)
class DuckFile:
    """See `learning.data.source.Rows`."""

    path: Path
    statement: str = field(repr=False)
    where: str
    limits: Limits

    def names(self) -> tuple[str, ...]:
        """Of what the query gives. No row is computed."""
        with self._asked() as found:
            return tuple(name.strip() for name, _ in found.columns())

    @contextmanager
    def open(
        self, wanted: Sequence[str], layout: Sequence[str] | None, problems: Problems, careful: bool
    ) -> Iterator[Duck]:
        """By name, or by place: see `by_place`."""
        with self._asked() as found:
            columns = found.columns()
            index = by_place(wanted, layout, [name.strip() for name, _ in columns], self.where)
            # By their places: names that differ in case alone are one to the engine.
            places = ", ".join(f"c{place}" for place in range(len(columns)))
            cells = {
                name: typed(*columns[place], self.where, self.limits.lists, f"c{place}")
                for name, place in zip(wanted, index, strict=True)
            }
            source = f"({self.statement}\n) AS source_({places})"
            yield Duck(found.connection, source, cells, self.where, what=REFUSED, hint=HINT)

    @contextmanager
    def _asked(self) -> Iterator[Duck]:
        if not self.path.is_file():
            raise DataError("there is no such DuckDB file", where=self.where, hint="correct source.url in the policy")
        with attached(self.limits, self.path, self._unread) as made:
            yield Duck(made, f"({self.statement}\n)", {}, self.where, what=REFUSED, hint=HINT)

    def _unread(self, error: Exception) -> DataError:
        """Of a file that cannot be attached. The engine's message quotes its path, and is not passed on."""
        for mark, what, hint in WRONG:
            if mark in str(error):
                return DataError(f"the DuckDB file {what}", where=self.where, hint=hint)
        return DataError(f"the DuckDB file cannot be read ({type(error).__name__})", where=self.where)


def duckdb_file(source: object, where: str, limits: Limits) -> Rows | None:
    """A query of a policy whose address is duckdb:///rows.duckdb, from the policy's folder.

    Raises UsageError: no usable address or query. The file is only named here.
    """
    if not isinstance(source, Query):
        return None
    address = source.address.expose().decode().strip()
    if not address.startswith(SCHEME):
        return None
    name = address.removeprefix(f"{SCHEME}///")
    if name == address or not name or "?" in name or name == ":memory:":
        raise UsageError("source.url names no DuckDB file", where=where, hint="duckdb:///rows.duckdb, without options")
    return DuckFile(source.base / name, select(source.text, where), where, limits)
