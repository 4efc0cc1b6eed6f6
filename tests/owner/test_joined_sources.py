"""A second table may be a source of any kind, whatever kind the rows are."""

import contextlib
import sqlite3
from itertools import product

import duckdb
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from potluck.core.plan import Data, Statistic
from potluck.core.tables.derived import Join
from potluck.dp.mechanism import mechanism
from potluck.learning.data.joining import joined
from potluck.learning.data.source import limits_of, opened
from potluck.learning.data.table import read
from potluck.learning.statistics.read import read as read_sums
from potluck.learning.statistics.statistics import StatisticsTask
from potluck.owner.policy import Source
from potluck.owner.source import open_source
from potluck.secret.container import Secret
from support.learning.sums import category, number, replaced, stats

ROWS = pd.DataFrame({"patient": ["a", "b", "c", "a"], "x": [1.0, 2.0, 3.0, 4.0]})
LABS = pd.DataFrame({"id": ["a", "c", "d"], "lab": [5.0, 6.0, 7.0], "sex": ["f", "m", "f"]})
COLUMNS = {"x": number(-10, 10), "lab": number(-50, 50, "flag"), "sex": category("f", "m", missing="flag")}
WANTED = (
    Statistic(name="x", kind="mean", column="x", by="sex"),
    Statistic(name="lab", kind="variance", column="lab"),
)
PLAN = replaced(
    stats({}, *WANTED),
    data=Data(columns=COLUMNS, join=Join(table="labs", on="patient", to="id", columns=("lab", "sex"))),
)
SELECT = "select * from {}"
OURS = ("taken", "joined", "stream", "typed", "source", "mine", "both_", "potluck_second_table")
KINDS = {
    "csv": Source(file="{}.csv"),
    "parquet": Source(file="{}.parquet"),
    "duckdb": Source(url=Secret(b"duckdb:///both.duckdb"), query=SELECT),
    "sqlite": Source(url=Secret(b"sqlite:///both.sqlite"), query=SELECT),
    "pandas": lambda frame: frame,
    "polars": pl.from_pandas,
    "lazy": lambda frame: pl.from_pandas(frame).lazy(),
    "arrow": pa.Table.from_pandas,
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Both tables in each kind of file. In the databases are tables that are called as ours might be."""
    made = tmp_path_factory.mktemp("both")
    with (
        contextlib.closing(duckdb.connect(str(made / "both.duckdb"))) as first,
        contextlib.closing(sqlite3.connect(made / "both.sqlite")) as second,
        second,
    ):
        for name, frame in (("rows", ROWS), ("labs", LABS)):
            frame.to_csv(made / f"{name}.csv", index=False)
            frame.to_parquet(made / f"{name}.parquet")
            frame.to_sql(name, second, index=False)
            first.register("given", pa.Table.from_pandas(frame))
            first.execute(f"CREATE TABLE {name} AS SELECT * FROM given")
            first.unregister("given")
        for name in OURS:
            first.execute(f"CREATE TABLE {name} AS SELECT * FROM rows")
    return made


@pytest.mark.parametrize("name", OURS)
def test_an_owners_table_is_read_whatever_its_name(name, folder):
    rows = open_source(replaced(KINDS["duckdb"], query=SELECT.format(name)), folder, Data(), "home")
    both = joined(rows, source("csv", "labs", LABS, folder), PLAN.data, "home")
    assert read(both, PLAN, "home").columns["x"].tolist() == [1.0, 2.0, 3.0, 4.0]


def source(kind, name, frame, folder):
    found = KINDS[kind]
    if not isinstance(found, Source):
        return opened(found(frame), "home", limits_of(PLAN.data))
    words = {word: text.format(name) for word in ("file", "query") if (text := getattr(found, word)) is not None}
    return open_source(replaced(found, **words), folder, Data(), "home")


def check(rows, table, folder):
    both = joined(source(rows, "rows", ROWS, folder), source(table, "labs", LABS, folder), PLAN.data, "home")
    found = {name: values.tolist() for name, values in read(both, PLAN, "home").columns.items()}
    assert repr(found) == "{'x': [1.0, 2.0, 3.0, 4.0], 'lab': [5.0, nan, 6.0, 5.0], 'sex': [0.0, nan, 1.0, 0.0]}"
    sums = read_sums(both, PLAN, "home", mechanism(PLAN, next(StatisticsTask(PLAN).lead())).grid).sums
    steps = {part.name: part.step for part in sums.grid.parts}
    # By sex (f, m, another): rows, and their numbers on [-1, 1].
    expected = (2, 0.5, 1, 0.3, 0, 0)
    assert [step * steps["x"] for step in sums.steps["x"]] == pytest.approx(expected, abs=1e-9)
    assert sums.counted == {"x": 3, "lab": 3}


@pytest.mark.parametrize(("rows", "table"), list(zip(KINDS, [*KINDS][1:] + [*KINDS][:1], strict=True)))
def test_a_table_of_one_kind_is_joined_to_rows_of_another(rows, table, folder):
    check(rows, table, folder)


@pytest.mark.slow
@pytest.mark.parametrize(("rows", "table"), list(product(KINDS, KINDS)))
def test_any_two_kinds_are_joined(rows, table, folder):
    check(rows, table, folder)
