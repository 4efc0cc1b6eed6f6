"""Rows that stay in Spark: what a plan asks of them is one query that it answers. Sums leave it, or, to train, the
encoded columns of rows, as Arrow batches, a partition at a time, which its driver holds. Needs pyspark and Java.

The owner's query is a table within that query, so it cannot write. Of a plan it holds words alone. The session is of
its own: ANSI mode, UTC, names by case, nothing replaced in queries. Spark on this machine (`local[2]`) listens on
127.0.0.1 alone and takes `source.memory`. Rows come in no order that could be relied on: what does not fit is counted.
It does NOT keep rows from Spark's own disks: what it sorts and groups it may write to its `spark.local.dir`.
"""

import math
import os
import re
import shutil
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from potluck.core.errors import DataError, UsageError, pip
from potluck.learning.data.cells import unsaid
from potluck.learning.data.problems import Doubt, Problems
from potluck.learning.data.source import Rows, by_place
from potluck.learning.data.sql.dialect import STOPPED, Dialect
from potluck.learning.data.sql.layers import described, nested
from potluck.learning.data.sql.relation import Column, Limits
from potluck.learning.data.sql.spark import SPARK
from potluck.learning.data.sql.values import Cell
from potluck.owner.sql import Query, select

if TYPE_CHECKING:
    import pyarrow as pa
    from pyspark.sql import DataFrame, SparkSession

CHUNK = 1 << 16
LEAST = 512 << 20
"""Bytes without which Spark does not start."""
MASTER = re.compile(r"local(\[(\d+|\*)\])?|(spark|k8s)://\S+|yarn")
SETTINGS = {
    "spark.sql.ansi.enabled": "true",
    "spark.sql.caseSensitive": "true",
    "spark.sql.execution.arrow.maxRecordsPerBatch": str(CHUNK),
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.variable.substitute": "false",
}
"""On them hang what texts of values look like, and what a query says."""
ALONE = {
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.driver.host": "127.0.0.1",
    "spark.sql.shuffle.partitions": "4",
}
"""Of Spark on this machine."""
QUIET = {"spark.ui.enabled": "false", "spark.ui.showConsoleProgress": "false"}
LOGGERS = ("SQLQueryContextLogger", "DataFrameQueryContextLogger")
_SMALL = {"tinyint", "smallint", "int"}
_TIMES = ("date", "timestamp", "timestamp_ntz", "time(")


@dataclass(frozen=True, slots=True, eq=False)
class InSpark:
    """See `learning.data.source.Rows`. master: where Spark is; where: the site's name, for messages."""

    master: str = field(repr=False)
    statement: str = field(repr=False)
    where: str
    limits: Limits

    def names(self) -> tuple[str, ...]:
        """As Spark has them."""
        with self._session() as session:
            return tuple(name for name, _ in self._columns(session))

    @contextmanager
    def open(
        self, wanted: Sequence[str], layout: Sequence[str] | None, problems: Problems, careful: bool
    ) -> Iterator["Session"]:
        """By name, or by place: see `by_place`."""
        with self._session() as session:
            columns = self._columns(session)
            index = by_place(wanted, layout, [name for name, _ in columns], self.where)
            cells = {
                name: _cell(f"c{place}", *columns[place], self.where) for name, place in zip(wanted, index, strict=True)
            }
            yield Session(session, nested(self.statement, len(columns)), cells, self.where)

    def _columns(self, session: "SparkSession") -> list[tuple[str, str]]:
        """Names and types of the query's columns. No row is asked for."""
        found = session.sql(described(self.statement)).schema.fields
        return [(one.name.strip(), one.dataType.simpleString()) for one in found]

    @contextmanager
    def _session(self) -> "Iterator[SparkSession]":
        """One of our own. Spark is started where this process has none, and then also stopped."""
        from pyspark import SparkContext
        from pyspark.sql import SparkSession

        with as_our_errors(self.where), _silent():
            running = SparkContext._active_spark_context is not None
            with warnings.catch_warnings(action="ignore"):  # versions of other packages
                begun = self._builder(SparkSession.builder).getOrCreate()
            begun.sparkContext.setLogLevel("OFF")  # its messages quote values
            try:
                made = begun.newSession()
                for key, value in SETTINGS.items():
                    made.conf.set(key, value)
                yield made
            finally:
                if not running:
                    _stop(begun)

    def _builder(self, builder: "SparkSession.Builder") -> "SparkSession.Builder":
        alone = {**ALONE, "spark.driver.memory": f"{self.limits.memory // 1024}k"} if _here(self.master) else {}
        for key, value in {**QUIET, **alone}.items():
            builder = builder.config(key, value)
        return builder.master(self.master).appName("potluck")


