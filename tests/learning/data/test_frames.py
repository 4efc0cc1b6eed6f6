"""Frames of every kind say what the same values say in a Parquet file, and are not turned into Python's objects."""

import datetime as dt
from decimal import Decimal

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from potluck.core.errors import DataError, UsageError
from potluck.core.plan import Data, Target
from potluck.learning.data.problems import Problems
from potluck.learning.data.source import opened
from potluck.learning.data.sources import arrow, memory
from potluck.learning.data.sql import duck
from potluck.learning.data.sql.relation import Limits
from potluck.learning.data.table import read
from potluck.owner import source as _source  # noqa: F401  Parquet is a kind of source that owners have
from support.learning.sums import category, make, number, replaced, stats

HIDDEN = "s3cr3t-31337"
TOKYO = dt.timezone(dt.timedelta(hours=9))
TYPED = {
    "whole": pa.array([2**60 + 1, None, -7], pa.int64()),
    "unsigned": pa.array([2**64 - 1, None, 0], pa.uint64()),
    "tiny": pa.array([1, None, -1], pa.int8()),
    "double": pa.array([0.1, None, -0.0], pa.float64()),
    "narrow": pa.array([0.1, None, 1e-3], pa.float32()),
    "truth": pa.array([True, None, False]),
    "text": pa.array(["é, \"x\"\n", None, " 7 "]),
    "large": pa.array(["u", None, "v"], pa.large_string()),
    "view": pa.array(["u", None, "a text that is longer than twelve letters"], pa.string_view()),
    "coded": pa.array(["u", None, "v"]).dictionary_encode(),
    "numbers": pa.array([5, None, 6]).dictionary_encode(),
    "decimal": pa.array([Decimal("1.50"), None, Decimal("-0.05")], pa.decimal128(9, 2)),
    "day": pa.array([dt.date(1, 1, 1), None, dt.date(9999, 12, 31)]),
    "moment": pa.array([dt.datetime(2024, 1, 1, 0, 30, 0, 500000), None, dt.datetime(1960, 2, 29)]),
    "zoned": pa.array([dt.datetime(2024, 1, 1, 0, 30, tzinfo=TOKYO), None, dt.datetime(2024, 1, 1, 9, tzinfo=TOKYO)]),
    "nanoseconds": pa.array([1, None, 10**18], pa.timestamp("ns")),
    "time": pa.array([dt.time(23, 59, 59, 250000), None, dt.time(0)]),
    "nothing": pa.nulls(3),
}  # fmt: skip
SAID = {
    "whole": [str(2**60 + 1), None, "-7"],
    "unsigned": [str(2**64 - 1), None, "0"],
    "decimal": ["1.50", None, "-0.05"],
    "tiny": [1, None, -1],
    "double": [0.1, None, -0.0],
    "narrow": [0.1, None, 0.001],
    "truth": [1, None, 0],
    "text": ["é, \"x\"\n", None, " 7 "],
    "large": ["u", None, "v"],
    "view": ["u", None, "a text that is longer than twelve letters"],
    "coded": ["u", None, "v"],
    "numbers": ["5", None, "6"],
    "day": ["0001-01-01", None, "9999-12-31"],
    "moment": ["2024-01-01 00:30:00.5", None, "1960-02-29 00:00:00"],
    "zoned": ["2023-12-31 15:30:00", None, "2024-01-01 00:00:00"],
    "nanoseconds": ["1970-01-01 00:00:00.000000001", None, "2001-09-09 01:46:40"],
    "time": ["23:59:59.25", None, "00:00:00"],
    "nothing": [None, None, None],
}  # fmt: skip


def said(source, *names) -> dict[str, list]:
    """The cells of some columns: a text where it says more than the number."""
    with opened(source, "home").open(names, None, Problems("home"), careful=True) as relation:
        wanted = ", ".join(f"{one.words or one.sql} AS c{k}" for k, one in enumerate(relation.cells.values()))
        rows = relation.rows(f"SELECT {wanted} FROM {relation.source}")
    return dict(zip(names, map(list, zip(*rows, strict=True)), strict=True))


