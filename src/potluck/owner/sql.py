"""Rows of a database through SQLAlchemy: one SELECT, streamed, in a transaction that cannot write. Needs sqlalchemy.

PostgreSQL: a read-only transaction and a cursor at the server. SQLite: the file is opened read-only. Messages of a
driver quote values and addresses, so none is passed on: the kind of error, and a table's or column's name at most.
It does NOT sandbox the query, which is the owner's own: whatever its functions may read at the database, it can read.
"""

import contextlib
import re
import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from potluck.core.errors import DataError, UsageError, pip
from potluck.learning.data.cells import text_of
from potluck.learning.data.problems import Problems
from potluck.learning.data.source import Rows, by_place, most_read
from potluck.learning.data.sql.duck import Duck, either, numbered, streamed
from potluck.learning.data.sql.relation import Limits
from potluck.learning.data.sql.values import Cell
from potluck.secret.container import Secret

if TYPE_CHECKING:
    import pyarrow as pa
    from sqlalchemy import URL, CursorResult, Engine

REFUSED = "the database did not give the rows"
SPARK = 'an address of Spark goes with source.engine = "spark"'
HINT = "try source.query with the database's own program, as the same user"
CHUNK = 10_000
NUMBERS = frozenset((int, float, type(None)))
PATIENCE = 15
"""Seconds to reach a database."""
_COMMENT = re.compile(r"\s+|--[^\n]*(?:\n|$)|/\*.*?\*/", re.DOTALL)
_NAMED = re.compile(r"no such (?:table|column): [\w.]{1,64}")
_TROUBLE = tuple(
    (re.compile(words), what, hint)
    for words, what, hint in (
        ("password authentication failed|no password supplied", "it does not take this user's password",
         "is the password of the address right? special letters are written as %40"),
        ('role ".*" (does not exist|is not permitted to log in)', "it does not know this user", "ask who runs it"),
        ('database ".*" does not exist', "it has no database of that name", "is the address's last part right?"),
        ("no pg_hba.conf entry", "its pg_hba.conf does not let this user in from here", "ask who runs it"),
        ("Connection refused", "nothing listens at its host and port",
         "is the database running, is the port right, and does a firewall let this machine in?"),
        ("failed to resolve host|could not translate host name", "its host's name is not known",
         "is the name right, and does this machine's DNS know it?"),
        ("too many (clients|connections)|connection slots", "it has no room for another connection", "try again later"),
        ("SSL|certificate", "the connection cannot be secured by TLS as the address asks",
         "sslmode and sslrootcert of the address have to fit what the database offers"),
        ("timeout|timed out|No route|unreachable", "it does not answer",
         "a firewall on the way that lets nothing through looks like this"),
        ("starting up|shutting down", "it is starting or ending", "try again in a minute"),
    )
)  # fmt: skip
"""How PostgreSQL and its library say in English why nobody came in, and what is said of it here. Of what else they say
the kind alone is told. The words come first that are said only where those below are not to blame."""
_DRIVERS = {"postgres": "postgresql+psycopg", "postgresql": "postgresql+psycopg", "sqlite": "sqlite+pysqlite"}


def select(query: str, where: str) -> str:
    """The query without a closing semicolon. Raises UsageError: it is not one SELECT (or WITH ... SELECT)."""
    text = query.strip().rstrip(";").rstrip()
    start = 0
    while comment := _COMMENT.match(text, start):
        start = comment.end()
    if not re.match(r"(?:select|with)\b", text[start:], re.IGNORECASE):
        raise UsageError("source.query is not a SELECT", where=where, hint="it may begin with SELECT or WITH")
    if ";" in text:
        # Also within quotes: what a quote is differs among databases, and a second statement could end the transaction.
        hint = "leave out every semicolon; a value that holds one can be tested in a view"
        raise UsageError("source.query is more than one statement", where=where, hint=hint)
    return text


@dataclass(frozen=True, slots=True)
class Query:
    """What a policy says of a database. base: the folder from which an SQLite file is named; engine: what answers."""

    address: Secret
    text: str = field(repr=False)
    base: Path
    engine: str = "duckdb"


