"""Sources that somebody else may have made: bombs, odd names, links, paths. They are refused, or harmless."""

import contextlib
import sqlite3

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from potluck.core.errors import DataError
from potluck.core.plan import Data
from potluck.learning.data import source as sources
from potluck.learning.data.sources import csv_file
from potluck.learning.data.table import read
from potluck.owner.policy import Source
from potluck.owner.source import open_source
from potluck.secret.container import Secret
from support.learning.sums import category, number, stats

SMALL = 64 << 20
NAME = "x\"; drop table rows; select '1"


def found(source, columns, folder, **data):
    rows = open_source(source, folder, Data(max_rows=100, **data), "home") if isinstance(source, Source) else source
    return {name: values.tolist() for name, values in read(rows, stats(columns), "home").columns.items()}


def as_csv(frame, folder):
    frame.to_csv(folder / "rows.csv", index=False)
    return Source(file="rows.csv")


def as_parquet(frame, folder):
    frame.to_parquet(folder / "rows.parquet", index=False)
    return Source(file="rows.parquet")


def as_sqlite(frame, folder):
    with contextlib.closing(sqlite3.connect(folder / "rows.sqlite")) as made, made:
        frame.to_sql("rows", made, index=False)
    return Source(url=Secret(b"sqlite:///rows.sqlite"), query="select * from rows")


def as_duckdb(frame, folder):
    with contextlib.closing(duckdb.connect(str(folder / "rows.duckdb"))) as made:
        made.register("given", pa.Table.from_pandas(frame))
        made.execute("CREATE TABLE rows AS SELECT * FROM given")
    return Source(url=Secret(b"duckdb:///rows.duckdb"), query="SELECT * FROM rows")


KINDS = {
    "csv": as_csv,
    "parquet": as_parquet,
    "sqlite": as_sqlite,
    "duckdb": as_duckdb,
    "pandas": lambda frame, folder: frame,
    "polars": lambda frame, folder: pl.from_pandas(frame),
    "arrow": lambda frame, folder: pa.Table.from_pandas(frame),
}


@pytest.mark.parametrize("kind", KINDS)
def test_names_and_values_are_never_run(kind, tmp_path, monkeypatch):
    monkeypatch.setattr(csv_file, "FEW", 0)
    value = "a'); drop table rows; --"
    frame = pd.DataFrame({NAME: [1, 2], "y' || error('z') || '": [value, "b"], "c0": [8, 9], "line": [5, 6]})
    source = KINDS[kind](frame, tmp_path)
    columns = {NAME: number(0, 9), "y' || error('z') || '": category("b", value), "line": number(0, 9)}
    assert found(source, columns, tmp_path) == {
        NAME: [1, 2],
        "y' || error('z') || '": [1, 0],
        "line": [5, 6],
    }


@pytest.mark.parametrize("kind", ["csv", "parquet", "pandas", "polars", "arrow"])
def test_so_many_columns_are_refused_by_their_number(kind, tmp_path, monkeypatch):
    monkeypatch.setattr(sources, "MOST_COLUMNS", 50)
    source = KINDS[kind](pd.DataFrame({f"c{place}": [1] for place in range(51)}), tmp_path)
    with pytest.raises(DataError, match="has more than 50 columns"):
        found(source, {"c7": number(0, 9)}, tmp_path)


@pytest.mark.slow
def test_a_hundred_thousand_columns_are_the_most(tmp_path):
    assert sources.MOST_COLUMNS == 100_000
    pq.write_table(pa.table({f"c{place}": [1] for place in range(100_001)}), tmp_path / "rows.parquet")
    with pytest.raises(DataError, match="has more than 100,000 columns"):
        found(Source(file="rows.parquet"), {"c7": number(0, 9)}, tmp_path)


def test_a_parquet_file_of_a_few_kilobytes_does_not_become_gigabytes(tmp_path):
    path = tmp_path / "rows.parquet"
    pq.write_table(pa.table({"x": ["a" * 100_000_000]}), path, compression="zstd", write_statistics=False)
    assert path.stat().st_size < 20_000
    with pytest.raises(DataError, match=r"needs more memory than source\.memory"):
        found(Source(file="rows.parquet", memory=SMALL), {"x": category("a")}, tmp_path)
    pq.write_table(pa.table({"x": np.ones(2_000_000)}), path, compression="zstd")
    assert path.stat().st_size < 50_000
    with pytest.raises(DataError, match=r"more rows than data\.max_rows"):
        found(Source(file="rows.parquet", memory=SMALL), {"x": number(0, 9)}, tmp_path)


def test_a_parquet_file_that_is_cut_or_changed_is_refused(tmp_path):
    path = tmp_path / "rows.parquet"
    pq.write_table(pa.table({"x": list(range(10_000))}), path, compression="zstd")
    whole = path.read_bytes()
    changed = bytearray(whole)
    changed[30:60] = bytes(30)
    for spoilt in (whole[:-10], whole[: len(whole) // 2], whole[100:], bytes(changed), b"PAR1" * 10, b""):
        path.write_bytes(spoilt)
        with pytest.raises(DataError, match="cannot be read as Parquet"):
            read(open_source(Source(file="rows.parquet"), tmp_path, Data(), "home"), stats({"x": number(0, 9)}), "home")


def test_a_path_is_the_owners_to_name_and_a_plan_names_none(tmp_path):
    """Only the policy says where rows are. It may name any file, as its owner may read any."""
    policy = tmp_path / "site"
    policy.mkdir()
    (tmp_path / "rows.csv").write_text("x\n1\n")
    (policy / "rows.csv").write_text("x\n2\n")
    hostile = {"files": {"home": "../rows.csv"}}
    assert found(Source(file="rows.csv"), {"x": number(0, 9)}, policy, **hostile) == {"x": [2]}
    for name in ("../rows.csv", str(tmp_path / "rows.csv")):
        assert found(Source(file=name), {"x": number(0, 9)}, policy) == {"x": [1]}


def test_a_link_to_a_parquet_file_leads_to_one_file(tmp_path):
    away = tmp_path / "away"
    away.mkdir()
    pq.write_table(pa.table({"x": [1]}), away / "data")
    (tmp_path / "rows.parquet").symlink_to(away / "data")
    assert found(Source(file="rows.parquet"), {"x": number(0, 9)}, tmp_path) == {"x": [1]}
    (tmp_path / "gone.parquet").symlink_to("nowhere")
    with pytest.raises(DataError, match="no such file"):
        found(Source(file="gone.parquet"), {"x": number(0, 9)}, tmp_path)


@pytest.mark.parametrize("name", ["a*.parquet", "a[bc].parquet", "o'clock.parquet", "x=9.parquet"])
def test_a_path_names_one_parquet_file_whatever_letters_it_has(name, tmp_path):
    pq.write_table(pa.table({"x": [9, 9]}), tmp_path / "ab.parquet")
    pq.write_table(pa.table({"x": [1]}), tmp_path / name)
    assert found(Source(file=name), {"x": number(0, 9)}, tmp_path) == {"x": [1]}


@pytest.mark.parametrize("kind", KINDS)
def test_formulas_are_texts_in_every_source(kind, tmp_path):
    source = KINDS[kind](pd.DataFrame({"c": ["=1+1", "@SUM(1)", "-2+3"], "x": ["=1+1", "1", "2"]}), tmp_path)
    assert found(source, {"c": category("=1+1", "-2+3")}, tmp_path) == {"c": [0, -1, 1]}
    with pytest.raises(DataError, match="nan, inf or text where a number is expected"):
        found(source, {"x": number(0, 9)}, tmp_path)