def as_parquet(table, folder):
    pq.write_table(table, folder / "rows.parquet")
    return folder / "rows.parquet"


FRAMES = {
    "arrow": lambda table, _: table,
    "chunks": lambda table, _: pa.Table.from_batches([*table.to_batches(), *table.slice(0, 0).to_batches()]),
    "polars": lambda table, _: pl.from_arrow(table),
    "lazy polars": lambda table, _: pl.from_arrow(table).lazy(),
    "relation": lambda table, _: duckdb.from_arrow(table),
    "parquet": as_parquet,
}


@pytest.mark.parametrize("kind", FRAMES)
def test_values_of_every_type_are_said_alike_by_every_kind_of_frame(kind, tmp_path, monkeypatch):
    monkeypatch.setattr(arrow, "CHUNK", 2)
    for name, array in TYPED.items():
        if (kind, name) == ("relation", "numbers"):
            continue  # DuckDB itself takes no dictionaries of numbers into a relation by this name
        source = FRAMES[kind](pa.table({name: array, "other": [[1], [2], [3]]}), tmp_path)
        assert said(source, name) == {name: SAID[name]}, (kind, name)


def test_a_frame_of_pandas_says_the_same(monkeypatch):
    monkeypatch.setattr(memory, "CHUNK", 2)
    nullable = {"whole": "Int64", "unsigned": "UInt64", "tiny": "Int8", "truth": "boolean"}
    for name, array in TYPED.items():
        values = array.to_pandas()
        series = pd.array(array.to_pylist(), dtype=nullable[name]) if name in nullable else values
        found = said(pd.DataFrame({name: series}), name)[name]
        words = [None if one is None else float(one) for one in found] if name in ("tiny", "numbers") else found
        expected = [None if one is None else float(one) for one in SAID[name]] if name == "numbers" else SAID[name]
        assert words == expected, name


def test_half_floats_are_read_by_their_shortest_text():
    table = pa.table({"x": pa.array([np.float16(0.1), None, np.float16(65504)], pa.float16())})
    assert said(table, "x") == {"x": [0.1, None, 65500.0]}
    assert said(pd.DataFrame({"x": np.array([0.1], np.float16)}), "x") == {"x": [0.1]}


@pytest.mark.parametrize("make_frame", [pd.DataFrame, pl.DataFrame, pa.table, lambda one: pl.LazyFrame(one)])
@pytest.mark.parametrize("words", [("1", "0"), ("True", "False"), ("true", "false"), ("TRUE", "FALSE")])
def test_true_and_false_are_met_by_their_numbers_and_by_their_words(make_frame, words):
    columns = {"b": [True, False, True, None]}
    spec = stats({"b": category(*words, missing="flag")})
    found = read(make_frame(columns), spec, "home").columns["b"].tolist()
    assert found[:3] == [0, 1, 0]
    assert np.isnan(found[3])
    target = make(
        data=Data(columns={"b": category(*words, missing="drop")}, target=Target(column="b", positive=words[:1]))
    )
    assert read(make_frame(columns), target, "home").target.tolist() == [1, 0, 1]


def test_where_a_number_is_declared_the_word_for_true_is_a_value_of_its_own():
    spec = stats({"b": category("1", "0", "True")})
    assert read(pd.DataFrame({"b": [True, False]}), spec, "home").columns["b"].tolist() == [0, 1]


def test_true_and_false_are_numbers_where_numbers_are_declared():
    for frame in (pd.DataFrame({"b": [True, False]}), pl.DataFrame({"b": [True, False]}), np.array([[True], [False]])):
        assert read(frame, stats({"b": number(0, 1)}), "home").columns["b"].tolist() == [1, 0]


