"""The same rows in every kind of source, and plans over them: what engines are compared by.

A maker takes a folder, typed rows and a plan's [data], and gives what `learning.data.table.read` takes. One more
engine is one more line in a list of (name, maker).
"""

import contextlib
import csv
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path

import duckdb
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
from hypothesis import strategies as st

from potluck.core.plan import Column, Data, Plan, Split, Statistic, Target
from potluck.core.tables.derived import Derive, Reduce, Reduced, Where
from potluck.learning.data.source import limits_of
from potluck.learning.data.source import opened as source_of
from potluck.owner.policy import Source
from potluck.owner.source import open_source
from potluck.secret.container import Secret
from support.learning.sums import category, make, number, replaced, stats
from support.owner.postgres import address, connected
from support.owner.spark import MASTER

TYPES = {
    "who": pa.int64(),
    "x": pa.float64(),
    "n": pa.int32(),
    "price": pa.decimal128(9, 2),
    "b": pa.bool_(),
    "c": pa.string(),
    "d": pa.date32(),
    "note": pa.string(),
}
Row = tuple[object, ...]
Maker = Callable[[Path, Sequence[Row], Data], object]


def table_of(rows: Sequence[Row]) -> pa.Table:
    """Typed, as an engine with types has them."""
    columns = zip(*rows, strict=True)
    return pa.table({name: pa.array(one, kind) for (name, kind), one in zip(TYPES.items(), columns, strict=True)})


