"""DuckDB in this process: sources as relations of it. Nothing is downloaded, nothing is written, no other file is read.

Messages of the engine quote cells and paths, so none is passed on: the kind of error at most.
"""

import glob
import os
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from potluck.core.errors import DataError
from potluck.learning.data.cells import EXACT, unsaid
from potluck.learning.data.problems import Doubt
from potluck.learning.data.sql.arrays import as_column
from potluck.learning.data.sql.dialect import DUCKDB, STOPPED, Dialect
from potluck.learning.data.sql.duck_types import typed
from potluck.learning.data.sql.relation import Column, Limits
from potluck.learning.data.sql.values import Cell

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

BATCH = 1 << 16
"""Rows of an answer at a time."""
FEW = 1 << 11
"""The same where cells are lists, which may be long: as many as the engine works on at once."""
THREADS = 4
"""At most: each holds some rows."""
SMALL = 16 << 20
"""Bytes of a file that one thread reads as soon as several."""
STREAM = "stream"
INTERRUPTED = "Query interrupted"
"""What the engine says where a signal comes while it works, in place of Python's own exception."""
PRUNING = "statistics_propagation"
"""Not to be optimized: it takes NaN for no larger than what a Parquet file says is its largest number."""
PUSHDOWN = "partial_aggregate_pushdown"
"""Nor this, which not every version has: it writes out what is grouped above a join, layer by layer, which takes
seconds for a question over three rows."""
DECIMAL = 128
"""Bits of a decimal at most."""
DAY, YEARS = 86_400, 9_223_371_331_200
"""Seconds of a day, and from 1970 to the end of the engine's calendar."""
SECOND = {"s": 1, "ms": 1_000, "us": 1_000_000, "ns": 1_000_000_000}


@dataclass(frozen=True, slots=True, eq=False)
class Duck:
    """See `relation.Relation`. where: the site's name, what: is wrong where it cannot be read, hint: what to do then,
    all for messages; broken: what making a stream of rows raised."""

    connection: "duckdb.DuckDBPyConnection" = field(repr=False)
    source: str
    cells: Mapping[str, Cell]
    where: str
    line: str | None = None
    careful: bool = True
    what: str = "cannot be read"
    broken: list[BaseException] = field(default_factory=list, repr=False)
    dialect: Dialect = DUCKDB
    placed: bool = True
    hint: str = ""
    mixed: bool = False

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """See `relation.Relation`."""
        with self._as_our_errors():
            return self.connection.execute(query).fetchall()

    def batches(self, query: str) -> Iterator[list[Column]]:
        """See `relation.Relation`."""
        with self._as_our_errors():
            listed = any(cell.listed for cell in self.cells.values())
            for batch in self.connection.sql(query).to_arrow_reader(FEW if listed else BATCH):
                yield [as_column(one) for one in batch.columns]

    def take(self, name: str, other: "Duck", query: str) -> None:
        """Put the answer of another relation into a table of this database, some rows at a time. Raises as the other's
        `rows`."""
        import pyarrow as pa

        broken: list[BaseException] = []
        with other._as_our_errors():
            reader = other.connection.sql(query).to_arrow_reader(BATCH)

        def guarded() -> "Iterator[pa.RecordBatch]":
            try:
                with other._as_our_errors():
                    yield from reader
            except BaseException as error:
                broken.append(error)
                raise

        self.connection.register("taken", pa.RecordBatchReader.from_batches(reader.schema, guarded()))
        replace(self, broken=broken).rows(f"CREATE TEMP TABLE {name} AS SELECT * FROM taken")
        self.connection.unregister("taken")

    def columns(self) -> list[tuple[str, str]]:
        """Names and types of the source's columns."""
        asked = self.source if self.source.startswith("(") else f"SELECT * FROM {self.source}"
        return [(str(row[0]), str(row[1])) for row in self.rows(f"DESCRIBE {asked}")]

    def count(self) -> int:
        """How many rows it has."""
        return int(self.rows(f"SELECT count(*) FROM {self.source}")[0][0])

    @contextmanager
    def _as_our_errors(self) -> Iterator[None]:
        import duckdb

        try:
            yield
        except (duckdb.Error, OSError) as error:
            if isinstance(error, duckdb.InternalException | duckdb.FatalException):
                _shared.cache_clear()  # such a database answers nothing from now on
            if self.broken:
                raise self.broken[0] from None
            if STOPPED in str(error):
                raise Doubt from None
            if isinstance(error, duckdb.OutOfMemoryException) or "Out of Memory" in str(error):
                hint = "raise source.memory in the policy, or give the rows as Parquet"
                raise DataError("needs more memory than source.memory", where=self.where, hint=hint) from None
            if not self.careful:
                raise Doubt from None
            what = f"{self.what} ({type(error).__name__})"
            raise DataError(what, where=self.where, hint=self.hint) from None
        except RuntimeError as error:
            if str(error) == INTERRUPTED:
                raise KeyboardInterrupt from None
            raise


