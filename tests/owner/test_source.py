"""One table from CSV, Parquet, SQLite and PostgreSQL; nothing is written, nothing too much is fetched or said."""

import contextlib
import datetime as dt
import os
import random
import sqlite3
import subprocess
import sys
import weakref
from decimal import Decimal
from urllib.parse import quote

import msgspec
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from potluck.core.errors import DataError, UsageError
from potluck.core.plan import Column, Data, Split, Target
from potluck.learning.data.cells import text_of
from potluck.learning.data.column import Field
from potluck.learning.data.encode import Encoding
from potluck.learning.data.problems import Problems
from potluck.learning.data.rows import inputs
from potluck.learning.data.source import opened as source_of
from potluck.learning.data.sources.respelled import by_fields
from potluck.learning.data.table import header, read
from potluck.owner import sql
from potluck.owner.policy import Source
from potluck.owner.reading import parse
from potluck.owner.source import open_source
from potluck.owner.sql import select
from potluck.secret.container import Secret
from support.owner.plans import category, number, statistics, train
from support.owner.postgres import PASSWORD, connected, missing, server

HIDDEN = "s3cr3t-31337"
NAMES = ("id", "age", "dose", "sex", "smokes", "code", "seen", "note", "fold", "num")
TYPES = ("bigint", "integer", "double precision", "text", "boolean", "text", "date", "text", "text", "numeric(6,2)")
PRICES = ("0.00", "1.00")


def some_rows(count: int = 400) -> list[tuple]:
    """Rows with every kind of value: absent ones, texts that are numbers, dates, true and false, Decimals."""
    draw = random.Random(7)

    def maybe(value):
        return None if draw.random() < 0.1 else value

    return [
        (
            2**53 + draw.randrange(60),
            maybe(draw.randrange(120)),
            maybe(draw.choice([draw.uniform(-1, 3), 0.1, 2.0, -0.0, 1e-300])),
            maybe(draw.choice(["0", "1", "1.0", " 1", "é", 'x,"y'])),
            maybe(draw.random() < 0.5),
            draw.choice(["7", "07", "1e2", "u"]),
            maybe(dt.date(2020, 1, draw.randrange(1, 4))),
            maybe("not\nread"),
            draw.choice(["test", "train", ""]),
            maybe(Decimal(draw.choice(PRICES))),
        )
        for _ in range(count)
    ]


ROWS = some_rows()


def plan(header: bool = True):
    """Reads all columns but `note`."""
    columns = {
        "id": Column(kind="ignore"),
        "age": number(0, 100, "drop"),
        "dose": number(-1, 3, "flag"),
        "sex": category("0", "1", "é", 'x,"y', missing="flag"),
        "smokes": category("0", "1", missing="flag"),
        "code": category("7", "100", "u"),
        "seen": category("2020-01-01", "2020-01-02", missing="flag"),
        "note": Column(kind="ignore"),
        "fold": Column(kind="ignore"),
        "num": category("0", "1"),
    }
    data = Data(
        header=header, columns=columns, person="id", target=Target(column="num", positive=("1",)), split=Split(test=0.3)
    )
    return train("none", data=data)


def cell(value) -> str:
    """As a database exports it to CSV; true is 1."""
    if value is None:
        return ""
    text = str(int(value)) if isinstance(value, bool) else str(value)
    return '"' + text.replace('"', '""') + '"' if any(c in text for c in ',"\n') else text


def as_csv(folder, rows, names=NAMES, header=True, name="rows.csv") -> Source:
    lines = [",".join(map(cell, row)) for row in rows]
    (folder / name).write_text("\n".join([",".join(names)] * header + lines) + "\n", encoding="utf-8")
    return Source(file=name)


def as_parquet(folder, rows, names=NAMES, name="rows.parquet") -> Source:
    columns = {key: list(values) for key, values in zip(names, zip(*rows, strict=True), strict=True)}
    pq.write_table(pa.table(columns), folder / name, row_group_size=64)
    return Source(file=name)


