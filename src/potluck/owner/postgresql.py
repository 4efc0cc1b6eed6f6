"""Rows that stay in a PostgreSQL database: what a plan asks of them is one query that it answers, in a transaction that
cannot write. Sums leave it, or, to train, the encoded columns of rows, some at a time. Needs sqlalchemy and psycopg.

The owner's query is a table within that query. Of a plan it holds words alone: names of values, numbers, days. What
types say is what `sql` would fetch: true and false are 1 and 0, a moment is of its day in UTC. Rows come in no order
that could be relied on, so that what does not fit is counted, and its rows are not named.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from potluck.core.errors import DataError, UsageError
from potluck.learning.data.cells import unsaid
from potluck.learning.data.problems import Doubt, Problems
from potluck.learning.data.source import Rows, by_place
from potluck.learning.data.sql.dialect import STOPPED, Dialect
from potluck.learning.data.sql.layers import described, nested
from potluck.learning.data.sql.postgresql import POSTGRESQL, decimal
from potluck.learning.data.sql.relation import Column, Limits
from potluck.learning.data.sql.values import Cell
from potluck.owner.sql import CHUNK, Query, engine_of, our_errors, select

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine

SETTINGS = {
    "client_encoding": "UTF8",
    "datestyle": "ISO, YMD",
    "extra_float_digits": "1",
    "jit": "off",  # it would compile expressions for longer than it computes them
    "standard_conforming_strings": "on",
    "timezone": "UTC",
}
"""On them hang what texts of values look like, and what a literal says. They hold for the transaction alone, as others
may take the same connection after it."""
TOO_WIDE = {"54000", "54001", "54011"}
"""The database's codes for a query of more columns, or of deeper expressions, than it takes."""
OTHERS = "SELECT oid FROM pg_catalog.pg_type WHERE typcategory IN ('E', 'S')"
_TEXT = 'CAST({} AS text) COLLATE "C"'
"""By letters alone: a collation may take two texts for one."""
_WHOLE, _DOUBLE = "CAST({} AS double precision)", "CAST(CAST({} AS text) AS double precision)"
_TEXTS, _BOOLEAN, _INT2, _INT4, _INT8, _FLOAT4, _FLOAT8, _NUMERIC = 25, 16, 21, 23, 20, 700, 701, 1700
_SAID = {18, 19, 25, 705, 1042, 1043, 1082, 1083, 1114, 2950}
"""Types whose texts are what a CSV file would say: texts, dates, times, UUIDs."""
_MOMENT = 1184


@dataclass(frozen=True, slots=True, eq=False)
class InPostgreSQL:
    """See `learning.data.source.Rows`. where: the site's name, for messages."""

    engine: "Engine" = field(repr=False)
    statement: str = field(repr=False)
    where: str
    limits: Limits

    def names(self) -> tuple[str, ...]:
        """As the database has them."""
        with self._connected() as connection:
            return tuple(name for name, _ in _columns(connection, self.statement))

    @contextmanager
    def open(
        self, wanted: Sequence[str], layout: Sequence[str] | None, problems: Problems, careful: bool
    ) -> Iterator["Session"]:
        """By name, or by place: see `by_place`."""
        with self._connected() as connection:
            columns = _columns(connection, self.statement)
            index = by_place(wanted, layout, [name for name, _ in columns], self.where)
            other = _others(connection)
            cells = {
                name: _cell(f"c{place}", *columns[place], other, self.where)
                for name, place in zip(wanted, index, strict=True)
            }
            yield Session(connection, nested(self.statement, len(columns)), cells, self.where)

    @contextmanager
    def _connected(self) -> Iterator["Connection"]:
        with our_errors(self.where), self.engine.connect() as connection:
            connection = connection.execution_options(postgresql_readonly=True, no_parameters=True)
            said = ", ".join(f"set_config('{key}', '{value}', true)" for key, value in SETTINGS.items())
            connection.exec_driver_sql(f"SELECT {said}")
            if connection.exec_driver_sql("SELECT current_setting('server_encoding')").scalar_one() != "UTF8":
                hint = "leave source.engine out: the rows are fetched, and added up here"
                raise UsageError(
                    "the database is not in UTF-8, in which a plan's words are", where=self.where, hint=hint
                )
            yield connection


