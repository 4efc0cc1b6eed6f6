"""PostgreSQL as engine: a plan's query runs inside it, gives the same numbers, writes nothing and says nothing."""

import datetime as dt
import math
import struct
from uuid import UUID

import msgspec
import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from potluck.core.errors import DataError, UsageError
from potluck.core.plan import Column, Data, Statistic, Target
from potluck.core.tables.derived import Reduce, Reduced
from potluck.learning.data.problems import Problems
from potluck.learning.data.sql.dialect import BLANKS
from potluck.learning.data.sql.postgresql import POSTGRESQL, decimal
from potluck.learning.data.table import read
from potluck.owner.policy import Source
from potluck.owner.reading import parse
from potluck.owner.source import open_source
from potluck.secret.container import Secret
from potluck.tasks.sums.rows import rows_of
from support.learning import days
from support.learning.numbers import ODD, TEXTS, spelt
from support.owner.plans import category, number, statistics, train
from support.owner.postgres import address, connected

HIDDEN = "s3cr3t-31337"


def asked(port: int, query: str, engine: str = "postgresql", **other: str) -> Source:
    return Source(url=Secret(address(port, **other).encode()), query=query, engine=engine)


def opened(source, folder, max_rows=10_000):
    return open_source(source, folder, Data(max_rows=max_rows), "home")


def counting(data: Data, *wanted: Statistic):
    """A plan of exact statistics."""
    return msgspec.structs.replace(statistics(noise="none", data=data), statistics=wanted)


def fails(source, folder, plan, kind=DataError) -> str:
    with pytest.raises(kind) as caught:
        rows_of(opened(source, folder), plan, "home")
    assert HIDDEN not in str(caught.value)
    assert "127.0.0.1" not in str(caught.value)
    assert caught.value.__suppress_context__ or caught.value.__context__ is None
    return str(caught.value)


@pytest.fixture(scope="module")
def asking(database):
    with connected(database) as db:
        yield lambda query, *given: db.execute(query, given or None).fetchall()
    db.close()


def bits(value: float | None) -> bytes | None:
    """A double by its bits; what is not finite is all the same."""
    return None if value is None or not math.isfinite(value) else struct.pack("<d", value)


def of_all(asking, expression: str, texts: list[str]) -> list:
    """Of each text what an expression over `t` gives."""
    query = f"SELECT {expression.replace('%', '%%')} FROM unnest(%s::text[]) WITH ORDINALITY AS s (t, n) ORDER BY n"
    return [row[0] for row in asking(query, texts)]


@given(st.lists(TEXTS, min_size=1, max_size=30))
@example(list(ODD))
def test_a_text_is_the_number_that_python_reads_in_it_or_none(asking, texts):
    texts = [text.replace("\0", "") for text in texts]
    found = of_all(asking, POSTGRESQL.parsed("t"), texts)
    assert [bits(one) for one in found] == [bits(spelt(text)) for text in texts]


@given(st.lists(st.text(alphabet=st.sampled_from(BLANKS + "ab'\\1"), max_size=6), min_size=1, max_size=30))
def test_texts_lose_the_blanks_that_python_takes_away(asking, texts):
    assert of_all(asking, POSTGRESQL.trimmed("t"), texts) == [text.strip() for text in texts]


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=8), min_size=1))
def test_a_literal_is_its_text_and_nothing_else(asking, texts):
    assert asking(f"SELECT {', '.join(map(POSTGRESQL.text, texts))}") == [tuple(texts)]


def test_a_text_with_nul_is_no_text_of_the_database(asking):
    assert asking(f"SELECT 'a' IN ({POSTGRESQL.text('a')}, {POSTGRESQL.text(chr(0))})") == [(True,)]
    assert asking(f"SELECT CASE WHEN 'b' = {POSTGRESQL.text(chr(0))} THEN 1 ELSE 2 END") == [(2,)]