def as_sqlite(folder, rows, query="select * from rows", names=NAMES) -> Source:
    """The file has no Decimals and no dates: both are texts there, as owners store them."""
    with contextlib.closing(sqlite3.connect(folder / "rows.sqlite")) as db, db:
        db.execute("drop table if exists rows")
        db.execute(f"create table rows ({', '.join(names)})")
        plain = [tuple(str(v) if isinstance(v, Decimal | dt.date) else v for v in row) for row in rows]
        db.executemany(f"insert into rows values ({', '.join('?' * len(names))})", plain)
    return Source(url=Secret(b"sqlite:///rows.sqlite"), query=query)


@pytest.fixture(scope="session")
def postgres():
    if why := missing():
        pytest.skip(why)
    with server() as port:
        with connected(port) as db, db.cursor() as cursor:
            cursor.execute(f"create table rows ({', '.join(map(' '.join, zip(NAMES, TYPES, strict=True)))})")
            cursor.executemany(f"insert into rows values ({', '.join(['%s'] * len(NAMES))})", ROWS)
            cursor.execute("create sequence counter")
        db.close()
        yield port


def as_postgres(port: int, query="select * from rows", password=PASSWORD) -> Source:
    address = f"postgresql+psycopg://owner:{quote(password, safe='')}@127.0.0.1:{port}/postgres"
    return Source(url=Secret(address.encode()), query=query)


def opened(source, folder, max_rows=10_000):
    return open_source(source, folder, Data(max_rows=max_rows), "home")


def cells(rows, *names) -> dict[str, list]:
    """Cells of some columns, as an open source has them: numbers, or texts."""
    with rows.open(names, None, Problems("home"), careful=True) as relation:
        wanted = [f"{cell.sql} as c{place}" for place, cell in enumerate(relation.cells.values())]
        found = relation.rows(f"select {', '.join(wanted)} from {relation.source}")
    return dict(zip(names, map(list, zip(*found, strict=True)), strict=True))


def words(rows, name) -> list:
    """A column as texts."""
    with rows.open([name], None, Problems("home"), careful=True) as relation:
        return [row[0] for row in relation.rows(f"select {relation.cells[name].words} from {relation.source}")]


def length(rows) -> int:
    with rows.open(rows.names(), None, Problems("home"), careful=True) as relation:
        return relation.rows(f"select count(*) from {relation.source}")[0][0]


def same(left, right) -> None:
    """Equal in every bit."""
    assert left.rows == right.rows
    for name in ("features", "target", "test", "person"):
        assert getattr(left, name).tobytes() == getattr(right, name).tobytes(), name
    assert left.tally == right.tally
    assert left.schema == right.schema
    assert list(left.columns) == list(right.columns)
    for name, values in left.columns.items():
        assert values.tobytes() == right.columns[name].tobytes(), name


def fails(source, folder, kind=DataError, max_rows=10_000, names=()) -> str:
    def reading():
        rows = opened(source, folder, max_rows)
        return cells(rows, *names) if names else read(rows, plan(), "home")

    with pytest.raises(kind) as caught:
        reading()
    assert HIDDEN not in str(caught.value)
    assert caught.value.__suppress_context__ or caught.value.__context__ is None
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_the_same_rows_give_the_same_table_from_postgresql(tmp_path, postgres):
    expected = read(opened(as_csv(tmp_path, ROWS), tmp_path), plan(), "home")
    same(read(opened(as_postgres(postgres), tmp_path), plan(), "home"), expected)
    narrow = "select num, sex, id, age, dose, smokes, code, seen from rows -- no note"
    same(read(opened(as_postgres(postgres, narrow), tmp_path), plan(), "home"), expected)