def test_nan_is_no_value_to_pandas_alone():
    spec = stats({"x": number(0, 1, "flag")})
    assert np.isnan(read(pd.DataFrame({"x": [float("nan")]}), spec, "home").columns["x"]).all()
    for frame in (pl.DataFrame({"x": [0.5, float("nan")]}), pa.table({"x": [0.5, float("nan")]})):
        with pytest.raises(DataError, match=r"column 'x', line 2: nan or inf where a number is expected"):
            read(frame, spec, "home")


@pytest.mark.parametrize("decimal", [".", ","])
def test_numbers_of_frames_have_no_decimal_mark(decimal):
    """Also of columns whose numbers are Python's: an exact Decimal, or a float among texts."""
    spec = replaced(stats({}), data=Data(decimal=decimal, columns={"x": number(0, 10)}))
    exact = {"x": [Decimal("1.5"), Decimal("2")]}
    mixed = pd.DataFrame({"x": pd.Series([1.5, "2"], dtype=object)})
    for frame in (pd.DataFrame(exact), pl.DataFrame(exact), pa.table(exact), mixed, pd.DataFrame({"x": [1.5, 2]})):
        assert read(frame, spec, "home").columns["x"].tolist() == [1.5, 2]


def test_columns_are_told_apart_whatever_their_names():
    """To DuckDB `Age` is `age`, and a second one is `age_1`: here they are taken by their places."""
    table = pa.table({"age": [1], "Age": [2], "age_1": [3], 'x"; drop table y; --': [4]})
    for frame in (table, pl.from_arrow(table), duckdb.from_arrow(table.select(["age"]))):
        for name, expected in zip(table.column_names, (1, 2, 3, 4), strict=True):
            if name in opened(frame, "home").names():
                assert list(map(int, said(frame, name)[name])) == [expected]


def test_a_column_by_place_is_taken_where_the_plan_has_no_header():
    with opened(pl.DataFrame({"a": [1], "b": [2]}), "home").open(["y"], ["x", "y"], Problems("home"), True) as relation:
        assert relation.rows(f"SELECT {relation.cells['y'].sql} FROM {relation.source}") == [(2,)]


@pytest.mark.parametrize(
    "frame",
    [
        pl.DataFrame({"x": [[1], [2]]}),
        pa.table({"x": [{"y": 1}]}),
        pa.table({"x": [b"31337"]}),
        pd.DataFrame({"x": [b"31337"]}),
        pd.DataFrame({"x": [["31337"]]}),
    ],
)
def test_values_that_no_text_stands_for_are_refused_by_their_columns_name(frame):
    with pytest.raises(DataError, match="column 'x' holds values of type") as caught:
        read(frame, stats({"x": number(0, 1)}), "home")
    assert "31337" not in str(caught.value)


def test_a_stream_that_can_be_read_but_once_is_refused():
    reader = pa.table({"x": [1]}).to_reader()
    with pytest.raises(UsageError, match=r"read but once.*read_all"):
        opened(reader, "home")


def test_what_is_no_table_is_refused():
    for one in (pl.Series([1]), pa.chunked_array([[1]])):
        with pytest.raises(DataError, match="cannot be read as an Arrow stream"):
            read(one, stats({"x": number(0, 1)}), "home")
    with pytest.raises(UsageError, match="rows cannot be read from a set"):
        opened({1}, "home")


def test_errors_of_what_computes_a_frame_quote_no_value():
    text = pl.LazyFrame({"x": [HIDDEN]}).select(pl.col("x").cast(pl.Int64))
    relation = duckdb.sql(f"SELECT CAST(x AS INTEGER) AS x FROM (VALUES ('{HIDDEN}')) AS t(x)")
    for frame in (text, relation):
        with pytest.raises(DataError, match="cannot be read as an Arrow stream") as caught:
            read(frame, stats({"x": number(0, 1)}), "home")
        assert HIDDEN not in str(caught.value)
        assert caught.value.__suppress_context__


