"""All rows of a person become one: the same as plain Python gives, from every source, in any order of rows."""

import random
from fractions import Fraction

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from potluck.core.errors import DataError
from potluck.core.plan import Column, Data, Model, PrivacyPlan, Split, Statistic, Target, Training
from potluck.core.tables.derived import Derive, Reduce, Reduced, Where
from potluck.dp.mechanism import mechanism
from potluck.learning.data.encode import encoding
from potluck.learning.data.rows import inputs
from potluck.learning.data.table import read
from potluck.learning.data.tally_words import lines, required
from potluck.learning.statistics.read import read as read_sums
from potluck.learning.statistics.statistics import StatisticsTask
from potluck.owner import source as _source  # noqa: F401  Parquet is a kind of source that owners have
from potluck.tasks.sums.rows import rows_of
from support.examples import examples
from support.learning.sums import NONE, category, make, number, replaced, stats

DAY = Column(kind="date", format="%Y-%m-%d")
ID = Column(kind="ignore")
COLUMNS = {
    "id": ID,
    "day": DAY,
    "hb": number(-8, 8, "flag"),
    "smoker": category("current", "former", "never", missing="flag"),
}
EVERY = {
    "hb": Reduced(kind="last"),
    "first": Reduced(kind="first", source="hb"),
    "habit": Reduced(kind="last", source="smoker"),
    "smoker": Reduced(kind="any", values=("current", "former")),
    "visits": Reduced(kind="count", low=0, high=20),
    "known": Reduced(kind="count", source="hb", low=0, high=20),
    "mean": Reduced(kind="mean", source="hb"),
    "least": Reduced(kind="min", source="hb"),
    "most": Reduced(kind="max", source="hb"),
}
STATISTICS = (
    Statistic(name="by", kind="mean", column="mean", by="smoker"),
    Statistic(name="spread", kind="variance", column="hb"),
    Statistic(name="habits", kind="contingency", columns=("habit", "smoker")),
    Statistic(name="visits", kind="histogram", column="visits", bins=4),
)


def plan(columns=COLUMNS, entries=EVERY, order="day", statistics=(), privacy=None, **data):
    base = stats({}, *statistics)
    found = Data(person="id", columns=columns, reduce=Reduce(order=order, columns=entries), **data)
    return replaced(base, data=found, **({"privacy": privacy} if privacy else {}))


def values(source, spec):
    return {name: column.tolist() for name, column in read(source, spec, "home").columns.items()}


def equal(one, other):
    assert one.keys() == other.keys()
    for name in one:
        np.testing.assert_array_equal(one[name], other[name], err_msg=name)


def fails(source, spec):
    with pytest.raises(DataError) as caught:
        read(source, spec, "home")
    one = Statistic(name="m", kind="mean", column=next(iter(spec.data.reduce.columns)))
    with pytest.raises(DataError) as again:
        rows_of(source, replaced(spec, statistics=(one,)) if spec.traits.counts else spec, "home")
    assert str(caught.value) == str(again.value)
    assert "31337" not in str(caught.value)
    return str(caught.value)


def by_hand(rows):
    """By person in order of their names: plain Python, exact fractions."""
    found, habits = {name: [] for name in EVERY}, ["current", "former", "never"]
    for person in sorted({row["id"] for row in rows}):
        mine = [row for row in rows if row["id"] == person]
        hbs = [row for row in mine if row["hb"] is not None]

        def ends(some, key):
            dated = sorted((row["day"], key(row)) for row in some if row["day"])
            return (dated[0][1], dated[-1][1]) if dated else (None, None)

        known = [row for row in mine if row["smoker"]]
        first, last = ends(hbs, lambda row: row["hb"])
        found["hb"].append(last)
        found["first"].append(first)
        found["habit"].append(ends(known, lambda row: habits.index(row["smoker"]))[1])
        found["smoker"].append(0 if any(row["smoker"] != "never" for row in known) else 1 if known else None)
        found["visits"].append(len(mine))
        found["known"].append(len(hbs))
        steps = [int((Fraction(min(max(row["hb"], -8), 8)) + 8) / 16 * 2**32) for row in hbs]
        found["mean"].append(float(-8 + Fraction(sum(steps), len(steps)) / 2**32 * 16) if steps else None)
        found["least"].append(min((row["hb"] for row in hbs), default=None))
        found["most"].append(max((row["hb"] for row in hbs), default=None))
    return {name: np.array(column, dtype=float).tolist() for name, column in found.items()}