def test_without_header_columns_are_taken_by_position_from_all_sources(tmp_path, postgres):
    spec = plan(header=False)
    expected = read(opened(as_csv(tmp_path, ROWS, header=False), tmp_path), spec, "home")
    other = tuple(f"c{place}" for place in range(len(NAMES)))
    renamed = ", ".join(f"{name} as c{place}" for place, name in enumerate(NAMES))
    for source in (
        as_parquet(tmp_path, ROWS, other),
        as_parquet(tmp_path, ROWS, name="named.parquet"),
        as_sqlite(tmp_path, ROWS, names=other),
        as_postgres(postgres),
        as_postgres(postgres, f"select {renamed} from rows"),
    ):
        same(read(opened(source, tmp_path), spec, "home"), expected)


def test_columns_by_position_are_not_taken_where_their_names_contradict(tmp_path, postgres):
    names = list(NAMES)
    names[NAMES.index("age")], names[NAMES.index("dose")], names[-1] = "dose", "age", "outcome"
    select = ", ".join(f"{old} as {new}" for old, new in zip(NAMES, names, strict=True))
    for source in (as_parquet(tmp_path, ROWS, names), as_postgres(postgres, f"select {select} from rows")):
        with pytest.raises(DataError, match="'age' is there, but not in the plan's place"):
            read(opened(source, tmp_path), plan(header=False), "home")


def test_statistics_and_a_split_column_read_the_same_from_all_sources(tmp_path, postgres):
    data = plan().data
    counted = statistics(noise="none", data=msgspec.structs.replace(data, person=None))
    folded = train("none", data=msgspec.structs.replace(data, split=Split(column="fold")))
    for spec in (counted, folded):
        csv, *others = [
            read(opened(source, tmp_path), spec, "home") if spec.data.person else read_plain(source, tmp_path, spec)
            for source in (
                as_csv(tmp_path, ROWS),
                as_parquet(tmp_path, ROWS),
                as_sqlite(tmp_path, ROWS),
                as_postgres(postgres),
            )
        ]
        for other in others:
            if csv.person is None:
                for name, values in csv.columns.items():
                    assert values.tobytes() == other.columns[name].tobytes(), name
            else:
                same(other, csv)


def read_plain(source, folder, spec):
    """A table of a plan without a target: rows without `num` are refused, so they are left out by declaring a flag."""
    columns = {**spec.data.columns, "num": category("0", "1", missing="flag")}
    spec = msgspec.structs.replace(spec, data=msgspec.structs.replace(spec.data, columns=columns))
    return read(opened(source, folder), spec, "home")


def test_the_names_of_the_columns_are_those_of_the_source(tmp_path, postgres):
    for source in (
        as_csv(tmp_path, ROWS),
        as_parquet(tmp_path, ROWS),
        as_sqlite(tmp_path, ROWS),
        as_postgres(postgres),
    ):
        assert header(opened(source, tmp_path), plan(), "home") == NAMES


def test_narrow_floats_are_read_by_their_shortest_text(tmp_path):
    values = [0.1, 2.5, 1e-3, None]
    table = pa.table({"x": pa.array(values, pa.float32()), "h": pa.array([0.5, 1, 2, 3], pa.float16())})
    pq.write_table(table, tmp_path / "narrow.parquet")
    found = cells(opened(Source(file="narrow.parquet"), tmp_path), "x", "h")
    assert found == {"x": values, "h": [0.5, 1, 2, 3]}


def test_parquet_of_pandas_with_categories_big_numbers_and_dotted_names_is_read(tmp_path):
    frame = pd.DataFrame({"a.b": [1, 2], "a": pd.Categorical(["u", "v"]), "n": pd.array([2**60 + 1, None], "Int64")})
    frame.to_parquet(tmp_path / "f.PARQUET")
    rows = opened(Source(file="f.PARQUET"), tmp_path)
    assert cells(rows, "a", "a.b", "n") == {"a": ["u", "v"], "a.b": [1, 2], "n": [float(2**60 + 1), None]}
    assert words(rows, "n") == [str(2**60 + 1), None]