@dataclass(frozen=True, slots=True, eq=False)
class Answer:
    """See `learning.data.source.Rows`: what a query gives, asked anew each time, and held some rows at a time.

    Every cell is the text that a CSV file would have, as a column of SQLite's may hold values of every kind. Numbers
    become texts in the engine, which is quicker at it.
    """

    engine: "Engine" = field(repr=False)
    statement: str = field(repr=False)
    where: str
    limits: Limits

    def names(self) -> tuple[str, ...]:
        """As the database has them. No row is fetched."""
        with self._asked(1) as found:
            return tuple(str(name).strip() for name in found.keys())  # noqa: SIM118  not a dict

    @contextlib.contextmanager
    def open(
        self, wanted: Sequence[str], layout: Sequence[str] | None, problems: Problems, careful: bool
    ) -> Iterator[Duck]:
        """By name, or by place: see `by_place`. At most one row more than the limit is fetched."""
        import pyarrow as pa

        with self._asked(CHUNK) as found:
            names = [str(name).strip() for name in found.keys()]  # noqa: SIM118
            index = by_place(wanted, layout, names, self.where)
            schema = numbered([pa.float64(), pa.string()] * len(wanted))
            pairs = zip(wanted, schema.names[1::2], schema.names[2::2], strict=True)
            cells = {name: Cell(either(number, text, self.limits.decimal)) for name, number, text in pairs}
            with streamed(schema, self._batches(found, wanted, index, schema), cells, self.where, self.limits) as rows:
                yield rows

    @contextlib.contextmanager
    def _asked(self, chunk: int) -> "Iterator[CursorResult[Any]]":
        with contextlib.ExitStack() as stack:
            with our_errors(self.where):
                connection = stack.enter_context(self.engine.connect())
                if connection.dialect.name == "postgresql":
                    connection = connection.execution_options(postgresql_readonly=True)
                # As it is, to the driver: in a text() `:name` would be a parameter, and with parameters `%` would be.
                most = min(chunk, self.limits.rows + 1)
                options = connection.execution_options(stream_results=True, no_parameters=True, yield_per=most)
                found = stack.enter_context(contextlib.closing(options.exec_driver_sql(self.statement)))
            yield found

    def _batches(
        self, found: "CursorResult[Any]", names: Sequence[str], index: Sequence[int], schema: "pa.Schema"
    ) -> "Iterator[pa.RecordBatch]":
        import pyarrow as pa

        length, most = 0, self.limits.rows
        with our_errors(self.where):
            while block := found.fetchmany(min(CHUNK, most + 1 - length)):
                arrays = [pa.array(range(length + 1, length + len(block) + 1), pa.int64())]
                length += len(block)
                most_read(length, most, self.where)
                columns = list(zip(*block, strict=True))
                for name, place in zip(names, index, strict=True):
                    arrays += self._numbers_and_texts(columns[place], name)
                yield pa.record_batch(arrays, schema=schema)

    def _numbers_and_texts(self, values: Sequence[object], name: str) -> "tuple[pa.Array, pa.Array]":
        """Some cells of a column: where all are numbers, numbers; else all are texts."""
        import pyarrow as pa

        if NUMBERS.issuperset(map(type, values)):
            with contextlib.suppress(pa.ArrowInvalid):  # more digits than a double has
                return pa.array(values, pa.float64()), pa.nulls(len(values), pa.string())
        texts = [text_of(value, name, self.where, self.limits.decimal) for value in values]
        return pa.nulls(len(values), pa.float64()), pa.array(texts, pa.string())


def database(source: object, where: str, limits: Limits) -> Rows | None:
    """All rows of a query. The database is asked when they are read.

    Raises UsageError: no sqlalchemy, no usable address or query. What is unreachable, or refused, or has too many rows,
    is a DataError when it is read.
    """
    if not isinstance(source, Query) or source.engine != "duckdb":
        return None
    return Answer(engine_of(source.address, source.base, where), select(source.text, where), where, limits)