ROW = st.fixed_dictionaries(
    {
        "id": st.sampled_from(["a", "b'", 'c"; DROP TABLE x', "Anna Meier", "9", "10"]),
        "day": st.sampled_from(["2020-01-01", "2020-01-02", "2021-05-05", "1960-12-31"]),
        # Binary fractions, so that the mean by hand has no rounding but its own.
        "hb": st.one_of(st.none(), st.integers(-80, 80).map(lambda n: n / 8)),
        "smoker": st.sampled_from(["current", "former", "never", ""]),
    }
)


@settings(max_examples=examples(10), deadline=None)
@given(st.lists(ROW, min_size=1, max_size=25), st.randoms(use_true_random=False))
def test_every_kind_is_as_by_hand_from_every_source_in_any_order(tmp_path_factory, rows, drawn):
    spec, folder = plan(statistics=STATISTICS), tmp_path_factory.mktemp("rows")
    frame = pd.DataFrame(rows).astype({"hb": float})
    ask = next(StatisticsTask(spec).lead())
    grid, limit = mechanism(spec, ask).grid, mechanism(spec, ask).limit
    expected, sums = by_hand(rows), set()
    mixed = list(range(len(rows)))
    drawn.shuffle(mixed)
    for name, some in (("one", frame), ("two", frame.iloc[mixed].reset_index(drop=True))):
        some.to_csv(folder / f"{name}.csv", index=False)
        some.to_parquet(folder / f"{name}.parquet")
        for source in (some, folder / f"{name}.csv", folder / f"{name}.parquet"):
            table, added = read(source, spec, "home"), read_sums(source, spec, "home", grid)
            found = {key: column.tolist() for key, column in table.columns.items()}
            np.testing.assert_allclose(found.pop("mean"), expected["mean"], rtol=0, atol=1e-15 * 16)
            equal(found, {key: column for key, column in expected.items() if key != "mean"})
            assert added.tally == table.tally
            sums.add(repr(added.sums.steps))
            (held,) = StatisticsTask(spec).contribute(ask, table, None)
            assert held.encode(grid, limit).words.tolist() == added.sums.encode(grid, limit).words.tolist()
    assert len(sums) == 1


def test_the_mean_is_the_same_bits_in_any_order_and_within_a_step():
    drawn = random.Random(7)
    rows = [("a", drawn.uniform(0, 1e6)) for _ in range(2000)] + [("b", 1e6)] * 3 + [("c", 2e6), ("c", -5.0)]
    spec = plan({"id": ID, "x": number(0, 1e6)}, {"x": Reduced(kind="mean")}, order=None)
    found = set()
    for _ in range(4):
        drawn.shuffle(rows)
        found.add(tuple(values(pd.DataFrame(rows, columns=["id", "x"]), spec)["x"]))
    ((a, b, c),) = found
    exact = float(sum(Fraction(value) for name, value in rows if name == "a") / 2000)
    assert 0 <= exact - a < 1e6 / 2**32 + 1e-9
    assert b == 1e6  # not beyond the range, and not clamped in the tally
    assert c == 5e5  # clipped before it is averaged


def test_a_sum_of_doubles_would_depend_on_the_order():
    """The control: what the grid is for."""
    numbers = [1e6, 1e-9, 3e5 + 0.1, -1e6, 0.7]
    assert sum(numbers) != sum(reversed(numbers))


def test_ties_are_broken_by_the_value_and_undeclared_values_by_their_code():
    rows = [("a", "2020-01-01", 1, "never"), ("a", "2020-01-01", 3, "current"), ("a", "2020-01-01", 2, "x")]
    frame = pd.DataFrame(rows, columns=["id", "day", "hb", "smoker"])
    for some in (frame, frame[::-1]):
        found = values(some, plan())
        assert (found["hb"], found["first"], found["habit"]) == ([3], [1], [2])
        assert found["smoker"] == [0]