def test_a_number_that_is_none_is_refused_as_in_a_csv(tmp_path, postgres):
    spec = statistics(noise="none", data=Data(columns={"x": number(0, 10)}))
    pq.write_table(pa.table({"x": [1.0, float("nan")]}), tmp_path / "nan.parquet")
    (tmp_path / "nan.csv").write_text("x\n1.0\nnan\n")
    for source in (
        Source(file="nan.csv"),
        Source(file="nan.parquet"),
        as_postgres(postgres, "select 1.0::float8 as x union all select 'NaN'"),
        as_postgres(postgres, "select 1.0::numeric as x union all select 'NaN'"),
        as_postgres(postgres, "select 1.0::float8 as x union all select 'Infinity'"),
    ):
        with pytest.raises(DataError, match=r"nan, inf or text|inf where a number"):
            read(opened(source, tmp_path), spec, "home")


READS_MOMENTS = """
import sys
from potluck.learning.data.problems import Problems
from potluck.learning.data.source import opened
from potluck.owner import source
with opened(sys.argv[1], "home").open(["seen"], None, Problems("home"), True) as relation:
    print(relation.rows(f"select {relation.cells['seen'].sql} from {relation.source}"))
"""


@pytest.mark.parametrize("zone", ["UTC", "Asia/Tokyo", "America/New_York"])
def test_a_moment_is_of_the_same_day_wherever_the_machine_is(zone, tmp_path):
    path = tmp_path / "rows.parquet"
    pq.write_table(pa.table({"seen": pa.array([dt.datetime(2024, 1, 1, 0, 30)], pa.timestamp("us", "UTC"))}), path)
    environment = os.environ | {"TZ": zone}
    done = subprocess.run(
        [sys.executable, "-c", READS_MOMENTS, path], capture_output=True, text=True, check=True, env=environment
    )
    assert done.stdout == "[('2024-01-01 00:30:00',)]\n"


def test_columns_whose_names_differ_in_case_alone_are_not_taken_for_each_other(tmp_path):
    """To the engine `Age` is `age`, and the second one of a file is called `Age_1`."""
    pq.write_table(pa.table({"age": [1], "Age": [2], "Age_1": [3], "sex": [4]}), tmp_path / "rows.parquet")
    for name in ("age", "Age", "Age_1"):
        assert f"column {name!r} is there more than once" in fails(Source(file="rows.parquet"), tmp_path, names=(name,))
    assert cells(opened(Source(file="rows.parquet"), tmp_path), "sex") == {"sex": [4]}


def test_columns_that_hold_others_are_one_name_each(tmp_path):
    """What they consist of may be called as a column is."""
    odd = {"age": {"SEX": 1, "more": [{"sex": 2}]}}
    rows = pa.Table.from_pylist([{"age": 5, "deep": odd, "sex": 6, "lists": [[7]], "last": 8}])
    pq.write_table(rows, tmp_path / "rows.parquet")
    assert opened(Source(file="rows.parquet"), tmp_path).names() == ("age", "deep", "sex", "lists", "last")
    held = cells(opened(Source(file="rows.parquet"), tmp_path), "age", "sex", "last")
    assert held == {"age": [5], "sex": [6], "last": [8]}
    assert "column 'deep'" in fails(Source(file="rows.parquet"), tmp_path, names=("deep",))


