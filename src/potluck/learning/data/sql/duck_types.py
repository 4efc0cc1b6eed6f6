"""Types of DuckDB, and the cells that columns of them are."""

import re
from collections.abc import Collection

from potluck.learning.data.cells import unsaid
from potluck.learning.data.sql.dialect import DUCKDB
from potluck.learning.data.sql.values import Cell

_DOUBLES = {"TINYINT", "SMALLINT", "INTEGER", "UTINYINT", "USMALLINT", "UINTEGER"}
_LIST = re.compile(r"(U?(TINY|SMALL|BIG)INT|U?INTEGER|FLOAT|DOUBLE)(\[[0-9]*\])+")
"""Lists of numbers, or of such lists, of any or of one length."""
_LONG = {"BIGINT", "UBIGINT", "HUGEINT", "UHUGEINT"}
_TEXTS = {"DATE", "TIME", "TIMESTAMP", "TIMESTAMP_S", "TIMESTAMP_MS", "TIMESTAMP_NS", "UUID", "INTERVAL"}
_TEXTS |= {"TIME WITH TIME ZONE", "TIME_NS"}


def typed(name: str, kind: str, where: str, lists: Collection[str], sql: str = "") -> Cell:
    """A column of this type as a cell. lists: columns that may be lists of numbers; sql: what the query calls it, where
    that is not its name. Raises DataError: no text stands for its values."""
    sql = sql or DUCKDB.name(name)
    if name.strip() in lists and _LIST.fullmatch(kind):
        return Cell(sql, listed=True)
    if kind == "VARCHAR" or kind.startswith("ENUM("):
        return Cell(f"CAST({sql} AS VARCHAR)" if kind != "VARCHAR" else sql)
    if kind in ("DOUBLE", "FLOAT"):
        # A narrow float by its shortest text.
        return Cell(sql if kind == "DOUBLE" else f"CAST(CAST({sql} AS VARCHAR) AS DOUBLE)", typed=True)
    if kind == "BOOLEAN":
        return Cell(f"CAST(CAST({sql} AS INTEGER) AS DOUBLE)", typed=True, truth=True)
    if kind in _DOUBLES:
        return Cell(f"CAST({sql} AS DOUBLE)", typed=True)
    if kind in _LONG:
        return Cell(f"CAST({sql} AS DOUBLE)", typed=True, words=f"CAST({sql} AS VARCHAR)")
    if kind.startswith("DECIMAL("):
        words = f"CAST({sql} AS VARCHAR)"
        return Cell(f"CAST({words} AS DOUBLE)", typed=True, words=words)
    if kind in _TEXTS:
        return Cell(f"CAST({sql} AS VARCHAR)")
    if kind in ("TIMESTAMP WITH TIME ZONE", "TIMESTAMPTZ_NS"):
        # In UTC, as a moment has another day wherever else the machine says that it is.
        return Cell(f"CAST({sql} AT TIME ZONE 'UTC' AS VARCHAR)")
    if kind in ("NULL", '"NULL"'):  # no row has a value
        return Cell("CAST(NULL AS DOUBLE)", typed=True)
    raise unsaid(name, kind.split("(")[0], where)