def test_an_undeclared_value_is_no_answer():
    frame = pd.DataFrame({"id": ["a", "b"], "day": "2020-01-01", "hb": 1.0, "smoker": ["Current", "never"]})
    table = read(frame, plan(), "home")
    np.testing.assert_array_equal(table.columns["smoker"], [np.nan, 1])
    told = next(one for one in table.tally.columns if one.column == "smoker")
    assert (told.values, told.undeclared, told.case) == (2, 1, 1)
    assert any("1 of 2 values is not declared" in line for line in lines(table.tally))


def test_it_comes_after_derive_and_where():
    columns = {"id": ID, "day": DAY, "birth": DAY, "hb": number(0, 20, "drop")}
    entries = {"age": Reduced(kind="first"), "hb": Reduced(kind="last"), "n": Reduced(kind="count", low=0, high=9)}
    frame = pd.DataFrame(
        [
            ("a", "2020-01-01", "2000-06-01", 5.0),
            ("a", "2021-01-01", "2000-06-01", 6.0),
            ("a", "2019-01-01", "2000-06-01", 7.0),
            ("b", "2000-06-01", "2000-06-01", 1.0),
        ],
        columns=["id", "day", "birth", "hb"],
    )
    age = Derive(kind="years", source="birth", to="day", low=0.0, high=110.0)
    spec = plan(columns, entries, derive={"age": age}, where=(Where(column="age", at_least=19.0),))
    assert values(frame, spec) == {"age": [19.0], "hb": [6.0], "n": [2.0]}
    tally = read(frame, spec, "home").tally
    assert (tally.read, tally.unmet, tally.persons, tally.used) == (4, 2, 1, 1)
    assert rows_of(frame, replaced(spec, statistics=(Statistic(name="n", kind="mean", column="n"),)), "home").tally.used


def test_the_owner_hears_of_rows_persons_and_values():
    columns = {"id": ID, "hb": number(0, 20, "drop")}
    rows = [("a", 25.0), ("a", 3.0), ("b", np.nan), ("b", np.nan), ("c", -1.0)]
    frame = pd.DataFrame(rows, columns=["id", "hb"])
    spec = make(
        data=Data(
            person="id",
            columns={**columns, "y": category("0", "1")},
            reduce=Reduce(columns={"hb": Reduced(kind="mean"), "y": Reduced(kind="any", values=("1",))}),
            target=Target(column="y", positive=("yes",)),
        )
    )
    tally = read(frame.assign(y=["0", "1", "0", "0", "0"]), spec, "home").tally
    assert (tally.read, tally.persons, tally.used, tally.dropped) == (5, 3, 2, {"hb": 1})
    assert [(one.column, one.values, one.missing, one.below, one.above) for one in tally.columns] == [
        ("hb", 3, 2, 1, 1),
        ("y", 5, 0, 0, 0),
    ]
    assert (tally.targets[0].rows, tally.targets[0].positive) == (2, 1)
    said = lines(tally)
    assert "1 of 3 persons is left out: 1 without 'hb'" in said
    assert "5 rows of 3 persons" in said
    assert tally.document()["persons"] == 3


def test_several_labels_of_a_person_are_each_made_of_its_rows():
    rows = [("a", 1.0, "1", "0"), ("a", 3.0, "0", "0"), ("b", 5.0, "0", "0"), ("b", 7.0, "0", "1")]
    frame = pd.DataFrame(rows, columns=["id", "hb", "y", "z"])
    any_ = Reduced(kind="any", values=("1",))
    spec = make(
        data=Data(
            person="id",
            columns={"id": ID, "hb": number(0, 20), "y": category("0", "1"), "z": category("0", "1")},
            reduce=Reduce(columns={"hb": Reduced(kind="mean"), "y": any_, "z": any_}),
            target=Target(columns=("y", "z"), positive=("yes",)),
        ),
        model=Model(kind="network"),
        training=Training(method="average"),
    )
    table = read(frame, spec, "home")
    assert table.target.tolist() == [[1.0, 0.0], [0.0, 1.0]]
    assert table.features[:, 0] == pytest.approx([-0.8, -0.4], abs=1e-8)
    assert [(one.column, one.rows, one.positive) for one in table.tally.targets] == [("y", 2, 1), ("z", 2, 1)]