def test_the_engine_prints_nothing_where_a_program_has_no_file():
    """DuckDB takes it for a person at a prompt, and shows how far a long query has come."""
    shown = "SELECT current_setting('enable_progress_bar')"
    program = f"""
import duckdb
from potluck.learning.data.sql.duck import _database
from potluck.learning.data.sql.relation import Limits
for made in (duckdb.connect(), _database(Limits(0, 1 << 30), 1)):
    print(made.execute("{shown}").fetchone()[0], made.cursor().execute("{shown}").fetchone()[0])
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    engine, ours = done.stdout.splitlines()
    assert (engine.split()[0], ours) == ("True", "False False")


def test_a_column_without_any_value_has_none(tmp_path):
    pq.write_table(pa.table({"x": pa.nulls(2), "y": [1, 2]}), tmp_path / "rows.parquet")
    assert cells(opened(Source(file="rows.parquet"), tmp_path), "x") == {"x": [None, None]}


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
def test_narrow_floats_and_days_of_frames_are_those_of_files(unit, tmp_path):
    frame = pd.DataFrame({"x": np.array([0.1, 0.2], np.float32), "day": pd.to_datetime(["2024-02-03", None])})
    frame["day"] = frame["day"].astype(f"datetime64[{unit}]")
    frame.to_parquet(tmp_path / "rows.parquet")
    held = cells(source_of(frame, "home"), "x", "day")
    assert held["x"] == [0.1, 0.2] == cells(opened(Source(file="rows.parquet"), tmp_path), "x")["x"]
    assert held["day"][0].startswith("2024-02-03")
    assert held["day"][1] is None


def test_values_without_a_text_are_refused_by_their_columns_name(tmp_path):
    pq.write_table(pa.table({"age": [[1, 2]], "num": ["1"]}), tmp_path / "rows.parquet")
    assert "column 'age' holds values of type BIGINT[]" in fails(Source(file="rows.parquet"), tmp_path, names=("age",))
    source = as_sqlite(tmp_path, [(HIDDEN.encode(),)], names=("age",))
    assert "column 'age' holds values of type bytes" in fails(source, tmp_path, names=("age",))


def test_a_csv_is_not_opened_before_it_is_read(tmp_path):
    rows = opened(Source(file="absent.csv"), tmp_path)
    with pytest.raises(DataError, match="no such file"):
        rows.names()


def test_more_rows_than_allowed_are_not_fetched(tmp_path, postgres):
    endless = "with recursive n(x) as (select 1 union all select x + 1 from n) select x as age from n"
    sources = (as_postgres(postgres, "select generate_series(1, 2000000000) as age"),)
    sqlite = as_sqlite(tmp_path, ROWS, endless)
    for source in (*sources, sqlite, as_parquet(tmp_path, ROWS)):
        assert "has more rows than data.max_rows (399)" in fails(source, tmp_path, max_rows=399, names=("age",))
    assert length(opened(as_parquet(tmp_path, ROWS), tmp_path, max_rows=400)) == 400
    assert length(opened(as_postgres(postgres), tmp_path, max_rows=400)) == 400


WRITES = (
    "insert into rows (age) values (1)",
    "update rows set age = 1",
    "delete from rows",
    "drop table rows",
    "",
    "--",
)


@pytest.mark.parametrize(
    "query", [*WRITES, "explain select 1", "(select 1)", "selection", "/* select */ delete from rows"]
)
def test_what_is_no_select_is_refused_before_a_database_is_asked(query, tmp_path):
    source = Source(url=Secret(b"postgresql+psycopg://nobody@127.0.0.1:1/none"), query=query)
    assert "source.query is not a SELECT" in fails(source, tmp_path, UsageError)


@pytest.mark.parametrize(
    "query", ["select 1; delete from rows", "select 1;; select 2", "with x as (select 1) select 1; commit"]
)
def test_a_second_statement_is_refused_before_a_database_is_asked(query, tmp_path):
    source = Source(url=Secret(b"postgresql+psycopg://nobody@127.0.0.1:1/none"), query=query)
    assert "more than one statement" in fails(source, tmp_path, UsageError)


def test_selects_are_known_behind_comments_and_a_closing_semicolon():
    assert select(" -- all\n/* of */ SELECT 1 ; \n", "home") == "-- all\n/* of */ SELECT 1"
    assert select("With x as (select 1) select * from x", "home")


def test_a_select_cannot_write_to_postgresql(tmp_path, postgres):
    for query in (
        "with gone as (delete from rows returning *) select * from gone",
        "select * into taken from rows",
        "select nextval('counter') as age",
        "select setval('counter', 7) as age",
        "select age from rows where set_config('transaction_read_only', 'off', true) is not null",
    ):
        message = fails(as_postgres(postgres, query), tmp_path)
        assert "the database did not give the rows (" in message, query
    with connected(postgres) as db:
        assert db.execute("select count(*) from rows").fetchone() == (len(ROWS),)
        assert db.execute("select is_called from counter").fetchone() == (False,)
        assert db.execute("select to_regclass('taken')").fetchone() == (None,)
    db.close()


def test_a_select_cannot_write_to_sqlite(tmp_path):
    source = as_sqlite(tmp_path, ROWS, "with x as (select 1) insert into rows (age) select 1 from x")
    before = (tmp_path / "rows.sqlite").read_bytes()
    assert "the database did not give the rows (OperationalError)" in fails(source, tmp_path)
    assert (tmp_path / "rows.sqlite").read_bytes() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["rows.sqlite"]


def test_percents_and_colons_reach_the_database_as_they_are(tmp_path, postgres):
    query = "select age, '08:30' as clock, ':x' as y, age::text like '%(x)s%' from rows where fold like 'te%'"
    few = "select age, ':x' from rows where fold like 'te%'"
    assert length(opened(as_postgres(postgres, query), tmp_path)) > 50
    assert length(opened(as_sqlite(tmp_path, ROWS, few), tmp_path)) > 50


def test_errors_of_databases_quote_no_value_and_no_password(tmp_path, postgres):
    asked = f"select '{HIDDEN}'::integer as age"
    assert "(InvalidTextRepresentation)" in fails(as_postgres(postgres, asked), tmp_path)
    assert "(UndefinedTable)" in fails(as_postgres(postgres, "select * from absent"), tmp_path)
    assert "(OperationalError: it does not take this user's password)" in fails(
        as_postgres(postgres, password=f"wrong-{HIDDEN}"), tmp_path
    )
    assert "no such table: absent" in fails(as_sqlite(tmp_path, ROWS, "select * from absent"), tmp_path)
    assert HIDDEN not in fails(as_sqlite(tmp_path, ROWS, f"select '{HIDDEN}' from"), tmp_path)
    (tmp_path / "rows.sqlite").write_bytes(HIDDEN.encode() * 100)
    assert "(DatabaseError)" in fails(
        Source(url=Secret(b"sqlite:///rows.sqlite"), query="select * from rows"), tmp_path
    )


@pytest.mark.parametrize(
    ("address", "words"),
    [
        (f"mysql://u:{HIDDEN}@h/d", "no database that is known here"),
        (f"postgresql+psycopg2://u:{HIDDEN}@h/d", "no database that is known here"),
        (f"{HIDDEN}", "no address of a database"),
        ("local[2]", 'an address of Spark goes with source.engine = "spark"'),
        (f"spark://{HIDDEN}:7077", 'an address of Spark goes with source.engine = "spark"'),
        (f"postgresql://u:{HIDDEN}@h:{HIDDEN}/d", "no address of a database"),
        ("sqlite://", "names no SQLite file"),
        ("sqlite:///:memory:", "names no SQLite file"),
        ("sqlite:///file:rows.sqlite?mode=rwc&uri=true", "names no SQLite file"),
    ],
)
def test_addresses_that_cannot_be_used_are_refused_unsaid(address, words, tmp_path):
    assert words in fails(Source(url=Secret(address.encode()), query="select 1"), tmp_path, UsageError)


def test_an_absent_file_is_an_error_and_is_not_made(tmp_path):
    for source in (
        Source(url=Secret(b"sqlite:///rows.sqlite"), query="select 1"),
        Source(file="rows.parquet"),
        Source(file="rows.csv"),
    ):
        assert "no such" in fails(source, tmp_path)
    assert list(tmp_path.iterdir()) == []


def german(folder, text, **form):
    """A site's rows as a plan with points and commas reads them; age and dose are numbers, code is a category."""
    (folder / "german.csv").write_bytes(text.encode(form.get("encoding", "utf-8")))
    columns = {"age": number(0, 2000), "dose": number(-3, 3, "drop"), "code": category("250.01", "Öl", missing="flag")}
    spec = statistics(data=Data(columns=columns, missing=("", "k.A.", "-9.5")))
    said = "".join(f'{key} = "{value}"\n' for key, value in form.items())
    source = parse(f'version = 1\n[source]\nfile = "german.csv"\n{said}', "policy").source
    return read(open_source(source, folder, spec.data, "north"), spec, "north")


