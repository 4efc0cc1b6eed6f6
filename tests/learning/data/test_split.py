"""A row's side depends on the row, the seed and its ordinal among equal rows; on no other row."""

from collections import Counter

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from potluck.core.plan import Split
from support.examples import examples
from support.learning.sums import frames, heart, hospitals, make, replaced

rows = st.lists(st.tuples(st.integers(0, 10), st.sampled_from("uv"), st.sampled_from("01")), min_size=1, max_size=40)


def sides(cells, seed=0, person=False):
    spec = make()
    data = replaced(spec.data, split=Split(test=0.4, seed=seed), person="who" if person else None)
    frame = pd.DataFrame(cells, columns=["x", "c", "y", "who"] if person else ["x", "c", "y"])
    return frames(replaced(spec, data=data), frame)["a"].test


@settings(max_examples=examples(60))
@given(rows, rows.map(lambda more: more[0]))
def test_appending_a_row_moves_no_other(cells, more):
    assert sides([*cells, more])[:-1].tolist() == sides(cells).tolist()


@settings(max_examples=examples(60))
@given(rows, st.randoms(use_true_random=False))
def test_order_does_not_matter(cells, shuffler):
    """As many of each kind of row are held out whatever the order of the file."""

    def held(some):
        return sorted(row for row, out in zip(some, sides(some), strict=True) if out)

    mixed = list(cells)
    shuffler.shuffle(mixed)
    assert held(mixed) == held(cells)


def by_side(cells, split):
    """How many of each kind of row are on each side: (side, row). The last cell is what the split column says."""
    spec = make()
    spec = replaced(spec, data=replaced(spec.data, split=split))
    table = frames(spec, pd.DataFrame(cells, columns=["x", "c", "y", "fold"]))["a"]
    where = np.where(table.test, "test", np.where(table.train, "train", "validation")).tolist()
    return Counter((side, *row[:3]) for side, row in zip(where, cells, strict=True))


folds = st.tuples(st.integers(0, 2), st.sampled_from("uv"), st.sampled_from("01"), st.sampled_from(["test", "train"]))


@given(
    st.lists(folds, min_size=1, max_size=30),
    folds,
    st.integers(0, 29),
    st.sampled_from([Split(test=0.3, validation=0.4), Split(column="fold", validation=0.5)]),
)
def test_a_row_more_is_one_row_more_on_one_side_wherever_it_comes(cells, more, place, split):
    """Else one row would move the training sum and the metrics both, and noise for a row covers one of them."""
    before, after = by_side(cells, split), by_side([*cells[:place], more, *cells[place:]], split)
    assert (before - after).total() == 0
    assert (after - before).total() == 1


def test_a_test_row_takes_no_equal_row_out_of_training():
    split = Split(column="fold", validation=0.5)
    for x in range(11):
        alone, beside = [(x, "u", "0", "train")], [(x, "u", "0", "test"), (x, "u", "0", "train")]
        assert by_side(beside, split) - by_side(alone, split) == Counter({("test", x, "u", "0"): 1})


def test_equal_rows_do_not_all_go_to_one_side():
    found = sides([(1, "u", "1")] * 200)
    assert 40 < found.sum() < 120


def test_the_seed_and_only_the_seed_reshuffles():
    cells = [(i % 11, "uv"[i % 2], "01"[i % 3 % 2]) for i in range(200)]
    assert sides(cells, 1).tolist() == sides(cells, 1).tolist()
    assert sides(cells, 1).tolist() != sides(cells, 2).tolist()


def test_a_person_is_on_one_side_wherever_the_rows_are():
    cells = [(i % 11, "u", "01"[i % 2], f"p{i % 25}") for i in range(200)]
    found = sides(cells, person=True)
    side = {}
    for (*_, who), out in zip(cells, found, strict=True):
        assert side.setdefault(who, out) == out
    assert 0 < found.sum() < 200


def test_the_share_is_about_right_on_the_heart():
    spec = heart()
    table = hospitals(spec)
    held, total = sum(t.test.sum() for t in table.values()), sum(t.rows for t in table.values())
    assert held / total == pytest.approx(0.34, abs=0.05)


def test_a_value_written_in_another_way_is_on_the_same_side():
    spec = make()
    first = pd.DataFrame({"x": ["0.1", "3", "7.30"] * 20, "c": "u", "y": "1"})
    second = pd.DataFrame({"x": np.array([0.1 + 2**-55, 3, 7.3] * 20), "c": "u", "y": 1.0})
    assert frames(spec, first)["a"].test.tolist() == frames(spec, second)["a"].test.tolist()