def test_the_owner_hears_of_counts_beyond_their_range():
    """Of persons, as of a column that a file has."""
    frame = pd.DataFrame({"id": list("aabbbbcd"), "x": [1.0, np.nan, *[2.0] * 4, np.nan, 3.0], "y": [1.0] * 8})
    columns = {"id": ID, "x": number(0, 9, "flag"), "y": number(0, 9)}
    entries = {
        "n": Reduced(kind="count", low=2, high=3),
        "x": Reduced(kind="count", source="x", low=0, high=2),
        "y": Reduced(kind="mean"),
    }
    spec = plan(columns, entries, order=None, where=(Where(column="y", above=0),))
    expected = [("x", 6, 2, 0, 0), ("y", 8, 0, 0, 0), ("n", 4, 0, 2, 1), ("x (count)", 4, 0, 0, 1)]
    counting = replaced(spec, statistics=(Statistic(name="m", kind="mean", column="n"),))
    more = pd.concat([frame, pd.DataFrame({"id": ["e"], "x": [1.0], "y": [-1.0]})])
    for found in (
        read(frame, spec, "home").tally,
        rows_of(frame, counting, "home").tally,
        read(more, spec, "home").tally,
        rows_of(more, counting, "home").tally,
    ):
        assert [(one.column, one.values, one.missing, one.below, one.above) for one in found.columns] == expected
        assert "column 'n': 3 of 4 values are clamped (2 below low, 1 above high)" in lines(found)


def test_counts_that_are_all_beyond_their_range_stop_the_site():
    frame = pd.DataFrame({"id": list("aabb"), "x": [1.0] * 4})
    spec = plan(
        {"id": ID, "x": number(0, 9)}, {"x": Reduced(kind="max"), "n": Reduced(kind="count", low=0, high=1)}, None
    )
    counting = replaced(spec, statistics=(Statistic(name="m", kind="mean", column="n"),))
    for found in (read(frame, spec, "home").tally, rows_of(frame, counting, "home").tally):
        with pytest.raises(
            DataError, match=r"column 'n': all 2 values are outside the declared range \(2 above high\)"
        ):
            required(found, "home")


# What does not fit


@pytest.mark.parametrize("kind", ["first", "last", "mean", "count"])
def test_a_cell_that_does_not_fit_is_told_by_its_line_whatever_becomes_of_it(tmp_path, kind):
    rows = pd.DataFrame({"id": ["a", "a", "a"], "day": ["2020-01-01", "2020-01-02", "2020-01-03"]})
    rows = rows.assign(hb=["1", "n 31337", "3"], smoker="never")
    entry = Reduced(kind=kind, source="hb", **({"low": 0, "high": 9} if kind == "count" else {}))
    order = "day" if kind in ("first", "last") else None
    columns = {key: one for key, one in COLUMNS.items() if key != "smoker" and (order or key != "day")}
    spec = plan(columns, {"visits": entry}, order=order)
    path = tmp_path / "rows.csv"
    rows.to_csv(path, index=False)
    assert "column 'hb', line 3:" in fails(path, spec)
    assert "column 'hb', line 2:" in fails(rows, spec)
    rows.to_parquet(tmp_path / "rows.parquet")
    assert "column 'hb', line 2:" in fails(tmp_path / "rows.parquet", spec)


def test_a_cell_in_a_row_that_does_not_count_may_be_anything():
    frame = pd.DataFrame({"id": ["a", "a"], "hb": ["1", "x"], "c": ["u", "v"]})
    spec = plan(
        {"id": ID, "hb": number(0, 9), "c": category("u", "v")},
        {"hb": Reduced(kind="mean")},
        order=None,
        where=(Where(column="c", within=("u",)),),
    )
    np.testing.assert_allclose(values(frame, spec)["hb"], [1], atol=9 / 2**32)


def test_a_row_of_nobody_is_told_by_its_line():
    frame = pd.DataFrame({"id": ["a", " ", "n/a"], "x": [1.0, 2.0, 3.0]})
    spec = plan({"id": ID, "x": number(0, 9)}, {"x": Reduced(kind="mean")}, order=None, missing=("", "n/a"))
    assert "column 'id', lines 2, 3: no person" in fails(frame, spec)


