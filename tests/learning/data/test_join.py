"""A second table of the same owner: the same as pandas' merge gives, whatever kinds of source the two are."""

from decimal import Decimal

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from potluck.core.errors import DataError
from potluck.core.plan import Column, Data, Statistic, Target
from potluck.core.tables.derived import Derive, Join, Reduce, Reduced, Where
from potluck.dp.mechanism import mechanism
from potluck.learning.data.joining import joined
from potluck.learning.data.source import limits_of, opened
from potluck.learning.data.table import read
from potluck.learning.data.tally_words import lines
from potluck.learning.statistics.read import read as read_sums
from potluck.learning.statistics.statistics import StatisticsTask
from potluck.owner import source as _source  # noqa: F401  Parquet is a kind of source that owners have
from support.examples import examples
from support.learning.sums import category, make, number, replaced, stats

COLUMNS = {"x": number(-100, 100), "lab": number(-50, 50, "flag"), "sex": category("f", "m", missing="flag")}
JOIN = Join(table="labs", on="patient", to="id", columns=("lab", "sex"))
STATISTICS = (
    Statistic(name="x", kind="mean", column="x", by="sex"),
    Statistic(name="lab", kind="variance", column="lab"),
    Statistic(name="both", kind="sum", column="x"),
)


def plan(columns=COLUMNS, join=JOIN, **data):
    return replaced(stats({}, *STATISTICS), data=Data(columns=columns, join=join, **data))


def both(rows, table, spec, where="home"):
    limits = limits_of(spec.data)
    return joined(opened(rows, where, limits), opened(table, where, limits), spec.data, where)


def columns(rows, table, spec):
    return {name: found.tolist() for name, found in read(both(rows, table, spec), spec, "home").columns.items()}


def fails(rows, table, spec):
    with pytest.raises(DataError) as caught:
        read(both(rows, table, spec), spec, "home")
    grid = mechanism(spec, next(StatisticsTask(spec).lead())).grid
    with pytest.raises(DataError) as again:
        read_sums(both(rows, table, spec), spec, "home", grid)
    assert str(caught.value) == str(again.value)
    assert "31337" not in str(caught.value)
    return str(caught.value)


KEYS = ["1", "2", "10", "Müller", "a b", "x'--", '"; DROP TABLE joined', "", "7"]


@settings(max_examples=examples(6), deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from(KEYS), st.integers(-90, 90)), min_size=1, max_size=25),
    st.lists(
        st.tuples(st.sampled_from(KEYS), st.one_of(st.none(), st.integers(-40, 40)), st.sampled_from(["f", "m", ""])),
        max_size=9,
        unique_by=lambda row: row[0],
    ),
)
def test_two_tables_are_as_pandas_merges_them_whatever_they_are(tmp_path_factory, mine, theirs):
    spec, folder = plan(), tmp_path_factory.mktemp("tables")
    rows = pd.DataFrame(mine, columns=["patient", "x"]).astype({"x": float})
    table = pd.DataFrame(theirs, columns=["id", "lab", "sex"]).astype({"lab": float, "id": object, "sex": object})
    known = table[table["id"] != ""]
    merged = rows.merge(known, how="left", left_on="patient", right_on="id")
    expected = {
        "x": merged["x"].tolist(),
        "lab": merged["lab"].tolist(),
        "sex": merged["sex"].map({"f": 0.0, "m": 1.0}).astype(float).tolist(),
    }
    grid, sums = mechanism(spec, next(StatisticsTask(spec).lead())).grid, set()
    kinds = {}
    for name, frame in (("rows", rows), ("labs", table)):
        frame.to_csv(folder / f"{name}.csv", index=False)
        frame.to_parquet(folder / f"{name}.parquet")
        kinds[name] = (frame, folder / f"{name}.csv", folder / f"{name}.parquet")
    for one in kinds["rows"]:
        for other in kinds["labs"]:
            table, added = (
                read(both(one, other, spec), spec, "home"),
                read_sums(both(one, other, spec), spec, "a", grid),
            )
            for name, values in expected.items():
                np.testing.assert_array_equal(table.columns[name], values)
            assert added.tally == table.tally
            sums.add(repr(added.sums.steps))
    assert len(sums) == 1