def engine_of(address: Secret, base: Path, where: str) -> "Engine":
    """How a database is connected to; no connection is kept. Raises UsageError, DataError: there is no such file."""
    try:
        import sqlalchemy
        from sqlalchemy.pool import NullPool
    except ImportError:
        raise UsageError("reading a database needs SQLAlchemy", where=where, hint=pip("sql")) from None
    url = _url(address, where)
    try:
        if url.get_backend_name() == "sqlite":
            path = _sqlite_path(url, base, where)
            return sqlalchemy.create_engine("sqlite+pysqlite://", poolclass=NullPool, creator=lambda: _sqlite(path))
        patience = {} if "connect_timeout" in url.query else {"connect_timeout": PATIENCE}
        return sqlalchemy.create_engine(url, poolclass=NullPool, hide_parameters=True, connect_args=patience)
    except ImportError as error:
        hint = f"{pip('sql')} brings psycopg for PostgreSQL"
        raise UsageError(f"a database driver is missing ({error.name or 'unknown'})", where=where, hint=hint) from None
    except (sqlalchemy.exc.SQLAlchemyError, ValueError, TypeError) as error:
        raise _no_address(where, type(error).__name__) from None


def _url(address: Secret, where: str) -> "URL":
    """The address with a driver named. Only databases whose transactions can be made read-only are known."""
    from sqlalchemy.engine import make_url
    from sqlalchemy.exc import SQLAlchemyError

    scheme, colon, rest = address.expose().decode().strip().partition("://")
    try:
        url = make_url(f"{_DRIVERS.get(scheme, scheme)}{colon}{rest}")
    except (SQLAlchemyError, ValueError, TypeError) as error:  # their messages may quote the address
        raise _no_address(where, type(error).__name__) from None
    if url.drivername not in {"postgresql+psycopg", "sqlite+pysqlite"}:
        hint = "postgresql+psycopg://..., sqlite:///... and duckdb:///... can be read; export others to Parquet or CSV"
        hint += f"; {SPARK}"
        raise UsageError("source.url names no database that is known here", where=where, hint=hint)
    return url


def _no_address(where: str, kind: str) -> UsageError:
    hint = "postgresql+psycopg://user:password@host/base or sqlite:///rows.sqlite; special letters of a password as %40"
    hint += f"; {SPARK}"
    return UsageError(f"source.url is no address of a database ({kind})", where=where, hint=hint)


def _sqlite_path(url: "URL", base: Path, where: str) -> Path:
    name = url.database or ""
    if not name or name.startswith((":memory:", "file:")) or url.query:
        raise UsageError("source.url names no SQLite file", where=where, hint="sqlite:///rows.sqlite, without options")
    path = base / name
    if not path.is_file():
        raise DataError("there is no such SQLite file", where=where, hint="correct source.url in the policy")
    return path


def _sqlite(path: Path) -> sqlite3.Connection:
    uri = f"{path.absolute().as_uri()}?mode=ro"
    connection = sqlite3.connect(uri, uri=True, timeout=PATIENCE, check_same_thread=False)
    connection.execute("PRAGMA query_only = ON")
    return connection


@contextlib.contextmanager
def our_errors(where: str) -> Iterator[None]:
    """Errors of a database without what its messages quote."""
    from sqlalchemy.exc import SQLAlchemyError

    try:
        yield
    except (SQLAlchemyError, sqlite3.Error, OSError, UnicodeError) as error:
        cause = getattr(error, "orig", None) or error
        named = _NAMED.fullmatch(str(cause))
        why, hint = _trouble(cause)
        kind = named.group() if named else type(cause).__name__
        raise DataError(f"{REFUSED} ({kind}{f': {why}' if why else ''})", where=where, hint=hint) from None


def _trouble(cause: BaseException) -> tuple[str, str]:
    """Why nobody came in, and what to do. Of an error with a code, which comes later and may quote cells, nothing."""
    if getattr(cause, "sqlstate", "") is not None:
        return "", HINT
    return next(((what, hint) for words, what, hint in _TROUBLE if words.search(str(cause))), ("", HINT))