def written(value: object, data: Data) -> str:
    """A cell of a file that is written as the plan says."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(int(value))
    if isinstance(value, date):
        form = str(data.columns["d"].format)
        for part, digits in (("%Y", f"{value.year:04}"), ("%m", f"{value.month:02}"), ("%d", f"{value.day:02}")):
            form = form.replace(part, digits)
        return form
    return str(value).replace(".", data.decimal) if isinstance(value, float | Decimal) else str(value)


def as_csv(folder: Path, rows: Sequence[Row], data: Data) -> object:
    with (folder / "rows.csv").open("w", encoding=data.encoding, newline="") as file:
        made = csv.writer(file, delimiter=data.separator)
        made.writerows([TYPES, *([written(value, data) for value in row] for row in rows)])
    return open_source(Source(file="rows.csv"), folder, data, "a")


@dataclass(frozen=True)
class Carefully:
    """A source that is read in the way that tells lines."""

    rows: object

    def names(self) -> tuple[str, ...]:
        return self.rows.names()

    def open(self, wanted, layout, problems, careful):
        return self.rows.open(wanted, layout, problems, True)


def as_parquet(folder: Path, rows: Sequence[Row], data: Data) -> object:
    pq.write_table(table_of(rows), folder / "rows.parquet", row_group_size=7)
    return open_source(Source(file="rows.parquet"), folder, data, "a")


def as_sqlite(folder: Path, rows: Sequence[Row], data: Data) -> object:
    """It has no Decimals, no dates, no true and no false: numbers and texts stand for them."""
    path = folder / "rows.sqlite"
    path.unlink(missing_ok=True)
    plain = [
        tuple(float(v) if isinstance(v, Decimal) else str(v) if isinstance(v, date) else v for v in row) for row in rows
    ]
    with contextlib.closing(sqlite3.connect(path)) as db, db:
        db.execute(f"create table rows ({', '.join(TYPES)})")
        db.executemany(f"insert into rows values ({', '.join('?' * len(TYPES))})", plain)
    return open_source(Source(url=Secret(b"sqlite:///rows.sqlite"), query="select * from rows"), folder, data, "a")


def as_duckdb(folder: Path, rows: Sequence[Row], data: Data) -> object:
    path = folder / "rows.duckdb"
    path.unlink(missing_ok=True)
    with contextlib.closing(duckdb.connect(str(path))) as made:
        made.register("given", table_of(rows))
        made.execute("CREATE TABLE rows AS SELECT * FROM given")
    source = Source(url=Secret(b"duckdb:///rows.duckdb"), query="SELECT * FROM rows")
    return open_source(source, folder, data, "a")


def as_pandas(folder: Path, rows: Sequence[Row], data: Data) -> object:
    frame = pd.DataFrame(rows, columns=list(TYPES), dtype=object)
    frame = frame.astype({"who": "int64", "x": "float64", "n": "Int32"})
    return frame.assign(d=pd.to_datetime(frame["d"]).astype("datetime64[s]"))


IN_PROCESS: list[tuple[str, Maker]] = [
    ("csv, carefully", lambda folder, rows, data: Carefully(as_csv(folder, rows, data))),
    ("csv", as_csv),
    ("parquet", as_parquet),
    ("duckdb file", as_duckdb),
    ("sqlite", as_sqlite),
    ("pandas", as_pandas),
    ("polars", lambda folder, rows, data: pl.from_arrow(table_of(rows))),
    ("polars, lazy", lambda folder, rows, data: pl.from_arrow(table_of(rows)).lazy()),
    ("arrow", lambda folder, rows, data: table_of(rows)),
    ("relation", lambda folder, rows, data: duckdb.from_arrow(table_of(rows))),
]


KINDS = ("bigint", "double precision", "integer", "numeric(9, 2)", "boolean", "text", "date", "text")


def in_postgresql(port: int, engine: str, texts: bool = False) -> Maker:
    """A table of its database. engine: what answers; texts: its columns are texts, as a file has them."""
    columns = ", ".join(f"{name} {'text' if texts else kind}" for name, kind in zip(TYPES, KINDS, strict=True))

    def made(folder: Path, rows: Sequence[Row], data: Data) -> object:
        cells = [[written(value, data) for value in row] for row in rows] if texts else rows
        with contextlib.closing(connected(port)) as db, db.cursor() as cursor:
            cursor.execute("drop table if exists drawn")
            cursor.execute(f"create table drawn ({columns})")
            cursor.executemany(f"insert into drawn values ({', '.join(['%s'] * len(TYPES))})", cells)
        source = Source(url=Secret(address(port).encode()), query="select * from drawn", engine=engine)
        return open_source(source, folder, data, "a")

    return made


def in_spark(texts: bool) -> Maker:
    """A Parquet file that Spark reads. texts: its columns are texts, as a file has them."""

    def made(folder: Path, rows: Sequence[Row], data: Data) -> object:
        cells = zip(*([written(value, data) for value in row] for row in rows), strict=True)
        table = pa.table(dict(zip(TYPES, map(list, cells), strict=True))) if texts else table_of(rows)
        pq.write_table(table, folder / "spark.parquet", row_group_size=7)
        query = f"SELECT * FROM parquet.`{folder / 'spark.parquet'}`"
        return open_source(Source(url=Secret(MASTER.encode()), query=query, engine="spark"), folder, data, "a")

    return made


def opened(source: object, data: Data) -> object:
    """A frame as the rows that a run makes of it."""
    return source_of(source, "a", limits_of(data))


# Rows and plans

WORDS = ("ja", "JA", "Nein", " nein ", "größe", "GRÖSSE", "1", "1.0", "NA", "na", "", 'x;"y",\nz', "=1+1", "_", "1_0")
VALUES = ("ja", "nein", "größe", "1")
CELLS = st.tuples(
    st.integers(1, 6).map(lambda one: 2**53 + one),
    st.none() | st.floats(-20, 20) | st.sampled_from([-5.0, 12.5, 0.0, -0.0, -9.0, 5e-324, 1e300, 0.1]),
    st.none() | st.integers(-20, 120) | st.just(-9),
    st.none() | st.decimals(places=2, min_value=Decimal("0.01"), max_value=Decimal("11.00")),
    st.none() | st.booleans(),
    st.none() | st.sampled_from(WORDS),
    st.none() | st.dates(date(1900, 1, 1), date(2024, 12, 31)),
    st.none() | st.sampled_from(["not read", "a\nb", '"']),
)
ROWS = st.lists(CELLS, min_size=1, max_size=24)
FORMATS = st.sampled_from(["%d.%m.%Y", "%Y-%m-%d", "%m/%d/%Y", "%Y%m%d"])
CONDITIONS = st.sampled_from(
    [
        Where(column="x", at_least=-1.0),
        Where(column="x", below=3.5),
        Where(column="n", at_most=60.0),
        Where(column="c", within=("ja", "größe")),
        Where(column="c", not_in=("ja",)),
        Where(column="d", above="1950-06-15"),
        Where(column="age", at_least=18.0),
        Where(column="group", not_in=("adult",)),
    ]
)
WANTED = (
    Statistic(name="rows", kind="count"),
    Statistic(name="given", kind="count", column="x", by="c"),
    Statistic(name="total", kind="sum", column="price", by="group"),
    Statistic(name="mean", kind="mean", column="x", by="b"),
    Statistic(name="age", kind="mean", column="age"),
    Statistic(name="spread", kind="variance", column="n", by="c"),
    Statistic(name="bins", kind="histogram", column="x", bins=7, by="group"),
    Statistic(name="days", kind="histogram", column="days", bins=5),
    Statistic(name="table", kind="contingency", columns=("c", "b")),
    Statistic(name="short", kind="contingency", columns=("kind", "group")),
    Statistic(name="log", kind="mean", column="log"),
    Statistic(name="faults", kind="missing", columns=("x", "c", "log")),
    Statistic(name="gaps", kind="missing", columns=("n",), by="c"),
)


DATA = Data(
    columns={
        "who": Column(kind="ignore"),
        "x": number(-5.0, 12.5, "flag"),
        "n": number(0, 100, "flag"),
        "price": number(0, 10, "flag"),
        "b": category("1", "0", missing="flag"),
        "c": category(*VALUES, missing="flag"),
        "d": Column(kind="date", format="%Y-%m-%d"),
        "note": Column(kind="ignore"),
    },
    derive={
        "age": Derive(kind="years", source="d", to="2025-01-01", low=0.0, high=110.0, missing="flag"),
        "group": Derive(
            kind="bins", source="age", edges=(18.0, 65.0), values=("child", "adult", "old"), missing="flag"
        ),
        "days": Derive(kind="days", source="d", to="2000-02-29", low=-9e3, high=4e4, missing="flag"),
        "kind": Derive(kind="recode", source="c", map={"ja": "yes", "nein": "no", "1": "yes"}, missing="flag"),
        "log": Derive(kind="log", source="price", low=-5.0, high=3.0, missing="flag"),
    },
    max_rows=100,
)


@st.composite
def datas(draw: st.DrawFn) -> Data:
    """How files are written, and which rows count."""
    decimal = draw(st.sampled_from([".", ","]))
    dated = Column(kind="date", format=draw(FORMATS))
    return replaced(
        DATA,
        separator=";" if decimal == "," else draw(st.sampled_from([",", ";", "\t", "|"])),
        decimal=decimal,
        encoding=draw(st.sampled_from(["utf-8", "cp1252"])),
        fold=draw(st.booleans()),
        missing=draw(st.sampled_from([("",), ("", "NA"), ("", "NA", "-9")])),
        columns=DATA.columns | {"d": dated},
        where=tuple(draw(st.lists(CONDITIONS, max_size=2))),
    )


@st.composite
def statistics(draw: st.DrawFn) -> Plan:
    """Some of the statistics of every kind, over such data."""
    wanted = draw(st.lists(st.sampled_from(WANTED), min_size=1, max_size=len(WANTED), unique=True))
    return replaced(stats({}, *wanted), data=draw(datas()))


OF_PERSONS = replaced(
    DATA,
    columns=DATA.columns | {name: Column(kind="ignore") for name in ("price", "b")},
    derive={},
    person="who",
    reduce=Reduce(
        order="d",
        columns={
            "x": Reduced(kind="last"),
            "first": Reduced(kind="first", source="x"),
            "mean": Reduced(kind="mean", source="x"),
            "least": Reduced(kind="min", source="n"),
            "n": Reduced(kind="max"),
            "c": Reduced(kind="last"),
            "ever": Reduced(kind="any", source="c", values=("ja", "1")),
            "visits": Reduced(kind="count", low=0, high=20),
            "known": Reduced(kind="count", source="x", low=0, high=20),
        },
    ),
)
REDUCED = (
    Statistic(name="x", kind="mean", column="x", by="ever"),
    Statistic(name="first", kind="sum", column="first"),
    Statistic(name="mean", kind="variance", column="mean", by="c"),
    Statistic(name="least", kind="histogram", column="least", bins=5),
    Statistic(name="most", kind="mean", column="n"),
    Statistic(name="visits", kind="histogram", column="visits", bins=4),
    Statistic(name="known", kind="sum", column="known", by="c"),
)


@st.composite
def persons(draw: st.DrawFn) -> Plan:
    """The same, of persons: all rows of one become one."""
    conditions = [Where(column="x", at_least=-1.0), Where(column="c", not_in=("ja",))]
    wanted = draw(st.lists(st.sampled_from(REDUCED), min_size=1, max_size=len(REDUCED), unique=True))
    where = tuple(draw(st.lists(st.sampled_from(conditions), max_size=1)))
    return replaced(stats({}, *wanted), data=replaced(OF_PERSONS, fold=draw(st.booleans()), where=where))


@st.composite
def trainings(draw: st.DrawFn) -> Plan:
    """A training over them. Persons are whole numbers of more digits than a double is sure of."""
    data = draw(datas())
    columns = dict(data.columns)
    columns["b"], columns["x"] = replaced(columns["b"], missing="drop"), replaced(columns["x"], missing="drop")
    target, split = Target(column="b", positive=("1",)), Split(test=0.4)
    return make(data=replaced(data, columns=columns, target=target, split=split, person="who"))


def first_rows(rows: Sequence[Row]) -> Iterator[dict[str, object]]:
    """Rows by name."""
    for row in rows:
        yield dict(zip(TYPES, row, strict=True))
