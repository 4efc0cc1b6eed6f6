"""The owner's rows where its policy says they are: a file, or a query. Opened when asked for, not before.

The same rows give the same `learning.data.table.Table` from each of them, bit for bit. It does NOT watch them: a
source that changes between two rounds of a run is another source, so a site reads it once a run.
"""

import stat
from dataclasses import replace
from pathlib import Path

from potluck.core.errors import UsageError, reason
from potluck.core.plan import Data
from potluck.learning.data.joining import beside, joined
from potluck.learning.data.source import SOURCES, Rows, limits_of, opened
from potluck.learning.data.sources.respelled import respelled
from potluck.learning.data.sql.relation import Limits
from potluck.owner import policy
from potluck.owner.duckdb_file import duckdb_file
from potluck.owner.parquet import parquet
from potluck.owner.postgresql import in_postgresql
from potluck.owner.spark import in_spark
from potluck.owner.sql import Query, database
from potluck.secret.container import Secret

SOURCES.register("parquet", parquet)
SOURCES.register("database", database)
SOURCES.register("duckdb", duckdb_file)
SOURCES.register("inside postgresql", in_postgresql)
SOURCES.register("inside spark", in_spark)


def open_source(source: policy.Source, base: Path, data: Data, where: str) -> Rows:
    """What `learning.data.table.read` reads. base: the policy's folder; data: how a plan says that files are written;
    where: the site's name, for messages. What the policy says of its own files counts before what the plan says.

    A CSV file is only named here. Raises UsageError: a package is missing, the address or query cannot be used.
    Raises DataError: no such file, database unreachable, more than max_rows rows.
    """
    folder = None if source.folder is None else base / source.folder
    plain = limits_of(data, source.memory)
    separator, encoding = source.separator or plain.separator, source.encoding or plain.encoding
    limits = replace(plain, folder=folder, separator=separator, encoding=encoding)
    rows = respelled(_opened(source, base, limits, where), data, source.decimal, where)
    if data.join is None:
        return rows
    table = source.tables.get(data.join.table)
    if table is None:  # the plan was judged before
        raise UsageError(f"there is no source.tables.{data.join.table}", where=where, hint="the plan joins this table")
    at = beside(where, data.join.table)
    return joined(rows, respelled(_opened(table, base, limits, at), data, source.decimal, at), data, where)


def _opened(source: policy.Source | policy.TableSource, base: Path, limits: Limits, where: str) -> Rows:
    if source.file is not None:
        return opened(base / source.file, where, limits)
    address = source.url if source.url is not None else _address(base / (source.url_file or ""), where)
    engine = source.engine if isinstance(source, policy.Source) else "duckdb"
    return opened(Query(address, source.query or "", base, engine), where, limits)


def _address(path: Path, where: str) -> Secret:
    """The address in a file that its owner alone may read."""
    try:
        with path.open("rb") as file:
            mode, text = path.stat().st_mode, file.read(policy.LONGEST)
        address = Secret(text.decode().strip().encode())
    except (OSError, UnicodeDecodeError) as error:
        hint = "it holds one line: the database's address"
        raise UsageError(f"source.url_file cannot be read ({reason(error)})", where=where, hint=hint) from None
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise UsageError("source.url_file may be read by others", where=where, hint=f"chmod 600 {path}")
    return address
