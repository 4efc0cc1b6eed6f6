"""A run's pictures by matplotlib: what is drawn is what the run's documents say, and names are nothing but names."""

import math
import sys

import msgspec
import pytest
from matplotlib._pylab_helpers import Gcf
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_hex
from matplotlib.text import Text

from potluck.api.results.outcome import Run
from potluck.core.errors import UsageError
from potluck.learning.statistics.forms import Box, Boxes, Curve, Curves, Dot, Dots, Grid
from potluck.report import details as d
from potluck.report.plots.drawn import figure
from potluck.report.plots.pictures import Panel, chosen, pictures
from support.report import samples

EVIL = "$\\frac{1}{0$ <script>alert(1)</script> \u202e \x1b[2J \\$x_1$"


def made(tmp_path, name):
    return Run.read(samples.write(tmp_path / name, *samples.SAMPLES[name]()))


def numbers(found):
    """Every number of a document."""
    if isinstance(found, dict):
        return {n for one in found.values() for n in numbers(one)}
    if isinstance(found, list | tuple):
        return {n for one in found for n in numbers(one)}
    return {float(found)} if isinstance(found, int | float) else set()


def lines(axes):
    """(x, y) of each stroke, but for guides."""
    return [tuple(map(list, one.get_data())) for one in axes.get_lines() if one.get_linestyle() != "--"]


def test_metrics_and_their_intervals_are_drawn_where_the_documents_have_them(tmp_path):
    run, more = samples.clear()
    told = {"auc": 0.8, "auc_low": 0.7, "auc_high": 0.9, "auc_population": [0.65, None], "rows": 80}
    samples.write(tmp_path / "run", run | {"metrics": {"federated": told}}, more)
    (axes,) = Run.read(tmp_path / "run").plot("metrics").get_axes()
    right = axes.get_xlim()[1]
    assert ([0.65, right], [0, 0]) in lines(axes)  # of rows like these, which is wider; its open end goes to the edge
    assert ([0.8], [0]) in lines(axes)
    assert {one.get_marker() for one in axes.get_lines()} >= {"o", "|", ">"}
    assert "on rows like these, from noise and the choice of" in " ".join(axes.get_xlabel().split())
    assert [one.get_text() for one in axes.get_yticklabels()] == ["All held-out rows"]


def test_where_noise_left_no_value_its_interval_alone_is_drawn(tmp_path):
    run, more = samples.clear()
    told = {"auc": None, "auc_low": 0.2, "auc_high": 1.0, "rows": 80}
    samples.write(tmp_path / "run", run | {"metrics": {"federated": told}}, more)
    (axes,) = Run.read(tmp_path / "run").plot("metrics").get_axes()
    assert ([0.2, 1.0], [0, 0]) in lines(axes)
    assert "o" not in {one.get_marker() for one in axes.get_lines()}


def test_an_accuracy_is_drawn_beside_that_of_the_largest_class(tmp_path):
    run, more = samples.clear()
    told = {"labels": ["a", "b", "c"], "said": ["wrong", "right"], "counts": [[6, 40], [20, 9], [22, 4]],
            "largest": {"label": "a", "share": 0.455}}  # fmt: skip
    samples.write(
        tmp_path / "run", run | {"metrics": {"federated": {"accuracy": 0.52, "rows": 101, "confusion": told}}}, more
    )
    found = Run.read(tmp_path / "run")
    (axes,) = found.plot("metrics").get_axes()
    assert [one.get_xdata() for one in axes.get_lines() if one.get_linestyle() == "--"] == [[0.455, 0.455]]
    assert "that of “a”, said of every row" in axes.get_xlabel()
    (axes,) = found.plot("confusion").get_axes()
    assert [one.get_text() for one in axes.get_xticklabels()] == ["wrong", "right"]
    assert "whether the model says so" in axes.get_xlabel()


