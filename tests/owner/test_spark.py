"""Spark as engine: a plan's query runs inside it, gives the same numbers, and says nothing."""

import datetime as dt
import math
import struct
import subprocess
import sys
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from potluck.core.errors import DataError, UsageError
from potluck.core.plan import Data, Statistic, Target
from potluck.learning.data.problems import Problems
from potluck.learning.data.sql.dialect import BLANKS
from potluck.learning.data.sql.spark import SPARK
from potluck.learning.data.table import read
from potluck.owner.policy import Source
from potluck.owner.source import open_source
from potluck.secret.container import Secret
from potluck.tasks.sums.rows import rows_of
from support.learning import days
from support.learning.numbers import ODD, TEXTS, spelt
from support.owner.plans import category, number, replaced, statistics, train
from support.owner.spark import MASTER

HIDDEN = "s3cr3t-31337"
slow = pytest.mark.slow


def asked(query: str, master: str = MASTER, **other: object) -> Source:
    return Source(url=Secret(master.encode()), query=query, engine="spark", **other)


def opened(source, folder, max_rows=10_000):
    return open_source(source, folder, Data(max_rows=max_rows), "home")


def counting(data: Data, *wanted: Statistic):
    """A plan of exact statistics."""
    return replaced(statistics(noise="none", data=data), statistics=wanted)


NUMBERS = counting(
    Data(columns={"x": number(0, 100), "sex": category("f", "m")}),
    Statistic(name="sum", kind="sum", column="x"),
    Statistic(name="variance", kind="variance", column="x", by="sex"),
)


def fails(source, folder, plan=NUMBERS, kind=DataError) -> str:
    with pytest.raises(kind) as caught:
        rows_of(opened(source, folder), plan, "home")
    assert HIDDEN not in str(caught.value)
    assert caught.value.__suppress_context__ or caught.value.__context__ is None
    return str(caught.value)


def bits(value: float | None) -> bytes | None:
    """A double by its bits; what is not finite is all the same."""
    return None if value is None or not math.isfinite(value) else struct.pack("<d", value)


def of_all(session, expression: str, texts: list[str], folder, kind=None) -> list:
    """Of each value what an expression over `t` gives, in its session as a source makes it."""
    pq.write_table(pa.table({"n": range(len(texts)), "t": pa.array(texts, kind)}), folder / "texts.parquet")
    with opened(asked(f"SELECT * FROM parquet.`{folder}/texts.parquet`"), folder).open(
        ["n", "t"], None, Problems("home"), careful=True
    ) as relation:
        query = f"SELECT {expression} FROM (SELECT c0 AS n, c1 AS t FROM {relation.source}) AS s ORDER BY n"
        return [row[0] for row in relation.rows(query)]


@slow
@settings(max_examples=8, deadline=None)
@given(st.lists(TEXTS, min_size=50, max_size=200))
@example(list(ODD))
def test_a_text_is_the_number_that_python_reads_in_it_or_none(spark, tmp_path_factory, texts):
    found = of_all(spark, SPARK.parsed("t"), texts, tmp_path_factory.mktemp("texts"))
    assert [bits(one) for one in found] == [bits(spelt(text)) for text in texts]


@slow
@settings(max_examples=6, deadline=None)
@given(st.lists(st.text(alphabet=st.sampled_from(BLANKS + "ab'\\1"), max_size=6), min_size=20, max_size=200))
def test_texts_lose_the_blanks_that_python_takes_away(spark, tmp_path_factory, texts):
    found = of_all(spark, SPARK.trimmed("t"), texts, tmp_path_factory.mktemp("texts"))
    assert found == [text.strip() for text in texts]


