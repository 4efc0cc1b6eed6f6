"""Sums inside a query are the integers of rows laid out, from every source, however the rows lie; unfit rows stop."""

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from potluck.core.errors import DataError
from potluck.core.plan import Statistic
from potluck.core.rounds import Abort
from potluck.dp.mechanism import mechanism
from potluck.learning.data.sources import csv_file
from potluck.learning.data.sql.dialect import DUCKDB
from potluck.learning.data.sql.layers import Layer, clipped, inside
from potluck.learning.loops import build
from potluck.learning.statistics import adding
from potluck.learning.statistics.kind import Cells
from potluck.learning.statistics.kinds import KINDS
from potluck.owner import source as _source  # noqa: F401  Parquet is a source of owners
from potluck.secret.random import system
from potluck.tasks.sums.rows import rows_of
from support.examples import examples
from support.learning.sums import category, number, replaced, stats

LOW, HIGH = -5.0, 12.5
WANTED = (
    Statistic(name="n", kind="count"),
    Statistic(name="nx", kind="count", column="x", by="g"),
    Statistic(name="s", kind="sum", column="x"),
    Statistic(name="m", kind="mean", column="x", by="h"),
    Statistic(name="v", kind="variance", column="y", by="g"),
    Statistic(name="b", kind="histogram", column="x", bins=7, by="g"),
    Statistic(name="t", kind="contingency", columns=("g", "h")),
)
COLUMNS = {
    "x": number(LOW, HIGH, "drop"),
    "y": number(0.0, 3.0, "drop"),
    "g": category("a", "b", missing="drop"),
    "h": category("0", "1", "2", missing="drop"),
}
PLAN = stats(COLUMNS, *WANTED)
ROWS = st.lists(
    st.tuples(
        st.one_of(st.none(), st.floats(-1e3, 1e3), st.sampled_from([LOW, HIGH, 0.0, -0.0, 5e-324, 1e300])),
        st.one_of(st.none(), st.floats(-1, 4)),
        st.sampled_from(["a", "b", "A", "c", ""]),
        st.sampled_from(["0", "1", "2", "1.0", "7", ""]),
    ),
    min_size=1,
    max_size=30,
)


def grid():
    return mechanism(PLAN, next(build(PLAN).lead())).grid


def frame_of(rows):
    return pd.DataFrame(rows, columns=list(COLUMNS)).astype({"x": float, "y": float})


def words(source):
    table, task = rows_of(source, PLAN, "a"), build(PLAN)
    ask = next(task.lead())
    bound = mechanism(PLAN, ask)
    (one,) = task.contribute(ask, table, system)
    return one.encode(bound.grid, bound.limit).words.tobytes(), table.tally


def by_hand(frame):
    """The integers, row by row, in Python's own arithmetic."""
    out = {part.name: [0] * part.size for part in grid().parts}
    steps = {part.name: part.step for part in grid().parts}
    codes = {"g": {"a": 0, "b": 1}, "h": {"0": 0, "1": 1, "2": 2, "1.0": 1}}
    edges = np.linspace(LOW, HIGH, 8)[1:-1]

    def put(name, at, *values):
        for offset, value in enumerate(values):
            out[name][at * len(values) + offset] += math.trunc(value / steps[name])

    def scaled(value, low, high):
        return 2 * (min(max(value, low), high) - low) / (high - low) - 1

    for x, y, g, h in frame.itertuples(index=False):
        place = {"g": None if g == "" else codes["g"].get(g, 2), "h": None if h == "" else codes["h"].get(h, 3)}
        put("n", 0, 1)
        if not math.isnan(x):
            put("s", 0, min(max(x, LOW), HIGH))
            if place["g"] is not None:
                put("nx", place["g"], 1)
                put("b", place["g"] * 7 + int((edges <= x).sum()), 1)
            if place["h"] is not None:
                put("m", place["h"], 1, scaled(x, LOW, HIGH))
        if not math.isnan(y) and place["g"] is not None:
            z = scaled(y, 0.0, 3.0)
            put("v", place["g"], 1, z, z * z)
        if place["g"] is not None and place["h"] is not None:
            put("t", place["g"] * 4 + place["h"], 1)
    return np.array([value for part in grid().parts for value in out[part.name]], np.int64)


@pytest.mark.slow  # tests/owner/test_engines_equal.py draws other plans from all sources
@given(ROWS)
def test_sums_are_those_of_rows_taken_one_by_one_from_every_source(tmp_path_factory, rows):
    folder, frame = tmp_path_factory.mktemp("rows"), frame_of(rows)
    frame.to_csv(folder / "rows.csv", index=False)
    frame.to_parquet(folder / "rows.parquet")
    expected = by_hand(frame).astype("<u8" if grid().bits == 64 else "<u4").tobytes()
    told = set()
    with pytest.MonkeyPatch.context() as patch:
        for few in (0, 1 << 20):
            patch.setattr(csv_file, "FEW", few)
            found, tally = words(folder / "rows.csv")
            assert found == expected, few
            told.add(repr(tally))
    for source in (folder / "rows.parquet", frame, frame.iloc[::-1]):
        found, tally = words(source)
        assert found == expected
        told.add(repr(tally))
    assert len(told) == 1