def _columns(connection: "Connection", statement: str) -> list[tuple[str, object]]:
    """Names and types of the query's columns. No row is asked for."""
    with closing(connection.exec_driver_sql(described(statement))) as found:
        return [(str(one[0]).strip(), one[1]) for one in found.cursor.description]


def _others(connection: "Connection") -> set[object]:
    """Types that are texts of a kind of their own: enumerations, and what extensions bring."""
    return {row[0] for row in connection.exec_driver_sql(OTHERS)}


def _cell(sql: str, name: str, kind: object, other: set[object], where: str) -> Cell:
    """A column of this type as a cell. Raises DataError: no text stands for its values."""
    if kind == _BOOLEAN:
        return Cell(_WHOLE.format(f"CAST({sql} AS integer)"), typed=True, truth=True)
    if kind in (_INT2, _INT4):
        return Cell(_WHOLE.format(sql), typed=True)
    if kind == _INT8:
        return Cell(_WHOLE.format(sql), typed=True, words=_TEXT.format(sql))
    if kind == _NUMERIC:
        return Cell(decimal(sql), typed=True, words=_TEXT.format(sql))
    if kind in (_FLOAT4, _FLOAT8):  # a narrow float by its shortest text
        return Cell(sql if kind == _FLOAT8 else _DOUBLE.format(sql), typed=True)
    if kind == _MOMENT:
        return Cell(_TEXT.format(f"({sql} AT TIME ZONE 'UTC')"))
    if kind in _SAID or kind in other:
        return Cell(_TEXT.format(sql))
    raise unsaid(name, f"number {kind} of the database", where)


@dataclass(frozen=True, slots=True, eq=False)
class Session:
    """See `relation.Relation`."""

    connection: "Connection" = field(repr=False)
    source: str = field(repr=False)
    cells: Mapping[str, Cell]
    where: str
    line: str | None = None
    placed: bool = False
    mixed: bool = False
    dialect: Dialect = POSTGRESQL

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """See `relation.Relation`."""
        with self._as_our_errors(), closing(self.connection.exec_driver_sql(query)) as found:
            return [tuple(row) for row in found]

    def batches(self, query: str) -> Iterator[list[Column]]:
        """See `relation.Relation`. The database keeps the answer, and gives it some rows at a time."""
        with self._as_our_errors():
            streamed = self.connection.execution_options(stream_results=True, yield_per=CHUNK)
            with closing(streamed.exec_driver_sql(query)) as found:
                texts = [one[1] == _TEXTS for one in found.cursor.description]
                for block in found.partitions(CHUNK):
                    columns = zip(*block, strict=True)
                    yield [
                        np.array(values, dtype=object if text else np.float64)
                        for values, text in zip(columns, texts, strict=True)
                    ]

    @contextmanager
    def _as_our_errors(self) -> Iterator[None]:
        from sqlalchemy.exc import DBAPIError

        try:
            yield
        except DBAPIError as error:
            if STOPPED in str(error.orig):
                raise Doubt from None
            if getattr(error.orig, "sqlstate", None) in TOO_WIDE:
                what = "the plan has more columns than PostgreSQL takes in one query"
                raise DataError(what, where=self.where, hint="leave source.engine out") from None
            raise


def in_postgresql(source: object, where: str, limits: Limits) -> Rows | None:
    """A query whose policy says that the database answers.

    Raises UsageError: no sqlalchemy, no usable address or query. Raises DataError, when it is asked: unreachable.
    """
    if not isinstance(source, Query) or source.engine != "postgresql":
        return None
    engine = engine_of(source.address, source.base, where)
    if engine.dialect.name != "postgresql":
        hint = 'leave source.engine out: it says "postgresql", and the address another database'
        raise UsageError("source.url is no address of PostgreSQL", where=where, hint=hint)
    return InPostgreSQL(engine, select(source.text, where), where, limits)