ENGLISH = "age,dose,code\n" + "61.5,-1.5e-1,250.01\n61,k.A.,Öl\n7,+.25,250.01\n 8 ,-9.5,Öl\n"
GERMAN = "age;dose;code\n" + "61,5;-1,5e-1;250.01\n61;k.A.;Öl\n7;+,25;250.01\n 8 ;-9,5;Öl\n"


@pytest.mark.parametrize("times", [1, 5000], ids=["careful", "quick"])
def test_a_site_whose_files_are_written_otherwise_reads_what_the_others_do(tmp_path, times):
    first, rest = GERMAN.split("\n", 1)
    here = german(tmp_path, f"{first}\n{rest * times}", separator=";", decimal=",", encoding="cp1252")
    first, rest = ENGLISH.split("\n", 1)
    there = german(tmp_path, f"{first}\n{rest * times}")
    assert here.columns.keys() == there.columns.keys()
    for name, values in there.columns.items():
        np.testing.assert_array_equal(here.columns[name], values)
    assert here.tally == there.tally


def test_thousands_of_such_a_site_are_never_read_as_fractions(tmp_path):
    """The control: without its own mark the same cell is 1.5."""
    rows = "age;dose;code\n1.500;1;250.01\n"
    assert german(tmp_path, rows, separator=";").columns["age"][0] == 1.5
    with pytest.raises(DataError, match="another decimal mark"):
        german(tmp_path, rows, separator=";", decimal=",")