def test_the_ceiling_of_guesses_is_said_of_the_epsilon_that_it_follows_from(tmp_path):
    """e^.98 / (1 + e^.98) is .727, and e^1.6 / (1 + e^1.6) is .832; both rounded up."""
    run, more = samples.SAMPLES["heart"]()
    spent = tuple(msgspec.structs.replace(one, composed=1.6, composed_delta=2e-5) for one in more.budget)
    folder = samples.write(tmp_path / "run", run, msgspec.structs.replace(more, budget=spent))
    now, grown = (" ".join(one.note.split()) for one in pictures(folder)["epsilon"])
    assert "73 are right by this run, at most 84 by all runs (ε = 1.60 at δ = 2e-05); of a coin 50." in now
    assert "73 are right by this run; of a coin 50." in grown


@pytest.mark.parametrize("name", ["heart", "statistics", "clear"])
def test_no_number_is_drawn_that_the_runs_folder_does_not_hold(tmp_path, name):
    run, more = samples.SAMPLES[name]()
    known = numbers(run) | numbers(msgspec.to_builtins(more)) | {0.0, 0.5, 1.0}
    found = pictures(samples.write(tmp_path / name, run, more))
    assert found
    drawn = numbers([msgspec.to_builtins(one.form) for panels in found.values() for one in panels])
    assert len(drawn) > 2
    assert drawn - known == set()


def test_pictures_are_found_by_name_and_an_unknown_one_lists_them(tmp_path):
    run = made(tmp_path, "statistics")
    assert run.pictures == ("mean_age", "patients", "ages", "pain")
    assert len(run.plot("pain").get_axes()) == 1
    assert len(run.plot().get_axes()) == 4
    with pytest.raises(UsageError, match="there is no picture 'roc'") as stop:
        run.plot("roc")
    assert stop.value.hint == "there are: mean_age, patients, ages, pain"
    with pytest.raises(UsageError, match="nothing of this run can be drawn"):
        made(tmp_path, "aborted").plot()
    with pytest.raises(UsageError, match=r"no run\.json"):
        chosen(tmp_path / "nowhere", None)


def test_without_matplotlib_the_error_says_what_to_install(tmp_path, monkeypatch):
    run = made(tmp_path, "statistics")
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(UsageError, match="matplotlib is missing") as stop:
        run.plot()
    assert stop.value.hint == "pip install 'potluck[plot]'"


@pytest.mark.slow
def test_names_of_a_plan_are_text_and_no_formula(tmp_path):
    """`$` begins a formula in matplotlib, which fails where it is none; letters that nobody sees are cut."""
    run, more = samples.clear()
    run["model"]["coefficients"] = {"intercept": 1.0, EVIL: 2.0}
    line = Curve(name=EVIL, x=(0.0, 1.0), y=(0.0, 1.0))
    questions = (
        d.Question(name=EVIL, asks=EVIL, forms=(Dots(dots=(Dot(name=EVIL, value=1.0),), x=EVIL),)),
        d.Question(name="b", forms=(Grid(down=EVIL, across=EVIL, rows=(EVIL,), columns=(EVIL,), values=((1.0,),)),)),
        d.Question(name="c", forms=(Curves(x=EVIL, y=EVIL, curves=(line,) * 2),)),
    )  # fmt: skip
    folder = samples.write(tmp_path / "run", run, msgspec.structs.replace(more, questions=questions))
    drawn = Run.read(folder).plot()
    assert drawn._repr_png_().startswith(b"\x89PNG")
    said = [one for axes in drawn.get_axes() for one in axes.findobj(Text)]
    named = [one for one in said if "frac" in one.get_text()]
    assert len(named) >= 8
    for one in named:
        text, formula = one._preprocess_math(one.get_text())
        assert not formula
        assert "\x1b" not in text
        assert "\u202e" not in text