def test_decimals_beyond_doubles_are_infinite_or_nothing(asking):
    texts = ["1e400", "-1e400", "1e-400", "0.1", "NaN", "123456789012345678901234567890.5", "1.7976931348623157e308"]
    listed = ", ".join(f"({place}, '{text}'::numeric)" for place, text in enumerate(texts))
    found = [row[0] for row in asking(f"SELECT {decimal('t')} FROM (VALUES {listed}) AS s (n, t) ORDER BY n")]
    assert str(found) == "[inf, -inf, 0.0, 0.1, nan, 1.2345678901234568e+29, 1.7976931348623157e+308]"


TYPES = """
create type colour as enum ('red', 'green');
create domain grade as text;
create collation if not exists loose (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
create table typed (
    n integer, truth boolean, small smallint, int integer, big bigint, narrow real, wide double precision,
    exact numeric, said text, padded char(5), word varchar(9), colour colour, grade grade, day date,
    at timestamp, moment timestamptz, clock time, id uuid, "Int" text, "a""b" text, loose text collate loose);
"""
ROW = {
    "n": 1,
    "truth": True,
    "small": -3,
    "int": 7,
    "big": 2**60 + 1,
    "narrow": 0.1,
    "wide": 1e-300,
    "exact": "12.50",
    "said": " é ",
    "padded": "ab",
    "word": "w",
    "colour": "green",
    "grade": "A",
    "day": dt.date(2024, 2, 29),
    "at": dt.datetime(2024, 2, 29, 23, 30, 0, 500_000),
    "moment": dt.datetime(2024, 2, 29, 23, 30, tzinfo=dt.timezone(dt.timedelta(hours=-9))),
    "clock": dt.time(8, 30),
    "id": UUID(int=5),
    "Int": "seven",
    'a"b': "quoted",
    "loose": "Abc",
}


@pytest.fixture(scope="module")
def filled(database):
    """A table with a column of every type, and two rows: one has no value."""
    with connected(database) as db:
        for statement in TYPES.split(";")[:-1]:
            db.execute(statement)
        db.execute(f"insert into typed values ({', '.join(['%s'] * len(ROW))})", list(ROW.values()))
        db.execute("insert into typed (n) values (2)")
    db.close()
    return database


@pytest.fixture
def typed(filled):
    """The same, asked by somebody who is used to other texts."""
    with connected(filled) as db:
        db.execute("alter role owner set timezone = 'Asia/Tokyo'")
        db.execute("alter role owner set datestyle = 'German, DMY'")
        db.execute("alter role owner set extra_float_digits = -10")
        db.execute("alter role owner set standard_conforming_strings = off")
        db.execute("alter role owner set client_encoding = 'latin1'")
        yield filled
        db.execute("alter role owner reset all")
    db.close()


def cells(rows, *names) -> dict[str, list]:
    """Cells of some columns, and their words, as an open source has them."""
    with rows.open(names, None, Problems("home"), careful=True) as relation:
        wanted = [sql for cell in relation.cells.values() for sql in (cell.sql, cell.words or "NULL")]
        found = relation.rows(f"SELECT {', '.join(wanted)} FROM {relation.source}")
    return {name: [row[2 * place : 2 * place + 2] for row in found] for place, name in enumerate(names)}


def test_values_of_every_type_have_the_texts_that_a_csv_would_say_whatever_the_role_has_set(typed, tmp_path):
    found = cells(opened(asked(typed, "select * from typed order by n"), tmp_path), *ROW)
    expected = {
        "n": (1.0, None),
        "truth": (1.0, None),
        "small": (-3.0, None),
        "int": (7.0, None),
        "big": (float(2**60), str(2**60 + 1)),
        "narrow": (0.1, None),
        "wide": (1e-300, None),
        "exact": (12.5, "12.50"),
        "said": (" é ", None),
        "padded": ("ab", None),
        "word": ("w", None),
        "colour": ("green", None),
        "grade": ("A", None),
        "day": ("2024-02-29", None),
        "at": ("2024-02-29 23:30:00.5", None),
        "moment": ("2024-03-01 08:30:00", None),
        "clock": ("08:30:00", None),
        "id": (str(UUID(int=5)), None),
        "Int": ("seven", None),
        'a"b': ("quoted", None),
        "loose": ("Abc", None),
    }
    assert {name: pair[0] for name, pair in found.items()} == expected
    del found["n"]
    assert all(pair[1] == (None, None) for pair in found.values())


