"""Whatever a statistic shows is drawn by its form, well-formed, with every number in a table, and safe."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from potluck.learning.statistics.forms import Curve, Curves, Dot, Dots, Frame, Grid
from potluck.report import details as d
from potluck.report.forms import CURVES, grids, pictures, tables
from support.report.samples import shown
from support.report.tree import Tree

NUMBER = st.none() | st.floats(-1e100, 1e100) | st.integers(-9, 9)
NUMBERS = st.lists(NUMBER, min_size=3, max_size=3).map(tuple)
CURVE = st.builds(Curve, name=st.text(max_size=9), x=st.just((0.0, 1.0, 4.0)), y=NUMBERS, low=NUMBERS, high=NUMBERS)
WORDS = st.text(max_size=9)
DOT = st.builds(Dot, name=WORDS, value=NUMBER, low=NUMBER, high=NUMBER)
ROW = st.tuples(WORDS, NUMBER, NUMBER)


def many(some):
    return st.lists(some, max_size=8).map(tuple)


FORMS = st.one_of(
    st.builds(Dots, dots=many(DOT), level=NUMBER),
    st.builds(Curves, x=WORDS, y=WORDS, curves=many(CURVE), steps=st.booleans()),
    st.builds(Frame, head=st.just(("of", "n", "low")), rows=many(ROW)),
    st.builds(
        Grid,
        down=WORDS,
        across=WORDS,
        rows=st.just(("p", "q")),
        columns=st.just(("u", "v", "w")),
        values=st.tuples(NUMBERS, NUMBERS),
    ),
)


@given(st.lists(FORMS, max_size=4))
def test_no_form_breaks_a_picture_and_each_survives_as_bytes(forms):
    asked = d.Question(name="<b>n</b>", kind="odd", forms=tuple(forms))
    for _, picture in pictures("i", asked):
        assert Tree(picture).errors == []
    tables(asked, long=True)
    grids(asked)
    again = msgspec.json.decode(d.dump(d.Details(questions=(asked,))), type=d.Details)
    assert len(again.questions[0].forms) == len(forms)


def test_a_page_draws_every_form_and_says_every_number(page):
    tree = Tree(page(*shown()))
    text = tree.words()
    assert tree.errors == []
    for said in (
        "alive after days",
        "in arm <b>A</b>",
        "0.750",
        "down: sex, across: site",
        "whom it is about",
        "overall survival, all numbers",
    ):
        assert said in text, said
    assert "<b>A</b>" in text  # as text, never as markup
    assert (
        len([one for _, one, _ in tree.tags if one.get("class") == "chart" and "statistic-1" in one.get("id", "")]) == 2
    )


def test_more_curves_than_a_picture_holds_are_said_to_be_in_the_table():
    curves = tuple(Curve(name=f"c{i}", x=(0.0, 1.0), y=(1.0, 0.5)) for i in range(CURVES + 2))
    ((_, picture),) = pictures("i", d.Question(name="n", kind="k", forms=(Curves(x="t", y="s", curves=curves),)))
    assert "2 more are in the table" in picture
    assert f">c{CURVES - 1}<" in picture
    assert f">c{CURVES}<" not in picture


@pytest.mark.parametrize("steps", [True, False])
def test_a_step_holds_to_the_next_point_and_a_line_goes_there(steps):
    form = Curves(x="t", y="s", curves=(Curve(name="", x=(0.0, 1.0), y=(1.0, 0.0)),), steps=steps)
    ((_, picture),) = pictures("i", d.Question(name="n", kind="k", forms=(form,)))
    strokes = [one for _, one, _ in Tree(picture).tags if one.get("stroke-width") == "2"]
    flat = [one for one in strokes if one["y1"] == one["y2"]]
    assert (len(strokes), len(flat)) == ((2, 1) if steps else (1, 0))