@slow
def test_narrow_floats_are_their_shortest_texts(spark, tmp_path):
    """Java writes some with a digit too many."""
    draw = np.random.default_rng(5)
    some = draw.integers(0, 2**31 - 2**23, 3000, dtype=np.int32).view(np.float32)
    values = np.concatenate([some, -some, np.float32([0, 0.1, 1e-45, 1.4e-45, 3.4028235e38, 2e23, 8.41e21, 16777216])])
    pq.write_table(pa.table({"t": pa.array(values)}), tmp_path / "narrow.parquet")
    rows = opened(asked(f"SELECT t FROM parquet.`{tmp_path}/narrow.parquet`"), tmp_path)
    with rows.open(["t"], None, Problems("home"), careful=True) as relation:
        found = [row[0] for row in relation.rows(f"SELECT {relation.cells['t'].sql} FROM {relation.source}")]
    assert found == [float(str(value)) for value in values]


TABLE = pa.table(
    {
        "truth": [True, None],
        "small": pa.array([-3, None], pa.int8()),
        "int": pa.array([7, None], pa.int32()),
        "big": [2**60 + 1, None],
        "wide": [1e-300, None],
        "exact": pa.array([Decimal("12.50"), None], pa.decimal128(20, 2)),
        "tiny": pa.array([Decimal("0.0000000001"), None], pa.decimal128(20, 10)),
        "said": [" é\\n ", None],
        "day": pa.array([dt.date(2024, 2, 29), None]),
        "at": pa.array([dt.datetime(2024, 2, 29, 23, 30, 0, 500_000), None], pa.timestamp("us")),
        "moment": pa.array([dt.datetime(2024, 3, 1, 8, 30), None], pa.timestamp("us", "Asia/Tokyo")),
        "Int": ["seven", None],
        "a`b": ["quoted", None],
    }
)


@slow
def test_values_of_every_type_have_the_texts_that_a_csv_would_say(spark, tmp_path):
    pq.write_table(TABLE, tmp_path / "rows.parquet")
    rows = opened(asked(f"SELECT *, NULL AS nothing FROM parquet.`{tmp_path}/rows.parquet` -- all"), tmp_path)
    assert rows.names() == (*TABLE.column_names, "nothing")
    with rows.open(rows.names(), None, Problems("home"), careful=True) as relation:
        wanted = [sql for cell in relation.cells.values() for sql in (cell.sql, cell.words or "NULL")]
        first, second = relation.rows(f"SELECT {', '.join(wanted)} FROM {relation.source} ORDER BY c3 NULLS LAST")
    pairs = dict(zip(rows.names(), zip(first[::2], first[1::2], strict=True), strict=True))
    assert pairs == {
        "truth": (1.0, None),
        "small": (-3.0, None),
        "int": (7.0, None),
        "big": (float(2**60), str(2**60 + 1)),
        "wide": (1e-300, None),
        "exact": (12.5, "12.50"),
        "tiny": (1e-10, "0.0000000001"),
        "said": (" é\\n ", None),
        "day": ("2024-02-29", None),
        "at": ("2024-02-29 23:30:00.5", None),
        "moment": ("2024-03-01 08:30:00", None),
        "Int": ("seven", None),
        "a`b": ("quoted", None),
        "nothing": (None, None),
    }
    assert set(second) == {None}


@slow
def test_names_are_told_apart_by_case_and_taken_by_place(spark, tmp_path):
    query = "SELECT 1 AS a, 2 AS A, 3 AS `b c`, 4 AS twice, 5 AS twice"
    rows = opened(asked(query), tmp_path)
    with rows.open(["A", "b c"], None, Problems("home"), careful=True) as relation:
        sql = ", ".join(cell.sql for cell in relation.cells.values())
        assert relation.rows(f"SELECT {sql} FROM {relation.source}") == [(2.0, 3.0)]
    with (
        pytest.raises(DataError, match="column 'twice' is there more than once"),
        rows.open(["twice"], None, Problems("home"), careful=True),
    ):
        raise AssertionError("opened")


@slow
@pytest.mark.parametrize("value", ["X'00'", "array(1)", "named_struct('a', 1)", "INTERVAL '1' DAY", "map(1, 2)"])
def test_values_without_a_text_are_refused_by_their_columns_name(value, spark, tmp_path):
    said = fails(asked(f"SELECT {value} AS x, 'f' AS sex"), tmp_path)
    assert "column 'x' holds values of type " in said
    assert "which no text stands for" in said