@pytest.mark.parametrize(
    ("mine", "theirs"),
    [
        ([7, 12], ["7", " 12 "]),
        (["007", "12.0"], [7, 12]),
        ([7.0, 12.0], ["07", "+12"]),
        (["7", "12"], [7.0, 12.0]),
        (["Zo\u00e9", "\u00a0b\t"], ["Zoe\u0301", "b"]),
        ([2**60 + 1, 2**60], [str(2**60 + 1), str(2**60)]),
        (["1e2", "-3"], ["1e2", "-3.0"]),
    ],
)
def test_keys_are_texts_without_blanks_and_whole_numbers_by_value(tmp_path, mine, theirs):
    rows, table = pd.DataFrame({"patient": mine, "x": 1.0}), pd.DataFrame({"id": theirs, "lab": [5.0, 6.0], "sex": "f"})
    table.to_parquet(tmp_path / "labs.parquet")
    rows.to_csv(tmp_path / "rows.csv", index=False)
    for one in (rows, tmp_path / "rows.csv"):
        for other in (table, tmp_path / "labs.parquet"):
            assert columns(one, other, plan())["lab"] == [5.0, 6.0]


@pytest.mark.parametrize(
    ("mine", "theirs"),
    [
        (["7", "8,0"], ["7,0", "8"]),
        (["7,0", "008"], [7, 8]),
        (["7,5", "8,5"], [7.5, 8.5]),
        (["7,5", "8,5"], [Decimal("7.50"), Decimal("8.50")]),
        ([Decimal("7.50"), Decimal("8.00")], [7.5, 8.0]),
        ([-0.0, 2.0], ["-0,0", "2"]),
    ],
)
def test_keys_have_the_decimal_mark_of_the_plan(tmp_path, mine, theirs):
    rows = pa.table({"patient": mine, "x": ["1", "1"]})
    table = pa.table({"id": theirs, "lab": ["5", "6"], "sex": ["f", "f"]})
    spec = plan(decimal=",", separator=";")
    assert columns(rows, table, spec)["lab"] == [5.0, 6.0]
    pq.write_table(table, tmp_path / "labs.parquet")
    assert columns(rows, tmp_path / "labs.parquet", spec)["lab"] == [5.0, 6.0]


def test_what_is_no_whole_number_where_the_mark_is_a_comma_is_another_key(tmp_path):
    (tmp_path / "rows.csv").write_text("patient;x\n7.000;1\n7.0;1\n8,50;1\n9;1\n")
    (tmp_path / "labs.csv").write_text("id;lab;sex\n7;1;f\n8,5;2;f\n9;3;f\n")
    found = columns(tmp_path / "rows.csv", tmp_path / "labs.csv", plan(decimal=",", separator=";"))["lab"]
    np.testing.assert_array_equal(found, [np.nan, np.nan, np.nan, 3.0])


def test_numbers_that_are_not_finite_are_no_keys():
    rows = pa.table({"patient": [np.nan, np.inf, 1.0], "x": [1, 1, 1]})
    table = pa.table({"id": [np.nan, np.inf, np.nan, 1.0], "lab": [1, 2, 3, 4], "sex": ["f"] * 4})
    np.testing.assert_array_equal(columns(rows, table, plan())["lab"], [np.nan, np.nan, 4.0])


def test_texts_that_are_not_equal_do_not_match():
    rows = pd.DataFrame({"patient": ["a", "A", "1.5", "10", ""], "x": 1.0})
    table = pd.DataFrame({"id": ["a ", "b", "1", "", "n/a"], "lab": [1.0, 2.0, 3.0, 4.0, 5.0], "sex": "f"})
    found = columns(rows, table, plan(missing=("", "n/a")))["lab"]
    np.testing.assert_array_equal(found, [1.0, np.nan, np.nan, np.nan, np.nan])


