"""Pictures: right geometry, well-formed whatever the numbers, safe whatever the names."""

import math
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from potluck.report import charts, symbols
from potluck.report.charts import Bar, Mark, Row
from potluck.report.drawing import shortened
from potluck.report.scales import factors_between
from support.report.tree import Tree

FINITE = st.floats(-1e100, 1e100)
MAYBE = st.none() | FINITE
MARKS = st.builds(Mark, FINITE, MAYBE, MAYBE, st.sampled_from(["dot", "ring", "diamond", "square"]))
ROWS = st.lists(st.builds(Row, st.text(max_size=20), st.tuples(MARKS) | st.just(()), st.text(max_size=8)), max_size=5)
BARS = st.lists(st.builds(Bar, FINITE, st.floats(0, 1e9), MAYBE, MAYBE, st.booleans(), st.text(max_size=5)), max_size=6)


def _sound(svg: str) -> Tree:
    tree = Tree(svg)
    assert tree.errors == []
    assert tree.tags[0][1]["role"] == "img"
    for _, attrs, _ in tree.tags:
        for name in ("x", "y", "x1", "x2", "y1", "y2", "cx", "cy", "width", "height", "r"):
            number = attrs.get(name, "0").removesuffix("%")
            assert re.fullmatch(r"-?\d+(\.\d+)?", number), (name, number)
            if name in {"width", "height", "r"}:
                assert float(number) >= 0
    return tree


@given(ROWS, BARS)
def test_no_number_and_no_name_breaks_a_picture(rows, bars):
    _sound(charts.dots("a", "t", "d", rows))
    _sound(charts.levers("a", "t", "d", rows))
    _sound(charts.columns("a", "t", "d", bars, [(0.0, "0"), (1.0, "1")]))


@given(FINITE, FINITE)
def test_ticks_lie_within(low, high):
    for value, said in charts.ticks(low, high):
        slack = (high - low) * 1e-6
        assert low - slack <= value <= high + slack
        assert said


def test_ends_that_no_step_fits_between_have_no_ticks():
    assert charts.ticks(0.0, 5e-324) == []
    assert charts.ticks(-1.7e308, 1.7e308) == []


def test_ticks_are_round_and_written_with_the_decimals_they_need():
    assert [said for _, said in charts.ticks(0.58, 0.95)] == ["0.6", "0.7", "0.8", "0.9"]
    assert [said for _, said in charts.ticks(-40_000, 68_000)] == [
        "−40,000",
        "−20,000",
        "0",
        "20,000",
        "40,000",
        "60,000",
    ]
    assert charts.ticks(1.0, 1.0) == []


def test_marks_are_placed_in_proportion():
    rows = [Row(name, (Mark(value),), "v") for name, value in (("a", 0.0), ("b", 0.5), ("c", 1.0))]
    at = [float(x) for x in re.findall(r'<circle cx="([\d.]+)%"', charts.dots("i", "t", "d", rows))]
    assert at[1] - at[0] == pytest.approx(at[2] - at[1], abs=0.02)
    assert charts.PLOT[0] < at[0] < at[2] < charts.PLOT[1]


def test_bars_are_as_high_as_their_values():
    svg = charts.columns("i", "t", "d", [Bar(10.0), Bar(5.0, down=2.5), Bar(-2.5)], [])
    heights = [float(h) for h in re.findall(r'<rect [^>]*height="([\d.]+)"', svg)]
    assert heights == pytest.approx([152.0, 76.0, 38.0, 38.0], abs=0.2)


def test_a_hundred_squares_are_a_hundred_squares():
    svg = symbols.hundred("i", "t", "d", 50, 73)
    squares = re.findall(r"<rect [^>]*>", svg)
    assert len(squares) == 100
    assert sum("i-hatch" in square for square in squares) == 23
    assert sum('fill="none"' in square for square in squares) == 27


def test_series_differ_in_shape_and_not_in_colour_alone():
    drawn = {re.sub(r"var\([^)]*\)+", "", charts.shape(kind)) for kind in ("dot", "ring", "diamond", "square")}
    assert len(drawn) == 4


def test_a_drop_out_is_marked_and_named():
    tree = _sound(charts.columns("i", "t", "d", [Bar(1.0), Bar(1.0, flag="round 2: <va> left")], []))
    assert "round 2: <va> left" in tree.words()


def test_every_site_has_a_seat_at_the_table():
    for sites in (1, 4, 60):
        svg = symbols.gathering("i", "t", "d", sites, covered=True)
        _sound(svg)
        assert len(re.findall("<circle", svg)) == sites + 2


def test_names_are_escaped():
    tree = _sound(charts.dots("i", "<t>", "&d", [Row("<script>", (Mark(1.0),), "<b>")]))
    assert {tag for tag, _, _ in tree.tags}.isdisjoint({"script", "b", "t"})


@pytest.mark.parametrize("ends", [(5e-324, 1e-323), (6.5e-307, 1.0), (1e300, 1.7e308)])
def test_a_scale_of_factors_ends_where_floats_do(ends):
    low, high = (math.log10(one) for one in ends)
    assert all(low <= math.log10(one) <= high for one, _ in factors_between(low, high))


NAMES = ("diagnosis = malignant", "diagnosis = malignant, treated", "diagnosis = benign")


@pytest.mark.parametrize("draw", ["dots", "levers", "boxes"])
def test_names_that_a_phone_has_no_room_for_stand_above_their_marks_whole(draw):
    def drawn(names):
        if draw == "boxes":
            return charts.boxes("a", "t", "d", [(name, (0, 1, 2, 3, 4), "2") for name in names], "x")
        return getattr(charts, draw)("a", "t", "d", [Row(name, (Mark(1.0),), "1") for name in names])

    boxes = [(attrs, text) for tag, attrs, text in _sound(drawn(NAMES)).tags if tag == "svg" and "overflow" in attrs]
    names = [attrs["width"] for attrs, _ in boxes if attrs["overflow"] == "hidden"]
    assert names == ["100%"] * 3  # the whole width: 40 letters fit on a phone
    for name in NAMES:
        assert f">{name}</text>" in drawn(NAMES)
    short = [attrs for tag, attrs, _ in _sound(drawn(("all", "sex = 1"))).tags if attrs.get("overflow") == "hidden"]
    assert {attrs["width"] for attrs in short} < {"25.0%", "34.5%"}


@given(st.lists(st.text(max_size=60), max_size=8), st.integers(8, 40))
def test_names_that_differ_are_never_written_alike(names, most):
    short = shortened(names, most)
    assert [a == b for a in short for b in short] == [a == b for a in names for b in names]
    assert all(len(one) <= most + len(" (8)") for one in short)


def test_a_name_is_cut_where_it_tells_least():
    long = ["a share of patients with a malignant tumour = yes", "a share of patients with a malignant tumour = no"]
    assert [one[-5:] for one in shortened(long)] == ["= yes", "r = no"[-5:]]