@pytest.mark.parametrize(
    "ids",
    [
        pa.array([1.0, float("nan"), float("nan"), 2.0]),
        pa.array([1.0, float("inf"), -float("inf"), 2.0]),
        pa.array([1.0, float("nan"), None, 2.0], pa.float32()),
        pa.array(["1", "NaN", "nan", "2"]),
        pa.array(["a", "inf", "-Infinity", "b"]),
        pa.array(["1", " nan ", "+inf\t", "2"]),
    ],
)
def test_a_number_that_is_none_is_nobody(tmp_path, ids):
    table = pa.table({"id": ids, "x": [1.0, 2.0, 3.0, 4.0]})
    pq.write_table(table, tmp_path / "rows.parquet")
    spec = plan({"id": ID, "x": number(0, 9)}, {"x": Reduced(kind="mean")}, order=None)
    for source in (table, tmp_path / "rows.parquet", *([table.to_pandas()] if ids.type == pa.string() else [])):
        assert "column 'id', lines 2, 3: no person" in fails(source, spec)


@pytest.mark.parametrize(
    "names",
    [
        ["1", "1.0"],
        ["1", "01"],
        ["1e1", "10"],
        ["+7", "7"],
        ["Zoe", "Zoe\u200b"],
        ["Zo\u00e9", "Zoe\u0301"],
        ["a b", "a  b"],
    ],
)
def test_a_person_who_is_spelt_in_two_ways_stops_the_site(names):
    frame = pd.DataFrame({"id": names, "x": [1.0, 2.0]})
    spec = plan({"id": ID, "x": number(0, 9)}, {"x": Reduced(kind="mean")}, order=None)
    assert "in two ways (1 of them)" in fails(frame, spec)


@pytest.mark.parametrize("names", [["Jürgen", "Köln 3", "Jürgen"], ["007", "08", "007"], ["-1", "2.5", "-1"]])
def test_persons_of_any_letters_are_told_apart(names):
    frame = pd.DataFrame({"id": names, "x": [1.0, 2.0, 3.0]})
    spec = plan({"id": ID, "x": number(0, 8)}, {"x": Reduced(kind="max")}, order=None)
    assert sorted(values(frame, spec)["x"]) == [2.0, 3.0]
    assert rows_of(frame, replaced(spec, statistics=(Statistic(name="m", kind="mean", column="x"),)), "home").rows == 2


@pytest.mark.parametrize("names", [["a", " a", "b\u00a0"], ["7\t", "7", "\u30008"]])
def test_blanks_around_a_name_are_nothing(tmp_path, names):
    frame = pd.DataFrame({"id": names, "x": [1.0, 2.0, 3.0]})
    spec = plan({"id": ID, "x": number(0, 8)}, {"x": Reduced(kind="max")}, order=None)
    frame.to_parquet(tmp_path / "rows.parquet")
    for source in (frame, tmp_path / "rows.parquet"):
        assert sorted(values(source, spec)["x"]) == [2.0, 3.0]


def test_numbers_of_a_typed_source_are_persons_by_value(tmp_path):
    spec = plan({"id": ID, "x": number(0, 8)}, {"x": Reduced(kind="max")}, order=None)
    for ids in ([10, 9, 10], [10.0, 9.0, 10.0], ["10", "9", "10"], [2**60 + 1, 2**60, 2**60 + 1]):
        frame = pd.DataFrame({"id": ids, "x": [1.0, 2.0, 3.0]})
        frame.to_parquet(tmp_path / "rows.parquet")
        for source in (frame, tmp_path / "rows.parquet"):
            found = values(source, spec)["x"]
            assert found == ([3.0, 2.0] if ids[0] != 2**60 + 1 else [2.0, 3.0])  # by name: "10" before "9"


def test_a_row_without_a_place_in_the_order_is_an_error_unless_a_condition_leaves_it_out():
    frame = pd.DataFrame({"id": ["a", "a"], "day": ["2020-01-01", ""], "x": [1.0, 2.0]})
    columns = {"id": ID, "day": DAY, "x": number(0, 9)}
    said = fails(frame, plan(columns, {"x": Reduced(kind="last")}))
    assert "column 'day' has no value in 1 row (line 2)" in said
    assert "data.where" in said
    dated = plan(columns, {"x": Reduced(kind="last")}, where=(Where(column="day", at_least="1900-01-01"),))
    assert values(frame, dated) == {"x": [1.0]}
    assert read(frame, dated, "home").tally.unmet == 1


