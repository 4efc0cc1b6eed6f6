"""Rows of a database through SQLAlchemy: one SELECT, streamed, in a transaction that cannot write. Needs sqlalchemy.

PostgreSQL: a read-only transaction and a cursor at the server. SQLite: the file is opened read-only. Messages of a
driver quote values and addresses, so none is passed on: the kind of error, and a table's or column's name at most.
It does NOT sandbox the query, which is the owner's own: whatever its functions may read at the database, it can read.
"""

import contextlib
import re
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from potluck.core.errors import DataError, UsageError
from potluck.learning.data.source import Rows
from potluck.learning.data.sources.memory import InMemory
from potluck.learning.data.sql.relation import Limits
from potluck.owner.cells import Fetched, column, joined
from potluck.secret.container import Secret

if TYPE_CHECKING:
    from sqlalchemy import URL, Connection, Engine

PIP = "pip install 'potluck[sql]'"
CHUNK = 10_000
PATIENCE = 15
"""Seconds to reach a database."""
_COMMENT = re.compile(r"\s+|--[^\n]*(?:\n|$)|/\*.*?\*/", re.DOTALL)
_NAMED = re.compile(r"no such (?:table|column): [\w.]{1,64}")
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
    """What a policy says of a database. base: the folder from which an SQLite file is named."""

    address: Secret
    text: str = field(repr=False)
    base: Path


def database(source: object, where: str, limits: Limits) -> Rows | None:
    """All rows of a query: at most one more than the limit is fetched.

    Raises UsageError: no sqlalchemy, no usable address or query. Raises DataError: unreachable, refused, too many rows.
    """
    if not isinstance(source, Query):
        return None
    statement = select(source.text, where)
    engine = _engine(source.address, source.base, where)
    try:
        with _as_our_errors(where), engine.connect() as connection:
            return InMemory(_fetched(connection, statement, limits.rows, where), where, limits)
    finally:
        engine.dispose()


def _fetched(connection: "Connection", statement: str, max_rows: int, where: str) -> Fetched:
    if connection.dialect.name == "postgresql":
        connection = connection.execution_options(postgresql_readonly=True)
    # As it is, to the driver: in a text() `:name` would be a parameter, and with parameters `%` would be one.
    options = connection.execution_options(stream_results=True, no_parameters=True, yield_per=min(CHUNK, max_rows + 1))
    with contextlib.closing(options.exec_driver_sql(statement)) as found:
        names = tuple(str(name).strip() for name in tuple(found.keys()))
        parts: list[list[NDArray[np.generic]]] = [[] for _ in names]
        length = 0
        while block := found.fetchmany(min(CHUNK, max_rows + 1 - length)):
            length += len(block)
            if length > max_rows:
                raise DataError(f"has more rows than data.max_rows ({max_rows})", where=where, hint="raise it")
            for name, part, values in zip(names, parts, zip(*block, strict=True), strict=True):
                part.append(column(values, name, where))
    return Fetched(names, tuple(joined(part) for part in parts), length)


def _engine(address: Secret, base: Path, where: str) -> "Engine":
    try:
        import sqlalchemy
        from sqlalchemy.pool import NullPool
    except ImportError:
        raise UsageError("reading a database needs SQLAlchemy", where=where, hint=PIP) from None
    url = _url(address, where)
    try:
        if url.get_backend_name() == "sqlite":
            path = _sqlite_path(url, base, where)
            return sqlalchemy.create_engine("sqlite+pysqlite://", poolclass=NullPool, creator=lambda: _sqlite(path))
        patience = {} if "connect_timeout" in url.query else {"connect_timeout": PATIENCE}
        return sqlalchemy.create_engine(url, poolclass=NullPool, hide_parameters=True, connect_args=patience)
    except ImportError as error:
        hint = f"{PIP} brings psycopg for PostgreSQL"
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
        hint = "postgresql+psycopg://... and sqlite:///... can be read; export other databases to Parquet or CSV"
        raise UsageError("source.url names no database that is known here", where=where, hint=hint)
    return url


def _no_address(where: str, kind: str) -> UsageError:
    hint = "postgresql+psycopg://user:password@host/base or sqlite:///rows.sqlite; special letters of a password as %40"
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
    connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=PATIENCE)
    connection.execute("PRAGMA query_only = ON")
    return connection


@contextlib.contextmanager
def _as_our_errors(where: str) -> Iterator[None]:
    """Errors of a database without what its messages quote."""
    from sqlalchemy.exc import SQLAlchemyError

    try:
        yield
    except (SQLAlchemyError, sqlite3.Error, OSError, UnicodeError) as error:
        cause = getattr(error, "orig", None) or error
        named = _NAMED.fullmatch(str(cause))
        what = f"the database did not give the rows ({named.group() if named else type(cause).__name__})"
        hint = "try source.query with the database's own program, as the same user"
        raise DataError(what, where=where, hint=hint) from None