def test_a_key_that_the_table_has_twice_is_told_by_its_lines(tmp_path):
    rows = pd.DataFrame({"patient": ["a"], "x": [1.0]})
    table = pd.DataFrame({"id": ["a", "b", " a", "b", "c", ""], "lab": 1.0, "sex": "f"})
    table.to_csv(tmp_path / "labs.csv", index=False)
    said = fails(rows, tmp_path / "labs.csv", plan())
    assert "home, table 'labs'" in said
    assert "column 'id', lines 2, 3, 4, 5: a key that is there more than once" in said
    assert "lines 1, 2, 3, 4: a key" in fails(rows, table, plan())
    # Also of a file that the quick way reads, whose lines it does not know.
    many = pd.concat([table, pd.DataFrame({"id": [f"k{n}" for n in range(30_000)], "lab": 1.0, "sex": "f"})])
    many.to_csv(tmp_path / "labs.csv", index=False)
    assert (tmp_path / "labs.csv").stat().st_size > 1 << 18
    assert "lines 2, 3, 4, 5: a key" in fails(rows, tmp_path / "labs.csv", plan())


def test_several_rows_may_have_one_key():
    rows = pd.DataFrame({"patient": ["a", "a", "b"], "x": [1.0, 2.0, 3.0]})
    table = pd.DataFrame({"id": ["a"], "lab": [9.0], "sex": ["m"]})
    found = columns(rows, table, plan())
    np.testing.assert_array_equal(found["lab"], [9, 9, np.nan])
    assert found["x"] == [1, 2, 3]


def test_what_does_not_fit_in_the_table_is_told_where_it_stands_there(tmp_path):
    rows = pd.DataFrame({"patient": ["b", "a", "a"], "x": [1.0, 2.0, 3.0]})
    (tmp_path / "labs.csv").write_text("id,lab,sex\nb,1,f\n\na,n31337,f\n")
    said = fails(rows, tmp_path / "labs.csv", plan())
    assert "column 'labs.lab', line 4: nan, inf or text" in said
    assert "1 problem" not in said
    (tmp_path / "labs.csv").write_text("id,lab\nb,1,f\n")
    assert "there is no column 'sex'" in fails(rows, tmp_path / "labs.csv", plan())
    (tmp_path / "labs.csv").write_text("id,lab,sex\nb,1,f\nc,2\n")
    assert "home, table 'labs': line 3 has 2 columns where 3 are expected" in fails(rows, tmp_path / "labs.csv", plan())
    assert "no such file" in fails(rows, tmp_path / "nowhere.csv", plan())


def test_a_row_without_a_match_is_dropped_or_refused_as_its_column_says():
    rows = pd.DataFrame({"patient": ["a", "b"], "x": [1.0, 2.0], "y": ["0", "1"]})
    table = pd.DataFrame({"id": ["a"], "lab": [3.0]})
    data = Data(
        columns={"x": number(0, 9), "lab": number(0, 9, "drop"), "y": category("0", "1")},
        join=replaced(JOIN, columns=("lab",)),
        target=Target(column="y", positive=("1",)),
    )
    spec = make(data=data)
    found = read(both(rows, table, spec), spec, "home")
    assert found.rows == 1
    assert "1 of 2 rows is left out: 1 without 'lab'" in lines(found.tally)
    strict = make(data=replaced(data, columns={**data.columns, "lab": number(0, 9)}))
    with pytest.raises(DataError, match=r"column 'lab' has no value in 1 row \(line 2\)"):
        read(both(rows, table, strict), strict, "home")


@pytest.mark.slow
def test_rows_stay_in_their_order_whichever_table_is_larger(tmp_path):
    count = 40_000
    rows = pd.DataFrame({"patient": np.arange(count) % 997, "x": np.arange(count) % 100})
    small = pd.DataFrame({"id": np.arange(500), "lab": np.arange(500) % 50, "sex": "f"})
    large = pd.DataFrame({"id": np.arange(90_000)[::-1], "lab": np.arange(90_000) % 50, "sex": "f"})
    for name, table in (("small", small), ("large", large)):
        table.to_parquet(tmp_path / f"{name}.parquet")
        for some in (rows, rows[:300]):
            some.to_parquet(tmp_path / "rows.parquet")
            some.to_csv(tmp_path / "rows.csv", index=False)
            for one in (some, tmp_path / "rows.parquet", tmp_path / "rows.csv"):
                assert columns(one, tmp_path / f"{name}.parquet", plan())["x"] == some["x"].tolist()


