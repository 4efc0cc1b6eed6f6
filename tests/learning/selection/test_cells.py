"""Cells are counted as the query of the sums counts them, and sketches tell whose rows differ."""

import random

import msgspec
import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from potluck.core.errors import DataError
from potluck.core.plan import Statistic
from potluck.learning.data.sources import arrow, csv_file, memory
from potluck.learning.selection import cells as of
from potluck.learning.selection.cells import BUCKETS, Part, differing
from potluck.learning.selection.distances import sums_of
from potluck.learning.selection.read import cells
from potluck.learning.statistics.kind import KINDS, METAS, TESTS, StatisticKind, no_cells
from potluck.learning.statistics.opens import Number, elsewhere, rows_alone
from potluck.learning.statistics.parts import parted
from potluck.secret.container import Secret
from potluck.secret.multiset import numbers
from potluck.tasks.sums.rows import rows_of
from support.examples import examples
from support.learning.sums import number, stats
from support.owner.engines import IN_PROCESS, ROWS, opened, statistics

KEY = Secret(b"k" * 32)
X, Y = Number("x"), Number("y")
SUMS = sums_of(
    stats({"x": number(0, 10), "y": number(0, 10)}, Statistic(name="s", kind="count")), [(X,), (X, Y), (Y, Y)]
)
FEW = 5


def marked(hashes):
    return numbers(KEY, (int(one).to_bytes(8, "little") for one in hashes), b"potluck known")


def cell(rows):
    """Of rows by number."""
    part = Part("rows", frozenset({of.ROWS}))
    part.add(np.zeros(len(rows), np.int64), marked(rows))
    (found,) = part.cells(0)
    return found


def apart(one, other):
    return int(differing(cell(one), cell(other).sketch[None, :])[0])


@pytest.fixture(autouse=True)
def as_large(monkeypatch):
    monkeypatch.setattr(csv_file, "FEW", 0)
    for streaming in (csv_file, arrow, memory):
        monkeypatch.setattr(streaming, "CHUNK", 5)


def counts_of_sums(plan, rows, one):
    """What the query of the sums says of a kind that counts: the numbers of its places."""
    step = next(part.step for part in rows.sums.grid.parts if part.name == one.name)
    return [round(steps * step) for steps in rows.sums.steps[one.name]]


@pytest.mark.parametrize(
    "maker", [IN_PROCESS[1][1], pytest.param(IN_PROCESS[2][1], marks=pytest.mark.slow)], ids=["csv", "parquet"]
)
@given(plan=statistics(), given_rows=ROWS)
@settings(deadline=None, max_examples=examples(15))
def test_cells_have_the_rows_that_the_query_of_the_sums_counts(maker, plan, given_rows, tmp_path_factory):
    folder = tmp_path_factory.mktemp("cells")
    source = opened(maker(folder, given_rows, plan.data), plan.data)
    try:
        rows = rows_of(source, plan, "a")
    except DataError:  # no row is left, or one does not fit
        return
    found = cells(source, plan, rows, "a", source.names(), marked)
    everything = [one for one in found if one.of == "all rows"]
    assert [one.rows for one in everything] == [rows.tally.used]
    for one in parted(plan):
        mine = [some for some in found if some.of == one.name or some.of.startswith(f"{one.name} where ")]
        whole = [some.rows for some in mine if some.of == one.name]
        assert whole == [count for count in [rows.tally.statistics[one.name]] if count]
        if one.kind in ("count", "histogram", "contingency", "missing") and (one.by or one.kind != "count"):
            last = max((some.part for some in mine), default=0)  # the finest one
            fine = sorted(some.rows for some in mine if some.part == last)
            assert fine == sorted(count for count in counts_of_sums(plan, rows, one) if count)


def test_only_kinds_that_count_rows_alone_or_on_a_scale_open_no_tables():
    """All others say what they open; one that says nothing cannot be made."""
    every = KINDS.entries | TESTS.entries | METAS.entries
    nothing = {word for word, one in every.items() if one.opens is rows_alone}
    assert nothing == {"count", "quantile", "discover"}  # the last has noise always
    assert {word for word, one in every.items() if one.opens is elsewhere} == {"table1", "test", "meta"}
    with pytest.raises(TypeError, match="opens"):
        StatisticKind(keys=frozenset(), check=no_cells)


def summed(values, low, high, places=None):
    """The cells of sums of one number."""
    plan = stats({"x": number(low, high)}, Statistic(name="s", kind="sum", column="x"))
    part = Part("s", frozenset({"x"}), ["", " there"], sums_of(plan, [(Number("x"),)]))
    rows = np.array(values, float)
    part.add(
        np.zeros(len(rows), np.int64) if places is None else np.array(places), marked(range(len(rows))), {"x": rows}
    )
    return {one.of: (one.rows, one.share) for one in part.cells(0)}