def test_texts_are_compared_by_letters_whatever_the_collation(typed, tmp_path):
    """To the column's own collation `Abc` is `abc`."""
    data = Data(columns={"loose": category("abc", "x", missing="flag")})
    plan = counting(data, Statistic(name="n", kind="count", column="loose", by="loose"))
    found = rows_of(opened(asked(typed, "select loose from typed"), tmp_path), plan, "home").tally.columns[0]
    assert (found.values, found.missing, found.undeclared, found.case) == (1, 1, 1, 1)


@pytest.mark.parametrize(
    "value", ["'\\x00'::bytea", "'{}'::jsonb", "array[1]", "'1 day'::interval", "'1.2.3.4'::inet", "row(1)"]
)
def test_values_without_a_text_are_refused_by_their_columns_name(value, database, tmp_path):
    with pytest.raises(DataError, match=r"column 'age' holds values of type .*, which no text stands for"):
        cells(opened(asked(database, f"select {value} as age"), tmp_path), "age")


def test_names_are_the_querys_own_also_where_they_are_long_repeated_or_none(database, tmp_path):
    long = "x" * 63
    query = f'select 1 as "{long}", 2 as "a b", 3, 4 as "A", 5 as a, 6 as twice, 7 as twice -- "'
    rows = opened(asked(database, query), tmp_path)
    assert rows.names() == (long, "a b", "?column?", "A", "a", "twice", "twice")
    found = cells(rows, long, "a b", "A", "a")
    assert [pair[0][0] for pair in found.values()] == [1, 2, 4, 5]
    with pytest.raises(DataError, match="column 'twice' is there more than once"):
        cells(rows, "twice")
    layout = ("b", "c", "d", "e", "f", "g", "h")
    with rows.open(["h", "b"], layout, Problems("home"), careful=True) as relation:
        assert relation.rows(f"SELECT {relation.cells['h'].sql} FROM {relation.source}") == [(7.0,)]


NUMBERS = counting(
    Data(columns={"x": number(0, 100), "sex": category("f", "m")}),
    Statistic(name="sum", kind="sum", column="x"),
    Statistic(name="variance", kind="variance", column="x", by="sex"),
)


def test_products_that_underflow_add_nothing(database, tmp_path):
    """To the database they are errors."""
    query = "select * from (values (5e-324::float8, 'f'), (1e-310, 'f'), (1e-200, 'm'), (50, 'm')) as s (x, sex)"
    here = rows_of(opened(asked(database, query, "duckdb"), tmp_path), NUMBERS, "home")
    there = rows_of(opened(asked(database, query), tmp_path), NUMBERS, "home")
    assert there.sums.body() == here.sums.body()
    assert there.tally == here.tally
    assert sum(there.sums.steps["sum"]) > 0


def test_what_does_not_fit_is_counted_and_no_line_is_made_up(database, tmp_path):
    query = f"select x, 'f' as sex from (values ('1'), ('{HIDDEN}'), ('nan'), ('1,5')) as s (x)"
    said = fails(asked(database, query), tmp_path, NUMBERS)
    assert "column 'x', 2 rows: nan, inf or text where a number is expected" in said
    assert "column 'x', 1 row: a number with another decimal mark" in said
    assert "line" not in said
    gap = fails(asked(database, "select 1 as x, null as sex union all select 2, 'f'"), tmp_path, NUMBERS)
    assert "column 'sex' has no value in 1 row. hint" in gap
    assert "line" not in gap