def test_a_joined_column_is_derived_from_reduced_and_a_condition_as_any():
    rows = pd.DataFrame(
        {"patient": ["a", "a", "b", "c"], "day": ["2020-01-01", "2021-01-01", "2020-01-01", "2020-01-01"]}
    )
    table = pd.DataFrame({"id": ["a", "b"], "birth": ["2000-01-01", "2015-01-01"], "lab": [3.0, 4.0]})
    day = Column(kind="date", format="%Y-%m-%d")
    spec = plan(
        {"day": day, "birth": day, "lab": number(0, 9), "patient": Column(kind="ignore")},
        replaced(JOIN, columns=("birth", "lab")),
        person="patient",
        derive={"age": Derive(kind="years", source="birth", to="day", low=0.0, high=110.0)},
        where=(Where(column="age", at_least=18.0),),
        reduce=Reduce(order="day", columns={"age": Reduced(kind="last"), "lab": Reduced(kind="max")}),
    )
    spec = replaced(spec, statistics=())
    found = read(both(rows, table, spec), spec, "home")
    assert {name: values.tolist() for name, values in found.columns.items()} == {"age": [21.0], "lab": [3.0]}
    assert (found.tally.read, found.tally.unmet) == (4, 2)


@pytest.mark.parametrize("persons", [False, True])
def test_what_is_derived_of_what_is_derived_of_a_joined_column_is_known_at_once(persons):
    """The engine once planned this for minutes."""
    rows = {"patient": ["a", "b", "c"], "day": ["2020-01-01", "2021-01-01", "2020-01-01"]}
    table = {"id": ["a", "b"], "birth": ["1990-01-01", "1950-01-01"], "lab": ["5", "50"]}
    day, most = Column(kind="date", format="%Y-%m-%d"), {"missing": "flag", "low": 0.0}
    derive = {
        "age": Derive(kind="years", source="birth", to="day", high=110.0, **most),
        "days": Derive(kind="days", source="day", to="2021-01-02", high=2000.0, **most),
        "log": Derive(kind="log", source="lab", high=5.0, **most),
        "part": Derive(kind="bins", source="lab", edges=(10.0,), missing="flag"),
        "some": Derive(kind="recode", source="part", map={"below 10": "few", "10 or more": "many"}, missing="flag"),
        "last": Derive(kind="recode", source="some", map={"few": "no", "many": "yes"}, missing="flag"),
    }
    names = ("age", "days", "log", "last")
    reduce = Reduce(order="day", columns={name: Reduced(kind="last") for name in names})
    spec = replaced(
        plan(
            {"day": day, "birth": day, "lab": number(0, 90, "flag"), "patient": Column(kind="ignore")},
            replaced(JOIN, columns=("birth", "lab")),
            derive=derive,
            where=(Where(column="age", at_most=90.0), Where(column="last", within=("no", "yes"))),
            **({"person": "patient", "reduce": reduce} if persons else {}),
        ),
        statistics=(
            Statistic(name="age", kind="sum", column="age", by="last"),
            Statistic(name="log", kind="sum", column="log"),
            Statistic(name="days", kind="sum", column="days"),
        ),
    )
    found = read(both(pa.table(rows), pa.table(table), spec), spec, "home").columns
    expected = {"age": [30, 71], "days": [367, 1], "log": [np.log(5), np.log(50)], "last": [0, 1]}
    for name, values in expected.items():
        np.testing.assert_allclose(found[name], values, rtol=1e-15)
    grid = mechanism(spec, next(StatisticsTask(spec).lead())).grid
    sums = read_sums(both(pa.table(rows), pa.table(table), spec), spec, "home", grid).sums
    assert (sums.rows, sums.counted) == (2, {"age": 2, "log": 2, "days": 2})


def test_a_table_has_at_most_so_many_rows():
    rows = pd.DataFrame({"patient": ["a"], "x": [1.0]})
    table = pd.DataFrame({"id": ["a", "b", "c"], "lab": 1.0, "sex": "f"})
    assert "table 'labs': has more rows than data.max_rows (2)" in fails(rows, table, plan(max_rows=2))


def test_columns_of_the_rows_that_are_called_as_those_of_the_table_are_not_read():
    rows = pd.DataFrame({"patient": ["a"], "x": [1.0], "lab": ["nonsense"], "id": ["b"]})
    table = pd.DataFrame({"id": ["a"], "lab": [2.0], "sex": ["f"], "x": [9.0], "patient": ["b"]})
    assert columns(rows, table, plan()) == {"x": [1.0], "lab": [2.0], "sex": [0.0]}