@slow
def test_words_of_a_plan_are_literals_alone(spark, tmp_path):
    hostile = (
        "'); DROP TABLE x; --",
        "\\'; SELECT 1",
        "a\\",
        "\\u0041\\x41\\101\\n",
        "${spark.app.name}${env:HOME}${system:user.home}",
        ":x ? $1 {x}",
        "é\U0001f600",
        "`/*",
        "\0",
        "%s%_\\%",
    )
    pq.write_table(pa.table({"x`'; DROP": hostile}), tmp_path / "rows.parquet")
    name = "x`'; DROP"
    plan = counting(Data(columns={name: category(*hostile)}), Statistic(name="n", kind="count", column=name, by=name))
    rows = opened(asked(f"SELECT * FROM parquet.`{tmp_path}/rows.parquet`"), tmp_path)
    found = rows_of(rows, plan, "home").sums.steps["n"]
    assert found == [found[0]] * len(hostile) + [0]
    assert found[0] > 0


@slow
def test_large_sums_do_not_wrap(spark, tmp_path):
    """A million rows at the end of a range whose steps are many."""
    data = Data(columns={"x": number(0, 1e9)}, max_rows=1_000_000)
    plan = counting(data, Statistic(name="sum", kind="sum", column="x"))
    found = rows_of(opened(asked("SELECT 1e9D AS x FROM range(1000000)"), tmp_path), plan, "home").sums
    step = next(part.step for part in found.grid.parts if part.name == "sum")
    assert found.steps["sum"] == [1_000_000 * int(1e9 / step)]


@slow
def test_what_does_not_fit_is_counted_and_no_line_is_made_up(spark, tmp_path, capfd):
    query = f"SELECT x, 'f' AS sex FROM VALUES ('1'), ('{HIDDEN}'), ('1d'), ('nan'), ('1,5') AS s(x)"
    said = fails(asked(query), tmp_path)
    assert "column 'x', 3 rows: nan, inf or text where a number is expected" in said
    assert "column 'x', 1 row: a number with another decimal mark" in said
    assert "line" not in said
    assert HIDDEN not in "".join(capfd.readouterr())


@slow
@pytest.mark.parametrize("value", ["CAST('NaN' AS DOUBLE)", "CAST('Infinity' AS FLOAT)", "-1e308D * 10"])
def test_a_number_that_is_none_is_refused(value, spark, tmp_path):
    assert "inf where a number is expected" in fails(asked(f"SELECT {value} AS x, 'f' AS sex"), tmp_path)


@slow
def test_behind_a_day_stands_a_time_of_day_at_most(spark, tmp_path):
    spec = counting(days.plan("%d.%m.%Y"), Statistic(name="n", kind="sum", column="n"))

    def query(texts):
        pq.write_table(pa.table({"d": texts}), tmp_path / "days.parquet")
        return asked(f"SELECT * FROM parquet.`{tmp_path}/days.parquet`")

    assert rows_of(opened(query(days.DAYS), tmp_path), spec, "home").tally.used == len(days.DAYS)
    assert f"column 'd', {len(days.WRONG)} rows: no date" in fails(query(days.WRONG), tmp_path, spec)


@slow
def test_errors_of_spark_quote_no_value_and_leave_no_log(spark, tmp_path, capfd):
    cast = asked(f"SELECT CAST(v AS INT) AS x, 'f' AS sex FROM VALUES ('{HIDDEN}') AS s(v)")
    assert "Spark did not give the rows (" in fails(cast, tmp_path)
    assert "(TABLE_OR_VIEW_NOT_FOUND)" in fails(asked(f"SELECT * FROM `{HIDDEN}`"), tmp_path)
    assert "(PARSE_SYNTAX_ERROR)" in fails(asked(f"SELECT '{HIDDEN}' AS x,, 2"), tmp_path)
    training = train("none", data=Data(columns=TRAINED, target=Target(column="num", positive=("1",))))
    later = f"SELECT CAST(v AS INT) AS x, '1' AS num FROM VALUES ('{HIDDEN}') AS s(v)"
    assert "Spark did not give the rows (" in fails(asked(later), tmp_path, training)
    assert HIDDEN not in "".join(capfd.readouterr())