def test_a_sum_is_of_the_rows_away_from_either_end_of_its_range():
    found = summed([0, 90, 95, 120], 90, 100)
    assert found == {"s": (4, 0.0), "s, x above 90": (2, 10 / 15), "s, x below 100": (3, 10 / 25)}
    found = summed([-3, 0, 1], -3, 1, places=[1, 0, -1])
    assert found == {
        "s": (1, 0.0),
        "s, x above -3": (1, 1.0),
        "s, x below 1": (1, 1.0),
        "s there": (1, 0.0),
        "s there, x below 1": (1, 1.0),
        "s there, x other than 0": (1, 1.0),
    }


def test_cells_do_not_depend_on_how_rows_are_read():
    every, some = (of.Part("s", frozenset(), ["", " there"], SUMS) for _ in range(2))
    draw = np.random.default_rng(1)
    x, y, place = draw.uniform(-2, 12, 50), draw.uniform(-2, 12, 50), draw.integers(-1, 2, 50)
    marks = marked(range(50))
    every.add(place, marks, {"x": x, "y": y})
    for at in (slice(0, 7), slice(7, 8), slice(8, 8), slice(8, 50)):
        some.add(place[at], marks[at], {"x": x[at], "y": y[at]})
    first, second = (
        [(one.of, one.rows, pytest.approx(one.share), one.sketch.tolist()) for one in part.cells(0)]
        for part in (every, some)
    )
    assert first == second
    inside = (place == 0) & (np.clip(x, 0, 10) > 0) & (np.clip(y, 0, 10) < 10)
    assert ("s, x above 0 and y below 10", int(inside.sum())) in [(one.of, one.rows) for one in every.cells(0)]


def test_clusters_are_as_few_as_the_smallest_has_rows_or_as_they_are_many():
    for sizes, rows in (([1, 119], 2), ([60, 60], 60), ([1] * 40, 40), ([], None)):
        part = of.Clusters("s", frozenset({"k"}), "k")
        for at in (slice(0, 50), slice(50, None)):
            values = np.repeat(np.arange(len(sizes), dtype=float), sizes)[at]
            part.add(np.zeros(len(values), np.int64), marked(range(len(values))), {"k": values})
        assert [one.rows for one in part.cells(0)] == [one for one in [rows] if one]


def test_clusters_of_persons_are_those_of_a_column_that_says_the_same():
    rows = pd.DataFrame({"x": np.arange(60.0), "k": [0] * 3 + [1] * 27 + [2] * 30})
    rows["who"] = [f"person {one}" for one in rows["k"]]
    line = {"name": "s", "kind": "regression", "family": "gaussian", "target": "x", "features": ("k",)}
    found = {}
    for by in ("k", "who"):
        asked = Statistic(**line, errors="cluster", cluster=by)
        plan = stats({"x": number(0, 60), "k": number(0, 2)}, asked)
        plan = msgspec.structs.replace(plan, data=msgspec.structs.replace(plan.data, person="who"))
        source = opened(rows, plan.data)
        read = rows_of(source, plan, "a")
        found[by] = [one.rows for one in cells(source, plan, read, "a", source.names(), marked) if "clusters" in one.of]
    assert found == {"k": [3], "who": [3]}


rows_by_number = st.sets(st.integers(0, 10**6), min_size=1, max_size=300)


@given(rows_by_number, st.sets(st.integers(2 * 10**6, 3 * 10**6), max_size=FEW - 1), st.data())
@settings(deadline=None)
def test_no_small_difference_is_missed_or_larger_than_it_is(common, new, data):
    gone = data.draw(st.sets(st.sampled_from(sorted(common)), max_size=FEW - 1 - len(new)))
    assume((gone or new) and gone != common)
    assert 1 <= apart(sorted(common), sorted(common - gone | new)) <= len(gone) + len(new)


def test_order_does_not_count_and_copies_do():
    rows = list(range(100))
    assert apart(rows, random.Random(0).sample(rows, 100)) == 0
    assert apart(rows, [*rows, 7]) == 1
    assert apart(rows, [*rows, 7, 7]) == 1  # in the same bucket: at most as many as rows differ


@pytest.mark.slow
@pytest.mark.parametrize(
    ("rows", "most"), [(6, 0.002), *(pytest.param(*one, marks=pytest.mark.slow) for one in ((5, 0.03), (8, 0.0001)))]
)
def test_larger_differences_are_taken_for_small_ones_as_rarely_as_is_said(rows, most):
    """Rows in buckets are balls in bins: how often d of them lie in fewer than FEW, by 200,000 draws."""
    places = marked(range(200_000 * rows)) % BUCKETS
    in_order = np.sort(places.reshape(-1, rows), axis=1)
    different = 1 + np.count_nonzero(np.diff(in_order, axis=1), axis=1)
    assert np.mean(different < FEW) < most


def test_without_the_key_a_sketch_tells_of_no_row():
    """Whoever guesses a row tests it against a sketch in vain; who has the key does not."""
    other = Secret(b"x" * 32)
    guess = numbers(other, [(7).to_bytes(8, "little")], b"potluck known")[0]
    mine = numbers(KEY, [(7).to_bytes(8, "little")], b"potluck known")[0]
    sketch = cell([7]).sketch
    assert mine in sketch
    assert guess not in sketch
