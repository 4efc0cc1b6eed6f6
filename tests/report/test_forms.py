"""Whatever a statistic shows is drawn by its form, well-formed, with every number in a table, and safe."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from potluck.learning.statistics.forms import Bars, Box, Boxes, Curve, Curves, Dot, Dots, Frame, Grid
from potluck.learning.statistics.kinds import KINDS
from potluck.report import details as d
from potluck.report.forms import PICTURES, Picture, Tabled
from potluck.report.forms import shown as drawn
from potluck.report.graphs import CURVES
from potluck.report.statistics import statistics
from support.report.samples import shown
from support.report.tree import Tree

NUMBER = st.none() | st.floats(-1e100, 1e100) | st.integers(-9, 9)
NUMBERS = st.lists(NUMBER, min_size=3, max_size=3).map(tuple)
CURVE = st.builds(
    Curve, name=st.text(max_size=9), x=st.just((0.0, 1.0, 4.0)), y=NUMBERS, low=NUMBERS, high=NUMBERS, counts=NUMBERS
)
WORDS = st.text(max_size=9)
DOT = st.builds(Dot, name=WORDS, value=NUMBER, low=NUMBER, high=NUMBER)
ROW = st.tuples(WORDS, NUMBER, NUMBER)


def many(some):
    return st.lists(some, max_size=8).map(tuple)


FORMS = st.one_of(
    st.builds(Dots, dots=many(DOT), level=NUMBER, factors=st.booleans()),
    st.builds(Curves, x=WORDS, y=WORDS, curves=many(CURVE), steps=st.booleans(), beneath=WORDS),
    st.builds(Bars, x=WORDS, y=WORDS, edges=st.just((0.0, 1.0, 2.5, 3.0)), values=NUMBERS, low=NUMBERS, high=NUMBERS),
    st.builds(
        Boxes,
        x=WORDS,
        boxes=many(st.builds(Box, name=WORDS, q1=NUMBER, median=NUMBER, q3=NUMBER, low=NUMBER, high=NUMBER)),
    ),
    st.builds(Frame, head=st.just(("of", "n", "low")), rows=many(ROW)),
    st.builds(
        Grid,
        down=WORDS,
        across=WORDS,
        rows=st.just(("p", "q")),
        columns=st.just(("u", "v", "w")),
        values=st.tuples(NUMBERS, NUMBERS),
        deepest=st.none() | st.just(1.0),
    ),
)


@given(st.lists(FORMS, max_size=4))
def test_no_form_breaks_a_picture_and_each_survives_as_bytes(forms):
    asked = d.Question(name="<b>n</b>", forms=tuple(forms))
    for part in drawn("i", asked):
        assert Tree(getattr(part, "svg", "")).errors == []
    again = msgspec.json.decode(d.dump(d.Details(questions=(asked,))), type=d.Details)
    assert len(again.questions[0].forms) == len(forms)


def test_a_page_draws_every_form_and_says_every_number(page):
    tree = Tree(page(*shown()))
    text = tree.words()
    assert tree.errors == []
    for said in (
        "alive after days",
        "in arm <b>A</b>",
        "0.75",
        "down: sex, across: site",
        "whom it is about",
        "overall survival, all numbers",
    ):
        assert said in text, said
    assert "<b>A</b>" in text  # as text, never as markup
    assert len([one for one in tree.named("svg") if one.get("id", "").startswith("statistic-1-")]) == 4
    assert "1,234" in text  # at risk at time 0


def picture(form, name="n"):
    (found,) = drawn("i", d.Question(name=name, forms=(form,)))
    return found.svg


def test_more_curves_than_a_picture_holds_are_said_to_be_in_the_table():
    curves = tuple(Curve(name=f"c{i}", x=(0.0, 1.0), y=(1.0, 0.5)) for i in range(CURVES + 2))
    said = picture(Curves(x="t", y="s", curves=curves))
    assert "2 more are in the table" in said
    assert f">c{CURVES - 1}<" in said
    assert f">c{CURVES}<" not in said


@pytest.mark.parametrize("steps", [True, False])
def test_a_step_holds_to_the_next_point_and_a_line_goes_there(steps):
    form = Curves(x="t", y="s", curves=(Curve(name="", x=(0.0, 1.0), y=(1.0, 0.0)),), steps=steps)
    (path,) = Tree(picture(form)).named("path")
    assert path["d"] == ("M0.000 0.00L100.000 0.00L100.000 210.00" if steps else "M0.000 0.00L100.000 210.00")


def test_a_band_ends_where_it_is_not_known_and_holds_as_its_curve_does():
    curve = Curve(name="", x=(0.0, 1.0, 2.0), y=(1.0, 0.5, 0.5), low=(1.0, 0.0, None), high=(1.0, 1.0, 1.0))
    band, _ = Tree(picture(Curves(x="t", y="s", curves=(curve,), steps=True))).named("path")
    assert band["d"] == "M0.000 0.00L50.000 0.00L50.000 210.00L50.000 0.00L0.000 0.00Z"


def test_how_many_are_at_risk_stands_under_the_axis():
    """At a tick between two points, those of the later one: whoever left before the tick is gone."""
    curve = Curve(name="", x=(0.0, 3.0, 7.0, 10.0), y=(1.0, 0.9, 0.8, 0.7), counts=(1000, 900.4, 800, 700))
    form = Curves(x="t", y="s", curves=(curve,), steps=True, beneath="at risk")
    tree = Tree(picture(form))
    at = {
        one["x"]: said
        for (_, one, _), said in zip(
            [tag for tag in tree.tags if tag[0] == "text"],
            [said for tag, said in tree.text if tag == "text"],
            strict=True,
        )
        if one["y"] == str(max(float(o["y"]) for o in tree.named("text")))
    }
    assert list(at.values()) == ["1,000", "900", "800", "800", "700", "700"]
    assert "at risk" in tree.words()
    assert "1,000" not in picture(msgspec.structs.replace(form, beneath=""))


def test_factors_lie_as_far_from_one_to_either_side():
    dots = (Dot(name="half", value=0.5, low=0.25, high=1.0), Dot(name="twice", value=2.0), Dot(name="no", value=None))
    tree = Tree(picture(Dots(dots=dots, level=1.0, factors=True)))
    half, twice = (float(one["cx"].rstrip("%")) for one in tree.named("circle"))
    (level,) = {float(one["x1"].rstrip("%")) for one in tree.named("line") if one["y1"] == "2.0"}
    assert twice - level == pytest.approx(level - half, abs=0.02)
    assert "no" in tree.words()
    assert "–" in tree.words()


def test_a_box_spans_the_quartiles():
    form = Boxes(x="age", boxes=(Box(name="A", q1=10, median=20, q3=40, low=0, high=50),))
    tree = Tree(picture(form))
    box = tree.named("rect")[0]
    first, wide = float(box["x"].rstrip("%")), float(box["width"].rstrip("%"))
    ((median,), (start, end)) = (
        [float(one[key].rstrip("%")) for one in tree.named("line") if one["stroke-width"] == width for key in keys]
        for width, keys in (("3.5", ["x1"]), ("1.5", ["x1", "x2"]))
    )
    assert "20.0" not in tree.words()
    assert (median - first) / wide == pytest.approx(1 / 3, abs=0.01)
    assert (end - start) / wide == pytest.approx(5 / 3, abs=0.01)


def test_columns_that_say_nothing_are_left_out_and_small_numbers_keep_their_digits():
    rows = (("a", 1000.0, 1000.0, 1000.0, 0.5), ("b", 2.0, 2.0, 2.0, 4e-9))
    exact = Frame(head=("of", "value", "low", "high", "p"), rows=rows)
    (table,) = drawn("i", d.Question(name="n", forms=(exact,)))
    assert (table.head, table.rows) == (("of", "value", "p"), (("a", "1,000", "0.5000"), ("b", "2", "4 × 10⁻⁹")))
    noised = Frame(head=("of", "value", "low", "high"), rows=(("a", 3.0, 2.5, 3.5), ("b", 4.0, 4.0, 4.0)))
    (table,) = drawn("i", d.Question(name="n", forms=(noised,)))
    assert table.rows == (("a", "3.0", "2.5", "3.5"), ("b", "4.0", "4.0", "4.0"))


def test_one_number_is_said_large_and_several_are_drawn():
    def one(*dots):
        frame = Frame(head=("of", "value"), rows=(("all", 1),), long=True)
        (found,) = statistics(d.Details(questions=(d.Question(name="n", unit="kg", forms=(Dots(dots=dots), frame)),)))
        return found

    alone, two = one(Dot(name="all", value=1.5, low=1, high=2)), one(Dot(name="a", value=1), Dot(name="b", value=2))
    assert (alone.big, alone.interval, alone.shown) == ("1.500 kg", "1.000 to 2.000", ())
    assert two.big == ""
    assert [type(part) for part in two.shown] == [Picture, Tabled]


def test_a_count_below_zero_is_no_headline():
    def of(value, low, high, least=0.0):
        frame = Frame(head=("of", "value"), rows=(("all", 1),), long=True)
        forms = (Dots(dots=(Dot(name="all", value=value, low=low, high=high),)), frame)
        (found,) = statistics(d.Details(questions=(d.Question(name="n", least=least, forms=forms),)))
        return found.big, found.interval, found.opened

    assert of(-14.0, -30.5, 2.5) == ("0 to 3", "", "−14.00")
    assert of(-14.0, -30.5, -2.0) == ("0", "", "−14.00")  # the noise missed its interval: no number of rows is left
    assert of(3.0, -2.0, 8.0) == ("3", "−2 to 8", "")
    assert of(-14.0, -15.0, -13.0, None) == ("−14", "−15 to −13", "")  # a mean of temperatures


def test_counts_alone_cannot_be_below_zero():
    kinds = {word for word, one in KINDS.entries.items() if one.least is not None}
    assert kinds == {"count", "distinct"}


def test_a_statistic_of_many_groups_has_some_of_its_pictures():
    bars = Bars(x="x", y="rows", edges=(0.0, 1.0), values=(1,), low=(1,), high=(1,))
    assert len(drawn("i", d.Question(name="n", forms=(bars,) * 40))) == PICTURES