TRAINED = {"x": number(0, 10), "num": category("0", "1")}


@slow
def test_rows_to_train_on_come_some_at_a_time_and_no_more_than_allowed(spark, tmp_path):
    plan = train("none", data=Data(columns=TRAINED, max_rows=150_000, target=Target(column="num", positive=("1",))))
    query = "SELECT id % 10 AS x, CAST(id % 2 AS STRING) AS num FROM range(0, {}, 1, {})"
    assert "has more rows than data.max_rows (150000)" in fails(asked(query.format(10**10, 10**5)), tmp_path, plan)
    table = read(opened(asked(query.format(150_000, 4)), tmp_path), plan, "home")
    assert table.rows == 150_000
    assert table.target.sum() == 75_000


DIES = """
import os, signal, sys
from pathlib import Path
from pyspark import SparkContext
from potluck.core.errors import DataError
from potluck.core.plan import Data
from potluck.learning.data.problems import Problems
from potluck.owner.policy import Source
from potluck.owner.source import open_source
from potluck.secret.container import Secret

source = Source(url=Secret(b"local[1]"), query="SELECT 1 AS x", engine="spark")
rows = open_source(source, Path("."), Data(), "home")
try:
    with rows.open(["x"], None, Problems("home"), True) as relation:
        os.kill(SparkContext._gateway.proc.pid, signal.SIGKILL)
        SparkContext._gateway.proc.wait()
        relation.rows("SELECT 1")
except DataError as error:
    print(error)
print(rows.names(), SparkContext._active_spark_context)
"""


@slow
def test_spark_is_stopped_after_reading_and_one_that_died_is_started_again(spark, tmp_path):
    """In a process of its own. spark: that there is one."""
    done = subprocess.run([sys.executable, "-c", DIES], capture_output=True, text=True, check=True, cwd=tmp_path)
    first, second = done.stdout.splitlines()
    assert first.startswith("DataError: home: Spark did not give the rows (")
    assert second == "('x',) None"


@slow
def test_a_query_cannot_write(spark, tmp_path):
    for query in (
        f"WITH x AS (SELECT 1) INSERT OVERWRITE DIRECTORY '{tmp_path}/out' USING parquet SELECT * FROM x",
        f"SELECT 1 AS x, 'f' AS sex INTO '{tmp_path}/out'",
    ):
        assert "Spark did not give the rows (PARSE_SYNTAX_ERROR)" in fails(asked(query), tmp_path)
    assert "not a SELECT" in fails(asked("CREATE TABLE t AS SELECT 1"), tmp_path, kind=UsageError)
    assert list(tmp_path.iterdir()) == []


def test_an_address_that_is_not_sparks_is_refused_unsaid(tmp_path):
    for master in (
        f"postgresql://u:{HIDDEN}@h/d",
        f"sc://h/;token={HIDDEN}",
        "local[two]",
        "",
        "sqlite:///rows.sqlite",
    ):
        assert "source.url is no address of Spark" in fails(asked("SELECT 1", master), tmp_path, kind=UsageError)


def test_what_spark_lacks_is_named_with_what_to_type(tmp_path, monkeypatch):
    little = asked("SELECT 1", memory=64 << 20)
    assert "source.memory is too little for Spark" in fails(little, tmp_path, kind=UsageError)
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    assert "default-jre-headless" in fails(asked("SELECT 1"), tmp_path, kind=UsageError)
    java = tmp_path / "bin" / "java"
    java.parent.mkdir()
    java.touch(0o755)
    monkeypatch.setitem(sys.modules, "pyspark", None)
    assert "pip install 'potluck[spark]'" in fails(asked("SELECT 1"), tmp_path, kind=UsageError)