def _here(master: str) -> bool:
    return master.startswith("local")


@contextmanager
def _silent() -> Iterator[None]:
    """Without what pyspark logs of errors: the messages quote values."""
    from pyspark.logger import PySparkLogger

    loggers = [PySparkLogger.getLogger(name) for name in LOGGERS]
    before = [one.disabled for one in loggers]
    for one in loggers:
        one.disabled = True
    try:
        yield
    finally:
        for one, disabled in zip(loggers, before, strict=True):
            one.disabled = disabled


def _stop(session: "SparkSession") -> None:
    """End Spark. One that has died is forgotten, so that the next reading starts another."""
    from py4j.protocol import Py4JError
    from pyspark import SparkContext
    from pyspark.sql import SparkSession

    try:
        with warnings.catch_warnings(action="ignore"):
            session.stop()
        died = SparkContext._active_spark_context is not None
    except (Py4JError, OSError):
        died = True
    if died:
        SparkContext._active_spark_context = SparkContext._gateway = SparkContext._jvm = None
        SparkSession._instantiatedSession = None


def _cell(sql: str, name: str, kind: str, where: str) -> Cell:
    """A column of this type as a cell. Raises DataError: no text stands for its values."""
    words = f"CAST({sql} AS STRING)"
    if kind == "boolean":
        return Cell(f"CAST(CAST({sql} AS INT) AS DOUBLE)", typed=True, truth=True)
    if kind in ("double", "void") or kind in _SMALL:
        return Cell(f"CAST({sql} AS DOUBLE)", typed=True)
    if kind == "bigint":
        return Cell(f"CAST({sql} AS DOUBLE)", typed=True, words=words)
    if kind == "float":
        return Cell(_narrow(sql), typed=True)
    if kind.startswith("decimal("):
        return Cell(f"CAST({words} AS DOUBLE)", typed=True, words=words)
    if kind.startswith(("string", "char(", "varchar(")):
        # By letters alone: a collation may take two texts for one.
        return Cell(f"CAST({sql} AS STRING) COLLATE UTF8_BINARY" if "collate" in kind else sql)
    if kind.startswith(_TIMES):
        return Cell(words)
    raise unsaid(name, kind.split("<")[0].split("(")[0], where)


def _narrow(sql: str) -> str:
    """A narrow float by its shortest text: .1 is not .10000000149. Java's own is not always the shortest.

    Of two texts that are as near, the one whose last digit is even, as elsewhere: `format_string` rounds up.
    """
    wide, below = f"CAST({sql} AS DOUBLE)", f"(CAST({sql} AS DOUBLE) * CAST('{math.nextafter(1, 0)!r}' AS DOUBLE))"
    found = []
    for digits in range(9):
        up, down = (f"format_string('%.{digits}e', {one})" for one in (wide, below))
        text = f"CASE WHEN {up} RLIKE '[02468]e' THEN {up} ELSE {down} END"
        found.append(f"WHEN try_cast({text} AS FLOAT) = {sql} THEN try_cast({text} AS DOUBLE)")
    return f"CASE {' '.join(found)} ELSE {wide} END"