def test_a_lazy_frame_computes_what_is_wanted_alone():
    def refused(_):
        raise TypeError("computed")

    lazy = pl.LazyFrame({"x": [1, 2], "y": [3, 4]}).with_columns(
        pl.col("y").map_batches(refused, return_dtype=pl.Int64)
    )
    assert said(lazy, "x") == {"x": ["1", "2"]}
    with pytest.raises(DataError):
        said(lazy, "y")


def test_a_frame_may_be_read_again_and_is_not_changed():
    frame = pl.DataFrame({"x": [1.0, 2.0, 3.0]})
    rows = opened(frame, "home", Limits(10))
    assert said(rows, "x") == said(rows, "x") == {"x": [1, 2, 3]}
    assert frame["x"].to_list() == [1, 2, 3]


@pytest.mark.parametrize("zone", [None, "UTC", "Europe/Berlin"])
def test_moments_with_a_zone_are_said_in_utc_whatever_their_unit(zone, tmp_path):
    for unit in ("s", "ms", "us", "ns"):
        moments = pa.table({"x": pa.array([1_600_000_000, None, 0], pa.timestamp("s")).cast(pa.timestamp(unit, zone))})
        for kind, make_frame in FRAMES.items():
            found = said(make_frame(moments, tmp_path), "x")["x"]
            assert found == ["2020-09-13 12:26:40", None, "1970-01-01 00:00:00"], (kind, unit)


BEYOND = {
    "seconds": pa.table({"x": pa.array([0, None, 10**13], pa.timestamp("s"))}),
    "milliseconds": pa.table({"x": pa.array([0, None, -(2**62)], pa.timestamp("ms"))}),
    "zone": pa.table({"x": pa.array([0, None, 2**62], pa.timestamp("ms", "UTC"))}),
    "time": pa.table({"x": pa.array([0, None, -1], pa.time32("s"))}),
    "nanoseconds": pa.table({"x": pa.array([0, None, 2**62], pa.time64("ns"))}),
    "pandas": pd.DataFrame({"x": np.array([0, 1, 2**62], "M8[s]")}),
    "array": np.array([[0], [1], [2**62]], "M8[ms]"),
}


@pytest.mark.parametrize("kind", BEYOND)
def test_a_moment_that_is_in_no_calendar_is_refused_and_others_are_read_afterwards(kind, tmp_path):
    with pytest.raises(DataError, match=r"column '[x0]', line 3: a moment that is in no calendar"):
        said(BEYOND[kind], "0" if kind == "array" else "x")
    (tmp_path / "rows.csv").write_text("x\nu\n")
    assert said(tmp_path / "rows.csv", "x") == {"x": ["u"]}


def test_a_fault_of_the_engine_is_told_and_others_are_read_afterwards(tmp_path, monkeypatch):
    """Whatever breaks its database: here a moment that nobody has looked at."""
    monkeypatch.setattr(duck, "_in_calendar", lambda *_: None)
    with pytest.raises(DataError, match=r"cannot be read \(InternalException\)"):
        said(BEYOND["seconds"], "x")
    (tmp_path / "rows.csv").write_text("x\nu\n")
    assert said(tmp_path / "rows.csv", "x") == {"x": ["u"]}


UNKNOWN = {
    "wide decimal": pa.table({"x": pa.array([1, 0]).cast(pa.decimal256(60, 2))}),
    "decimal of hundreds": pa.table({"x": pa.array([100]).cast(pa.decimal128(20, 0)).cast(pa.decimal128(5, -2))}),
    "union": pa.table(
        {"x": pa.UnionArray.from_dense(pa.array([0], pa.int8()), pa.array([0], pa.int32()), [pa.array([1])])}
    ),
}


@pytest.mark.parametrize("kind", UNKNOWN)
def test_types_that_the_engine_does_not_know_are_refused_by_their_columns_name(kind):
    with pytest.raises(DataError, match="column 'x' holds values of type"):
        said(UNKNOWN[kind], "x")
    assert said(pa.table({"x": ["u"]}), "x") == {"x": ["u"]}