@pytest.mark.parametrize("value", ["'NaN'::float8", "'Infinity'::float8", "'NaN'::numeric", "1e400::numeric"])
def test_a_number_that_is_none_is_refused(value, database, tmp_path):
    assert "inf where a number is expected" in fails(
        asked(database, f"select {value} as x, 'f' as sex"), tmp_path, NUMBERS
    )


@pytest.mark.parametrize("engine", ["duckdb", "postgresql"])
@pytest.mark.parametrize("kind", ["float8", "float4", "numeric", "text"])
@pytest.mark.parametrize("value", ["NaN", "-Infinity"])
def test_a_number_that_is_none_is_nobody(value, kind, engine, database, tmp_path):
    data = Data(
        person="id",
        columns={"id": Column(kind="ignore"), "x": number(0, 9)},
        reduce=Reduce(columns={"x": Reduced(kind="max")}),
    )
    query = f"select * from (values ('1'::{kind}, 1), ('{value}', 2), ('{value}', 3), ('2', 4)) as s (id, x)"
    spec = counting(data, Statistic(name="n", kind="count"))
    said = fails(asked(database, query, engine), tmp_path, spec)
    assert "column 'id', lines 2, 3: no person" in said or "column 'id', 2 rows: no person" in said


@pytest.mark.parametrize("engine", ["duckdb", "postgresql"])
def test_behind_a_day_stands_a_time_of_day_at_most_and_no_day_is_before_christ(engine, database, tmp_path):
    spec = counting(days.plan("%d.%m.%Y"), Statistic(name="n", kind="sum", column="n"))

    def query(texts):
        return asked(database, f"select * from (values {', '.join(f'({text})' for text in texts)}) as s (d)", engine)

    told = rows_of(opened(query(map(POSTGRESQL.text, days.DAYS)), tmp_path), spec, "home").tally
    assert (told.used, told.columns[0].values, told.columns[0].below, told.columns[0].above) == (
        len(days.DAYS),
    ) * 2 + (0, 0)
    said = fails(query(map(POSTGRESQL.text, days.WRONG)), tmp_path, spec)
    assert f"column 'd', {len(days.WRONG)} rows: no date" in said or f"and {len(days.WRONG) - 5} more: no date" in said
    for kind in ("date", "timestamp", "timestamptz"):
        said = fails(query([f"'0044-03-15 BC'::{kind}"]), tmp_path, spec)
        # The driver has no such days.
        assert ("column 'd', 1 row: no date" if engine == "postgresql" else "did not give the rows") in said


def test_errors_of_the_database_quote_no_value_and_no_address(database, tmp_path):
    bad = asked(database, f"select '{HIDDEN}'::integer as x, 'f' as sex")
    assert "the database did not give the rows (InvalidTextRepresentation)" in fails(bad, tmp_path, NUMBERS)
    assert "(UndefinedTable)" in fails(asked(database, f'select * from "{HIDDEN}"'), tmp_path, NUMBERS)
    assert "(OperationalError: it does not take this user's password)" in fails(
        asked(database, "select 1", user="nobody"), tmp_path, NUMBERS
    )
    closed = Source(url=Secret(b"postgresql://u@127.0.0.1:1/d"), query="select 1", engine="postgresql")
    assert "(OperationalError: nothing listens at its host and port)" in fails(closed, tmp_path, NUMBERS)


@pytest.mark.parametrize(
    "query",
    [
        "with gone as (delete from kept returning *) select * from gone",
        "select * into taken from kept",
        "select nextval('counter') as x, 'f' as sex",
        "select x, 'f' as sex from kept where set_config('transaction_read_only', 'off', true) is not null",
        "select 1 as x) as source_ limit 0; delete from kept; select * from (select 1",
    ],
)
def test_a_query_cannot_write(query, database, tmp_path, asking):
    with connected(database) as db:
        db.execute("create table if not exists kept (x integer)")
        db.execute("create sequence if not exists counter")
        db.execute("truncate kept")
        db.execute("insert into kept values (1)")
    db.close()
    kind = UsageError if ";" in query else DataError
    said = fails(asked(database, query), tmp_path, NUMBERS, kind)
    assert "the database did not give the rows (" in said or "more than one statement" in said
    assert asking("select count(*), to_regclass('taken') from kept") == [(1, None)]
    assert asking("select is_called from counter") == [(False,)]