def test_codes_of_such_a_site_stay_as_they_are_where_a_model_says_which_columns_are_numbers(tmp_path):
    """A client of a prediction: its plan declares no columns, the model's card does. Beside it what points give."""
    age = Field(name="age", kind="number", low=0, high=10)
    code = Field(name="code", kind="category", values=("250.01", "E11"))
    how = Encoding(fields=(age, code), missing=("",))

    def looked(text: str, mark: str | None):
        (tmp_path / "rows.csv").write_text(text)
        rows = open_source(Source(file="rows.csv", separator=";", decimal=mark), tmp_path, Data(), "clinic")
        return inputs(how, None, by_fields(rows, how.fields), "clinic").features

    here = looked("age;code\n1,5;250.01\n3;E11\n", ",")
    np.testing.assert_array_equal(here, looked("age;code\n1.5;250.01\n3;E11\n", None))
    assert here[:, 1:].tolist() == [[1, 0], [0, 1]]


@pytest.mark.parametrize(
    ("form", "words"),
    [
        ('file = "a.csv"\nseparator = ";;"', "source.separator: is none that is known"),
        ('file = "a.csv"\nencoding = "klingon"', "source.encoding: is none that is known"),
        ('file = "a.csv"\ndecimal = "·"', "source.decimal"),
        ('url = "sqlite:///a.sqlite"\nquery = "select 1"\ndecimal = ","', "source.decimal goes with a file"),
    ],
)
def test_a_form_that_no_file_has_is_refused(form, words):
    with pytest.raises(UsageError, match=words):
        parse(f"version = 1\n[source]\n{form}\n", "policy")