@pytest.mark.parametrize("unit", ["Y", "M", "W", "D", "h", "m", "s", "25s", "ms", "us", "ns", "ps"])
def test_moments_of_an_array_are_what_numpy_says_in_whatever_steps(unit):
    moments = np.array([["1970-01-01"], ["NaT"], ["1970-03-01"]], "M8[s]").astype(f"M8[{unit}]")
    expected = [str(one)[:19].replace("T", " ") for one in moments[[0, 2], 0].astype("M8[s]")]
    assert said(moments, "0") == {"0": [expected[0], None, expected[1]]}


def test_steps_of_no_certain_length_and_moments_beyond_any_are_refused_by_their_column():
    with pytest.raises(DataError, match=r"column '0' holds values of type timedelta64\[Y\]"):
        said(np.array([[1]], "m8[Y]"), "0")
    with pytest.raises(DataError, match=r"column '0' holds a moment that is in no calendar"):
        said(np.array([[2**60]], "M8[D]"), "0")
    assert said(np.array([[36]], "m8[h]"), "0") == {"0": ["36:00:00"]}


@pytest.mark.parametrize("make_frame", [lambda cells: pd.DataFrame({"0": pd.Series(cells, dtype=object)}),
                                        lambda cells: np.array([[cell] for cell in cells], dtype=object)])  # fmt: skip
def test_half_a_letter_is_refused_by_its_line_and_not_repeated(make_frame):
    with pytest.raises(DataError, match="column '0', line 3: half of a letter") as caught:
        said(make_frame(["a", None, "\ud800" + HIDDEN]), "0")
    assert HIDDEN not in str(caught.value)
    assert "ud800" not in ascii(str(caught.value))
    assert caught.value.__suppress_context__


def test_a_decimal_that_may_not_be_compared_is_no_value():
    frame = pd.DataFrame({"x": pd.Series([Decimal("sNaN"), Decimal("NaN"), Decimal("1.50"), None, "u"], dtype=object)})
    assert said(frame, "x") == {"x": [None, None, "1.50", None, "u"]}


def test_narrow_floats_among_other_values_are_their_shortest_texts():
    values = [np.float32(0.1), np.float16(0.1), np.float64(0.1), np.longdouble("0.1"), np.int8(7), np.bool_(True), "u"]
    frame = pd.DataFrame({"x": pd.Series(values, dtype=object)})
    assert said(frame, "x") == {"x": ["0.1", "0.1", "0.1", "0.1", "7", "1", "u"]}


def test_true_and_false_of_a_categorical_are_met_by_their_words_too():
    frame = pd.DataFrame({"b": pd.Categorical([True, False, None])})
    found = read(frame, stats({"b": category("True", "False", missing="flag")}), "home").columns["b"].tolist()
    assert found[:2] == [0, 1]
    assert np.isnan(found[2])
    assert said(pd.DataFrame({"b": pd.Categorical(["u", "v"])}), "b") == {"b": ["u", "v"]}


def test_blanks_around_a_label_are_no_part_of_it():
    assert said(pd.DataFrame({" x ": [1.5]}), "x") == {"x": [1.5]}
    with pytest.raises(DataError, match="column 'x' is there more than once"):
        said(pd.DataFrame({" x ": [1.5], "x": [2.5]}), "x")


def test_what_is_no_table_is_told_by_what_it_is():
    for one in (np.array([1, 0]), np.array([(1,)], dtype=[("x", "i4")]), np.zeros((1, 1, 1))):
        with pytest.raises(DataError, match=r"is an array of shape .*, not of rows and columns"):
            said(one, "0")
    with pytest.raises(DataError, match="column 'x' holds values of type Int128"):
        said(pl.DataFrame({"y": [1], "x": pl.Series([1]).cast(pl.Int128)}), "x")
    several = pd.DataFrame([[1]], columns=pd.MultiIndex.from_tuples([("c", "d")]))
    with pytest.raises(DataError, match="there is no column 'c'") as caught:
        said(several, "c")
    assert "separator" not in str(caught.value)