def test_words_of_a_plan_are_names_and_literals_alone(database, tmp_path):
    hostile = (
        "'); drop table words; --",
        "\\'; select 1",
        "$$",
        "a\\",
        "%s %(x)s :x ?",
        "é\U0001f600",
        "/*",
        "$1",
        "\\0",
    )
    name = "x'\"; drop table words; %s"
    with connected(database) as db:
        db.execute("create table words (v text)")
        db.cursor().executemany("insert into words values (%s)", [(text,) for text in hostile])
        db.execute('create view spoken as select v as "x\'""; drop table words; %s" from words')
    db.close()
    data = Data(columns={name: category(*hostile)})
    plan = counting(data, Statistic(name="n", kind="count", column=name, by=name))
    found = rows_of(opened(asked(database, "select * from spoken"), tmp_path), plan, "home")
    step = found.sums.steps["n"][0]
    assert found.sums.steps["n"] == [step] * len(hostile) + [0]
    assert step > 0


def test_more_columns_than_the_database_takes_are_told_as_such(database, tmp_path):
    names = [f"x{place}" for place in range(400)]
    data = Data(columns={name: number(0, 1) for name in names})
    plan = counting(data, Statistic(name="n", kind="mean", column="x1"))
    texts, numbers = (f"select {', '.join(f'{one} as {name}' for name in names)}" for one in ("'1'", "1"))
    assert "more columns than PostgreSQL takes in one query" in fails(asked(database, texts), tmp_path, plan)
    assert rows_of(opened(asked(database, numbers), tmp_path), plan, "home").tally.used == 1


def test_rows_to_train_on_are_fetched_some_at_a_time_and_no_more_than_allowed(database, tmp_path):
    columns = {"x": number(0, 10), "num": category("0", "1")}
    plan = train("none", data=Data(columns=columns, max_rows=15_000, target=Target(column="num", positive=("1",))))
    endless = "select generate_series(1, 2000000000) as x, '1' as num"
    assert "has more rows than data.max_rows (15000)" in fails(asked(database, endless), tmp_path, plan)
    query = "select n % 10 as x, (n % 2)::text as num from generate_series(1, 15000) as n"
    table = read(opened(asked(database, query), tmp_path), plan, "home")
    assert table.rows == 15_000
    assert np.array_equal(table.target, np.arange(1, 15_001) % 2)


def test_a_database_that_is_not_in_utf_8_is_refused_with_what_to_do(database, tmp_path):
    with connected(database) as db:
        db.execute("create database latin template template0 encoding 'latin1' locale 'C'")
    db.close()
    said = fails(asked(database, "select 1 as x, 'f' as sex", base="latin"), tmp_path, NUMBERS, UsageError)
    assert "is not in UTF-8" in said
    assert "leave source.engine out" in said
    fetched = asked(database, "select 1 as x, 'f' as sex", "duckdb", base="latin")
    assert rows_of(opened(fetched, tmp_path), NUMBERS, "home").tally.used == 1


def test_an_address_of_another_database_is_refused(tmp_path):
    (tmp_path / "rows.sqlite").write_bytes(b"")
    source = Source(url=Secret(b"sqlite:///rows.sqlite"), query="select 1", engine="postgresql")
    assert "source.url is no address of PostgreSQL" in fails(source, tmp_path, NUMBERS, UsageError)


def test_an_engine_goes_with_a_query():
    with pytest.raises(UsageError, match=r'source\.engine = "spark" goes with a query'):
        parse('version = 1\n[source]\nfile = "rows.csv"\nengine = "spark"', "policy.toml")
    with pytest.raises(UsageError, match="engine"):
        parse('version = 1\n[source]\nurl = "x"\nquery = "select 1"\nengine = "oracle"', "policy.toml")