def _database(
    limits: Limits, threads: int, path: Path | None = None, attach: bool = False
) -> "duckdb.DuckDBPyConnection":
    """path: of a file that it can read; attach: it is a DuckDB file, whose tables have their own names."""
    import duckdb

    options: dict[str, str | bool | int | float | list[str]] = {
        "autoinstall_known_extensions": "false",
        "autoload_known_extensions": "false",
        "allow_community_extensions": "false",
        "python_enable_replacements": "false",
        "temp_directory": "",  # rows are never written to disk
        "memory_limit": f"{limits.memory // 1024}KiB",
        "threads": str(threads),
    }
    made = duckdb.connect(":memory:", config=options)
    known = {str(name) for (name,) in made.execute("SELECT name FROM duckdb_optimizers()").fetchall()}
    made.execute(f"SET disabled_optimizers = {DUCKDB.text(','.join([PRUNING, *({PUSHDOWN} & known)]))}")
    if path and attach:
        made.execute(f"ATTACH {DUCKDB.text(str(path))} AS source (READ_ONLY, TYPE duckdb)")
        made.execute("USE source")
    elif path:
        made.execute(f"SET allowed_paths = [{DUCKDB.text(str(path))}]")
        if glob.has_magic(str(path)):  # as the file is then looked for in its folder
            made.execute(f"SET allowed_directories = [{DUCKDB.text(str(path.parent))}]")
    # It would stand among what a program without a file prints. In a notebook without ipywidgets nobody may set it.
    if made.execute("SELECT current_setting('enable_progress_bar')").fetchone() == (True,):
        made.execute("SET enable_progress_bar = false")
    made.execute("SET enable_external_access = false")
    made.execute("SET lock_configuration = true")
    return made


@contextmanager
def connection(limits: Limits, path: Path) -> "Iterator[duckdb.DuckDBPyConnection]":
    """A database in memory that can read this file, and nothing else of this machine."""
    with closing(_database(limits, _threads(path), path.absolute())) as made:
        yield made


@contextmanager
def attached(
    limits: Limits, path: Path, unread: Callable[[Exception], Exception]
) -> "Iterator[duckdb.DuckDBPyConnection]":
    """The tables of a DuckDB file, to be read, and nothing else of this machine. unread: the error that stands for the
    engine's where the file cannot be attached."""
    import duckdb

    try:
        found = _database(limits, _threads(path), path.absolute(), attach=True)
    except (duckdb.Error, OSError) as error:
        raise unread(error) from None
    with closing(found) as made:
        yield made


def _threads(path: Path) -> int:
    return 1 if path.stat().st_size < SMALL else min(THREADS, os.cpu_count() or 1)


@cache
def _shared(memory: int, process: int) -> "duckdb.DuckDBPyConnection":
    """A database in memory that reads no file: one a process, as to make one takes longer than most questions."""
    return _database(Limits(0, memory), 1)


def path_text(path: Path) -> str:
    """A path as a literal that names this file alone: to the engine, `*` and `?` are patterns."""
    return DUCKDB.text(glob.escape(str(path.absolute())))


def parquet_names(found: Duck, path: Path) -> list[str]:
    """The names of a Parquet file's columns, as they are in it. Raises DataError: it is none."""
    listed = found.rows(f"SELECT name, coalesce(num_children, 0) FROM parquet_schema({path_text(path)})")
    names, within = [], 0
    for name, children in listed[1:]:  # the first is the whole; what a column consists of follows it
        if not within:
            names.append(str(name))
        within = max(within - 1, 0) + int(children)
    return names