def test_places_that_are_too_many_to_be_joint_are_grouped_apart(monkeypatch):
    frame = frame_of([(1.0, 2.0, "a", "1"), (None, 1.0, "b", ""), (3.0, None, "", "2"), (99.0, 9.0, "c", "7")] * 5)
    expected = words(frame)
    monkeypatch.setattr(adding, "GROUPS", 5)
    assert words(frame) == expected


@pytest.mark.parametrize("cell", ["nan", "inf", "-inf", "1e400", "text"])
def test_a_cell_that_does_not_fit_is_named_by_its_line(cell, tmp_path, monkeypatch):
    monkeypatch.setattr(csv_file, "FEW", 0)
    path = tmp_path / "rows.csv"
    path.write_text(f"x,y,g,h\n1,1,a,1\n{cell},1,a,1\n")
    with pytest.raises(DataError, match="column 'x', line 3: nan, inf or text where a number is expected"):
        rows_of(path, PLAN, "a")


@pytest.mark.parametrize("cell", [math.nan, math.inf, -math.inf])
def test_a_number_of_a_parquet_file_that_is_none_is_refused_though_its_statistics_hide_it(cell, tmp_path):
    import pyarrow as pa
    import pyarrow.parquet as pq

    columns = {"x": [1.0, 2.0], "y": pa.array([1.0, cell], pa.float64()), "g": ["a", "b"], "h": ["0", "1"]}
    pq.write_table(pa.table(columns), tmp_path / "rows.parquet")
    with pytest.raises(DataError, match="column 'y', line 2: nan or inf where a number is expected"):
        rows_of(tmp_path / "rows.parquet", PLAN, "a")


def test_a_row_beyond_what_its_kind_says_of_rows_stops_the_site(monkeypatch):
    """A kind whose `most` or `norm` is too small would hide less than it promises."""
    honest = KINDS.of("mean")
    frame = frame_of([(1.0, 2.0, "a", "1"), (12.0, 1.0, "b", "1")])
    for liar in (
        replaced_kind(honest, most=lambda plan, one: 0.5),
        replaced_kind(honest, norm=lambda plan, one: 1.0),
    ):
        monkeypatch.setitem(KINDS.entries, "mean", liar)
        with pytest.raises(Abort, match="beyond its bound"):
            words(frame)
    monkeypatch.setitem(KINDS.entries, "mean", replaced_kind(honest))
    assert words(frame)


def replaced_kind(kind, **keys):
    """Its values unclipped, so that they are looked at."""
    from dataclasses import replace

    def cells(plan, one, columns, layer):
        made = kind.cells(plan, one, columns, layer)
        return Cells(made.values, made.digits)

    return replace(kind, cells=cells, **keys)


def test_sums_for_another_grid_are_not_taken():
    frame = frame_of([(1.0, 2.0, "a", "1")])
    table = rows_of(frame, PLAN, "a")
    other = replaced(PLAN, data=replaced(PLAN.data, max_rows=7))
    bound = mechanism(other, next(build(other).lead()))
    assert bound.grid != grid()
    with pytest.raises(ValueError, match="another sum"):
        table.sums.encode(bound.grid, bound.limit)


@settings(max_examples=examples(60))
@given(ROWS)
def test_what_the_owner_is_told_of_each_column_is_pandas_own_count(rows):
    """Of a query, whose counts are of odd values alone: rows are odd in one column, in several, or in none."""
    frame = frame_of(rows)
    told = {one.column: one for one in rows_of(frame, PLAN, "a").tally.columns}
    for name, (low, high) in {"x": (LOW, HIGH), "y": (0.0, 3.0)}.items():
        values = frame[name]
        counts = (int(values.isna().sum()), int((values < low).sum()), int((values > high).sum()))
        assert (told[name].missing, told[name].below, told[name].above) == counts, name
    case, other = int((frame.g == "A").sum()), int((frame.g == "c").sum())
    assert (told["g"].missing, told["g"].undeclared, told["g"].case) == (int((frame.g == "").sum()), case + other, case)
    assert told["h"].undeclared == int((frame.h == "7").sum())


def test_a_number_is_clamped_to_its_own_range_though_another_is_known_to_lie_in_its():
    ground = Layer(DUCKDB, "t", "a")
    value = ground.define('"x"')
    known = ground.above("b")
    name = known.define(inside(value, "0", "1"))
    top = known.above("c").above("d")
    assert clipped(value, "0", "1", top).startswith(f"CASE WHEN {name} THEN {value} ")
    assert clipped(value, "0", "2", top) == clipped(value, "0", "2")