def test_a_person_without_any_value_is_told_without_a_line():
    frame = pd.DataFrame({"id": ["a", "b", "b"], "x": [1.0, np.nan, np.nan]})
    spec = plan({"id": ID, "x": number(0, 9)}, {"x": Reduced(kind="mean")}, order=None)
    assert "column 'x' has no value in any row of 1 person" in fails(frame, spec)


def test_a_target_value_that_is_not_declared_is_told_by_its_line():
    spec = make(
        data=Data(
            person="id",
            columns={"id": ID, "day": DAY, "x": number(0, 9), "y": category("dead", "alive", "left")},
            reduce=Reduce(order="day", columns={"x": Reduced(kind="mean"), "y": Reduced(kind="last")}),
            target=Target(column="y", positive=("dead",), negative=("alive",)),
        )
    )
    frame = pd.DataFrame({"id": "a", "day": ["2020-01-01", "2020-01-02"], "x": 1.0, "y": ["left", "dead"]})
    assert "column 'y', line 1: a target value that the plan does not declare" in fails(frame, spec)
    assert "line 1: a target value" in fails(frame.assign(y=["Dead", "dead"]), spec)
    assert read(frame.assign(y=["alive", "dead"]), spec, "home").target.tolist() == [1.0]


# Training, noise, scoring


def trained(**keys):
    return make(
        data=Data(
            person="id",
            columns={"id": ID, "day": DAY, "hb": number(0, 16), "y": category("0", "1")},
            reduce=Reduce(
                order="day",
                columns={
                    "hb": Reduced(kind="last"),
                    "n": Reduced(kind="count", low=0, high=8),
                    "y": Reduced(kind="any", values=("1",)),
                },
            ),
            target=Target(column="y", positive=("yes",)),
            split=Split(test=0.4),
        ),
        **keys,
    )


def test_persons_are_trained_on_and_held_out_whatever_the_order_of_rows():
    rows = [(f"p{n % 40}", f"2020-01-{n % 28 + 1:02}", float(n % 17), str(n % 5 // 4)) for n in range(300)]
    frame = pd.DataFrame(rows, columns=["id", "day", "hb", "y"])
    one, other = read(frame, trained(), "home"), read(frame[::-1], trained(), "home")
    assert one.rows == 40
    assert 0 < one.test.sum() < 40
    for name in ("features", "target", "test", "person"):
        assert getattr(one, name).tobytes() == getattr(other, name).tobytes()


def test_a_model_takes_new_rows_of_one_row_a_person():
    how = encoding(trained())
    assert [(one.name, one.kind) for one in how.fields] == [("hb", "number"), ("n", "number")]
    assert how.beside == ()
    found = inputs(how, None, pd.DataFrame({"hb": [0.0, 16.0], "n": [8, 4]}), "rows").features
    np.testing.assert_array_equal(found, [[-1, 1], [1, 0]])


def test_with_noise_for_persons_one_row_each_is_added_up_and_is_what_clear_adds():
    noise = PrivacyPlan(noise="site", unit="person", epsilon=1.0, delta=1e-5)
    frame = pd.DataFrame({"id": ["a", "a", "b"], "hb": [1.0, 5.0, 2.0]})
    spec = plan({"id": ID, "hb": number(0, 8)}, {"hb": Reduced(kind="max")}, order=None)
    spec = replaced(spec, statistics=(Statistic(name="m", kind="mean", column="hb"),), privacy=noise)
    table = rows_of(frame, spec, "home")
    assert table.sums is not None
    made = mechanism(spec, next(StatisticsTask(spec).lead()))
    plain = replaced(spec, data=Data(columns={"hb": number(0, 8)}), privacy=replaced(noise, rows_per_person=1))
    assert made == mechanism(plain, next(StatisticsTask(plain).lead()))  # a person weighs as one row does
    clear = read_sums(pd.DataFrame({"hb": [5.0, 2.0]}), replaced(plain, privacy=NONE), "home", made.grid)
    assert table.sums.steps == clear.sums.steps