def numbered(types: Iterable["pa.DataType"]) -> "pa.Schema":
    """Rows that this process makes: which line each one is, and c0, c1, ... of these types."""
    import pyarrow as pa

    return pa.schema([("line", pa.int64()), *((f"c{place}", kind) for place, kind in enumerate(types))])


def either(number: str, text: str, decimal: str) -> str:
    """A cell as a text: the text of a stream's column where it has one, else that of its number."""
    # Zero below zero stays what it is.
    whole = f"{number} = trunc({number}) AND abs({number}) <= {DUCKDB.double(EXACT)}"
    whole += f" AND ({number} <> 0 OR NOT signbit({number}))"
    said = f"CASE WHEN {whole} THEN CAST(CAST({number} AS BIGINT) AS VARCHAR) ELSE CAST({number} AS VARCHAR) END"
    if decimal != ".":
        said = f"replace({said}, '.', {DUCKDB.text(decimal)})"
    return f"coalesce({text}, {said})"


@contextmanager
def streamed(
    schema: "pa.Schema",
    batches: Iterable["pa.RecordBatch"],
    cells: Mapping[str, Cell] | Sequence[str],
    where: str,
    limits: Limits,
) -> Iterator[Duck]:
    """Rows that this process makes, some at a time. One query may be asked. What making them raises, the query does.

    cells: also as names alone, of the columns of a schema that is `numbered`, whose types then say what they are.
    Raises DataError: no text stands for a column's values.
    """
    import pyarrow as pa

    broken: list[BaseException] = []

    names = [] if isinstance(cells, Mapping) else list(cells)

    def guarded() -> "Iterator[pa.RecordBatch]":
        try:
            for batch in batches:
                for place, name in enumerate(names, 1):
                    _in_calendar(batch, place, name, where)
                yield batch
        except BaseException as error:
            broken.append(error)
            raise

    with closing(_shared(limits.memory, os.getpid()).cursor()) as made:
        line = "line" if "line" in schema.names else None
        found = Duck(made, STREAM, {}, where, line, broken=broken)
        if not isinstance(cells, Mapping):
            cells = _typed(found, schema, names, limits.lists)
        with found._as_our_errors():
            made.register(STREAM, pa.RecordBatchReader.from_batches(schema, guarded()))
        yield replace(found, cells=cells)


def _typed(found: Duck, schema: "pa.Schema", names: Sequence[str], lists: Collection[str]) -> dict[str, Cell]:
    """The columns of a schema that is `numbered`, as cells, by these names."""
    for name, kind in zip(names, schema.types[1:], strict=True):
        if _unknown(kind):
            raise unsaid(name, str(kind), found.where)
    if not names:
        return {}
    with found._as_our_errors():
        found.connection.register("typed", schema.empty_table())
        kinds = found.connection.execute("DESCRIBE SELECT * EXCLUDE line FROM typed").fetchall()
    return {
        name: typed(name, kind, found.where, lists, sql) for name, (sql, kind, *_) in zip(names, kinds, strict=True)
    }


def _unknown(kind: "pa.DataType") -> bool:
    """Whether the engine has no such type: of some it stumbles over the mere name."""
    import pyarrow as pa

    if pa.types.is_decimal(kind):
        return bool(kind.bit_width > DECIMAL or kind.scale < 0)
    return bool(pa.types.is_union(kind))


def _in_calendar(batch: "pa.RecordBatch", place: int, name: str, where: str) -> None:
    """Raises DataError: a column has a moment or a time of day that there is not. To the engine that is a fault of its
    own, after which its database answers nothing."""
    import pyarrow as pa
    import pyarrow.compute as pc

    column = batch.column(place)
    if pa.types.is_timestamp(column.type):
        most = YEARS * SECOND[column.type.unit]
        least = -most
    elif pa.types.is_time(column.type):
        least, most = 0, DAY * SECOND[column.type.unit]
    else:
        return
    if most >= 1 << 63:  # any that fits
        return
    numbers = column.view(pa.int64() if column.type.bit_width == 64 else pa.int32())
    wrong = pc.or_(pc.less(numbers, least), pc.greater(numbers, most))
    if pc.any(wrong).as_py():
        line = batch.column(0)[pc.index(wrong, True).as_py()].as_py()
        what = f"column {name.strip()!r}, line {line}: a moment that is in no calendar"
        raise DataError(what, where=where, hint="correct the cell: dates lie in the years of four digits")