@dataclass(frozen=True, slots=True, eq=False)
class Session:
    """See `relation.Relation`."""

    session: "SparkSession" = field(repr=False)
    source: str = field(repr=False)
    cells: Mapping[str, Cell]
    where: str
    line: str | None = None
    placed: bool = False
    mixed: bool = False
    dialect: Dialect = SPARK

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """See `relation.Relation`."""
        with as_our_errors(self.where):
            return [tuple(row) for row in self.session.sql(query).collect()]

    def batches(self, query: str) -> Iterator[list[Column]]:
        """See `relation.Relation`. A partition is computed when the one before it was taken."""
        with as_our_errors(self.where):
            for batch in _arrow(self.session.sql(query)):
                yield [np.asarray(one.to_numpy(zero_copy_only=False)) for one in batch.columns]


def _arrow(frame: "DataFrame") -> "Iterator[pa.RecordBatch]":
    """A frame some rows at a time. Its own `toArrow` takes all of them at once, `toLocalIterator` makes each a Row."""
    import pyarrow as pa
    from pyspark import RDD
    from pyspark.serializers import NoOpSerializer

    types = {"double": pa.float64(), "string": pa.string(), "int": pa.int32(), "bigint": pa.int64()}
    types |= {f"decimal({digits},0)": pa.decimal128(digits, 0) for digits in range(1, 39)}
    schema = pa.schema([(one.name, types[one.dataType.simpleString()]) for one in frame.schema.fields])
    messages = frame._jdf.toArrowBatchRdd().toJavaRDD()
    for message in RDD(messages, frame.sparkSession.sparkContext, NoOpSerializer()).toLocalIterator():
        yield pa.ipc.read_record_batch(pa.py_buffer(message), schema)


@contextmanager
def as_our_errors(where: str) -> Iterator[None]:
    """Errors of Spark without what its messages quote."""
    from py4j.protocol import Py4JError
    from pyspark.errors import PySparkException

    try:
        yield
    except (PySparkException, Py4JError, EOFError, OSError) as error:
        text = str(error)
        if STOPPED in text:
            raise Doubt from None
        if "OutOfMemoryError" in text:
            raise DataError(
                "needs more memory than source.memory", where=where, hint="raise it in the policy"
            ) from None
        kind = (error.getCondition() if isinstance(error, PySparkException) else None) or type(error).__name__
        hint = "try source.query in Spark itself, as the same user"
        raise DataError(f"Spark did not give the rows ({kind})", where=where, hint=hint) from None


def in_spark(source: object, where: str, limits: Limits) -> Rows | None:
    """A query whose policy says that Spark answers.

    Raises UsageError: no pyspark, no Java, no usable address or query. Raises DataError, when it is asked: unreachable.
    """
    if not isinstance(source, Query) or source.engine != "spark":
        return None
    master = source.address.expose().decode().strip()
    if not MASTER.fullmatch(master):
        hint = 'url = "local[2]" on this machine, "spark://host:7077", "k8s://...", "yarn"; no address of a database'
        raise UsageError("source.url is no address of Spark", where=where, hint=hint)
    if _here(master) and limits.memory < LEAST:
        hint = f"memory = {LEAST:_} or more"
        raise UsageError("source.memory is too little for Spark on this machine", where=where, hint=hint)
    home = os.environ.get("JAVA_HOME")
    if shutil.which("java" if home is None else f"{home}/bin/java") is None:
        hint = "install Java 17 or newer (apt-get install default-jre-headless), or set JAVA_HOME"
        raise UsageError('source.engine = "spark" needs Java', where=where, hint=hint)
    try:
        import pyspark  # noqa: F401
    except ImportError:
        raise UsageError('source.engine = "spark" needs pyspark', where=where, hint=pip("spark")) from None
    return InSpark(master, select(source.text, where), where, limits)