def test_series_differ_in_more_than_colour_and_none_is_red_beside_green():
    curve = Curve(name="a", x=(0.0, 0.5, 1.0), y=(0.0, None, 1.0), low=(0.0, None, 0.5), high=(0.5, None, 1.5))
    form = Curves(x="x", y="y", curves=tuple(msgspec.structs.replace(curve, name=n) for n in "abcdefgh"))
    (axes,) = figure([Panel("t", form)], "run").get_axes()
    looks = [(one.get_linestyle(), one.get_marker()) for one in axes.get_lines()]
    assert len(set(looks)) == len(looks) == 6
    assert len({to_hex(one.get_color()) for one in axes.get_lines()}) == 6
    assert "6 of 8 curves" in axes.get_xlabel()
    assert math.isnan(axes.get_lines()[0].get_ydata()[1])  # a gap stays a gap
    assert len(axes.collections) == 6  # its band, too


@pytest.mark.slow
def test_no_word_is_cut_off_at_the_edge_and_long_names_keep_their_ends(tmp_path):
    run, more = samples.SAMPLES["heart"]()
    ward = "Verlegung auf die Intensivstation zur Übernahme"
    run["model"]["coefficients"] = {"intercept": 1.0} | {f"{ward}={end}": 0.5 for end in ("ja", "nein")}
    drawn = Run.read(samples.write(tmp_path / "run", run, more)).plot()
    canvas = FigureCanvasAgg(drawn)
    canvas.draw()
    box = drawn.get_tightbbox(canvas.get_renderer())
    wide, tall = drawn.get_size_inches()
    assert box.x0 >= 0
    assert box.y0 >= 0
    assert box.x1 <= wide
    assert box.y1 <= tall
    said = drawn.findobj(Text)
    names = {one.get_text() for one in said if one.get_text().startswith("Verlegung")}
    assert {(len(name), name.partition("=")[2]) for name in names} == {(34, "ja"), (34, "nein")}


@pytest.mark.slow
def test_many_lines_are_drawn_in_part_and_that_is_said(tmp_path):
    axes = made(tmp_path, "sixty").plot("metrics").get_axes()
    assert all(len(one.get_yticks()) == 40 for one in axes)
    assert all("lines; the report has all" in " ".join(one.get_xlabel().split()) for one in axes)


def test_steps_counts_factors_boxes_and_grids_have_their_numbers():
    stairs = Curve(name="all", x=(0.0, 10.0, 20.0), y=(1.0, 0.5, 0.25), counts=(9, 4, 2))
    panels = [
        Panel("s", Curves(x="days", y="alive", curves=(stairs,), steps=True, beneath="at risk")),
        Panel("f", Dots(dots=(Dot(name="a", value=2.0, low=0.5, high=None), Dot(name="b", value=-1.0)), level=1.0,
                        factors=True)),
        Panel("b", Boxes(x="age", boxes=(Box(name="a", q1=1.0, median=2.0, q3=4.0),))),
        Panel("g", Grid(down="is", across="said", rows=("n", "p"), columns=("n", "p"), values=((3.0, 1.0), (0.0, None)),
                        low=((2.0, 0.0), (-1.0, None)), high=((4.0, 2.0), (1.0, None)))),
    ]  # fmt: skip
    stairs_, factors, boxes, grid = figure(panels, "run").get_axes()
    assert stairs_.get_lines()[0].get_drawstyle() == "steps-post"
    ticks = [one.get_text().split("\n") for one in stairs_.get_xticklabels()]
    assert {(float(at) > 0) + (float(at) > 10): count for at, count in ticks} == {0: "9", 1: "4", 2: "2"}
    assert factors.get_xscale() == "log"
    assert ([2.0], [0]) in lines(factors)
    assert not any(y == [1] for _, y in lines(factors))  # a factor is above 0
    assert [(box.get_x(), box.get_x() + box.get_width()) for box in boxes.patches] == [(1.0, 4.0)]
    assert "3\n2 to 4" in [one.get_text() for one in grid.texts]
    assert not Gcf.figs  # none of pyplot's