def test_what_is_no_parquet_is_refused(tmp_path):
    (tmp_path / "rows.parquet").write_text(HIDDEN)
    assert "cannot be read as Parquet" in fails(Source(file="rows.parquet"), tmp_path)


def test_an_address_in_a_file_must_be_its_owners_alone(tmp_path, postgres):
    as_sqlite(tmp_path, ROWS)
    path = tmp_path / "secret.url"
    path.write_text("sqlite:///rows.sqlite\n")
    text = 'version = 1\n[source]\nurl_file = "secret.url"\nquery = "select * from rows"'
    source = parse(text, "policy.toml").source
    path.chmod(0o640)
    assert "may be read by others" in fails(source, tmp_path, UsageError)
    path.chmod(0o600)
    assert length(opened(source, tmp_path)) == len(ROWS)
    path.write_bytes(b"\xff")
    assert "cannot be read" in fails(source, tmp_path, UsageError)
    path.unlink()
    assert "cannot be read (No such file or directory)" in fails(source, tmp_path, UsageError)


@pytest.mark.parametrize("package", ["sqlalchemy", "psycopg"])
def test_a_missing_package_is_named_with_what_to_type(package, tmp_path, monkeypatch):
    source = Source(url=Secret(b"postgresql://u@127.0.0.1:1/d"), query="select 1")
    monkeypatch.setitem(sys.modules, package, None)
    assert "pip install 'potluck[sql]'" in fails(source, tmp_path, UsageError)


VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**64), 2**64),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=5),
    st.decimals(allow_nan=False, allow_infinity=False, places=3, min_value=-1000, max_value=1000),
)


@given(st.lists(VALUES, min_size=1, max_size=12), st.sampled_from([".", ","]))
def test_a_value_of_any_kind_is_the_text_that_it_has_in_a_file(values, decimal):
    """The independent rule: a text is itself, a number one that spells it, with the mark that the plan says."""
    for value in values:
        text = text_of(value, "x", "home", decimal)
        if isinstance(value, bool):
            assert text == str(int(value))
        elif isinstance(value, str | None):
            assert text == value
        else:
            assert type(value)(text.replace(decimal, ".")) == value
            assert decimal == "." or "." not in text


def test_a_column_of_many_kinds_is_read_in_whatever_chunks_it_comes(tmp_path, monkeypatch):
    """SQLite's columns hold what they are given: numbers first and then texts, in another chunk."""
    monkeypatch.setattr(sql, "CHUNK", 2)
    values = [1, 2.5, None, 3, "x", 2**60, " 7 ", "", 1e300, 0, 0.0, -0.0]
    source = as_sqlite(tmp_path, [(one,) for one in values], names=("x",))
    assert cells(opened(source, tmp_path), "x")["x"] == [
        "1", "2.5", None, "3", "x", str(2**60), " 7 ", "", "1e+300", "0", "0", "-0.0"
    ]  # fmt: skip


def test_of_a_databases_rows_a_few_batches_are_held_at_a_time(tmp_path, monkeypatch):
    """Whatever their number: each is let go when the next ones are there."""
    monkeypatch.setattr(sql, "CHUNK", 500)
    seen, most, made = [], [], sql.Answer._batches

    def watched(*args):
        for batch in made(*args):
            seen.append(weakref.ref(batch))
            most.append(sum(one() is not None for one in seen))
            yield batch
            del batch

    monkeypatch.setattr(sql.Answer, "_batches", watched)
    numbers = "with recursive n(x) as (select 0 union all select x + 1 from n limit 50000) select x % 7 as age from n"
    source = as_sqlite(tmp_path, ROWS, numbers)
    spec = statistics(noise="none", data=Data(columns={"age": number(0, 10)}, max_rows=60_000))
    table = read(opened(source, tmp_path, 60_000), spec, "home")
    assert (table.rows, len(most)) == (50_000, 100)
    assert max(most) <= 3
