"""A model as a file of ONNX that takes raw columns: onnxruntime alone gives the scores that Potluck gives, of rows that
nobody saw."""

from datetime import date

import numpy as np
import pandas as pd
import pytest

from potluck.core.errors import DataError, UsageError
from potluck.core.plan import Column, Data, Model, Target, Training
from potluck.core.tables.derived import Derive
from potluck.learning.models.exports.onnx_file import onnx_file
from potluck.learning.models.model import model
from support.learning import raw
from support.learning.sums import category, make, number

onnx = pytest.importorskip("onnx")
running = pytest.importorskip("support.onnx.running")

CASES = [*raw.CASES, *(("trees", side) for side in raw.TARGETS)]
CODES = ("text", "referred", "coded", "truth", "stage")
NEAR = 1e-9
"""Of a probability, or of a number's range."""


def texts(rng, frame):
    """The cells of categories as files spell them: numbers in other ways, blanks around them."""

    def spelled(value):
        if value is None or value != value:
            return ""
        said = str(value).lower() if isinstance(value, bool) else str(value)
        forms = (
            [said, f" {said}\t", f"0{said}", f"+{said}0"]
            if said.replace(".", "").isdigit() and "." in said
            else [said, f"{said} "]
        )
        return forms[rng.integers(len(forms))]

    forms = rng.choice(["%d.%m.%Y", "%Y-%m-%d", " %Y-%m-%dT23:59"], len(frame))
    born = pd.to_datetime(frame.born, format="%d.%m.%Y")
    days = ["" if pd.isna(day) else day.strftime(form) for day, form in zip(born, forms, strict=True)]
    codes = {name: [spelled(value) for value in frame[name].astype(object)] for name in CODES}
    return frame.assign(born=days, **codes)


def fed(frame):
    """The same rows for onnxruntime."""
    numbers = ("plain", "flagged", "filled", "dropped", "dose", "year")
    given = {name: pd.to_numeric(frame[name], errors="coerce").to_numpy(np.float64) for name in numbers}
    return given | {name: frame[name].to_numpy(object) for name in (*CODES, "born")}


def unused(content):
    """Numbers that no node reads: onnxruntime warns of them."""
    graph = onnx.load_from_string(content).graph
    return {one.name for one in graph.initializer} - {name for node in graph.node for name in node.input}


def drawn(case, seed=0):
    """(model, rows, whether its plan asks for what a row lacks)"""
    rng = np.random.default_rng((seed, CASES.index(case)))
    spec = raw.plan(rng, *case)
    one = raw.trees(rng, spec=spec) if case[0] == "trees" else raw.trained(rng, spec)
    frame = texts(rng, raw.rows(rng, spec))
    refused = raw.refused(
        spec, frame.assign(coded=frame.coded.str.strip().replace({"-99": "", "-99.0": "", "-990": ""}))
    )
    return one, frame, refused


@pytest.mark.parametrize("seeds", [range(1), pytest.param(range(1, 20), marks=pytest.mark.slow)], ids=["1", "20"])
@pytest.mark.parametrize(
    "case", [pytest.param(one, marks=[pytest.mark.slow] * (place % 3 > 0)) for place, one in enumerate(CASES)]
)
def test_onnxruntime_scores_raw_columns_as_potluck_does(case, seeds):
    for seed in seeds:
        one, frame, refused = drawn(case, seed)
        content = onnx_file(one, raw=True)
        (said,) = running.run(content, fed(frame))
        assert unused(content) == set()
        wanted = one.scores(frame[~refused]).reshape(-1, one.target.outputs)
        width = one.target.high - one.target.low if one.target.side == "number" else 1.0
        assert said.dtype == np.float64
        assert np.isnan(said[refused]).all()
        assert 5 < (~np.isnan(wanted[:, 0])).sum() < len(wanted)
        assert np.array_equal(np.isnan(said[~refused]), np.isnan(wanted))
        assert np.nanmax(np.abs(said[~refused] - wanted)) <= NEAR * width


def linear(columns, size, derive=None, **data):
    """A model of a number, of these columns."""
    spec = make(
        data=Data(
            columns=columns | {"out": number(0, 1)},
            target=Target(column="out"),
            derive=derive or {},
            split=None,
            **data,
        ),
        model=Model(kind="linear"),
        training=Training(method="newton"),
    )
    return model(spec, np.random.default_rng(3).normal(size=size))


def told(one, cells):
    """(what onnxruntime says of one column of texts, what Potluck says), each [n]"""
    (name,) = cells
    (said,) = running.run(onnx_file(one, raw=True), {name: np.array(cells[name], object)})
    return said[:, 0], one.scores(pd.DataFrame(cells))


@pytest.mark.parametrize("fold", [True, False])
def test_texts_are_compared_as_the_plan_folds_them_whatever_characters_they_have(fold):
    values = ("Ja", "ÄRZTIN", "a.b*c|(d", "tab\tin", "İstanbul")
    one = linear({"c": category(*values, missing="flag")}, 7, fold=fold, missing=("", "k.A."))
    cells = [
        *values,
        "ja",
        "JA ",
        "ärztin",
        "ÄRztin",
        "axb*c|(d",
        "a.b*c|d",
        "K.A.",
        "k.A.",
        "kxA.",
        "",
        "\u2003Ja",
        "istanbul",
    ]
    said, wanted = told(one, {"c": cells})
    assert np.array_equal(said, wanted)
    assert len(set(wanted.tolist())) == 7


@pytest.mark.parametrize("decimal", [".", ","])
def test_a_text_that_is_a_number_is_compared_as_one(decimal):
    one = linear({"c": category("0", "1,5", "2.5", "-3", "10", missing="flag")}, 7, decimal=decimal, missing=("", "99"))
    plain = [
        "0",
        "00",
        "-0",
        "1.5",
        "01.50",
        "+1.5",
        "2.5",
        "-3",
        "-03",
        "3",
        "10",
        "010",
        "1",
        "100",
        "99",
        "099",
        "9",
    ]
    more = ["0.", ".0", "10.0", "10.", "99.000", "1,5", "2,5", "1,50", "10,0", ",0", "0,0"]
    said, wanted = told(one, {"c": plain + more})
    assert np.array_equal(said, wanted)
    assert len(set(wanted.tolist())) == 7


def test_what_onnx_cannot_read_is_refused_by_name():
    twice = {
        "once": Derive(kind="log", source="x", low=0, high=3),
        "twice": Derive(kind="log", source="once", low=0, high=1),
    }
    with pytest.raises(UsageError, match="column 'once' is a logarithm or a time"):
        onnx_file(linear({"x": number(1, 9)}, 2, twice), raw=True)
    with pytest.raises(UsageError, match="column 'features' is called as something inside the file"):
        onnx_file(linear({"features": number(1, 9)}, 2), raw=True)


FORMATS = ("%d.%m.%Y", "%m/%d/%Y", "%Y%m%d", "%Y-%m-%d", "%d %m %Y", "%H:%M:%S, %d-%m-%Y", "%d%m%YT%H")
DATES = ["1.2.1950", "31.12.1999", "29.02.2000", "29.02.1900", "31.04.2001", "00.01.2000", "1.13.2000", "19500203"]
ZONES = ["2001-02-29", "2001-02-03T24:00", "2001-02-03 23:59:07.5Z", "2001-02-03T10:00+01:00"]


def written(form, year, month, day):
    return form.replace("%Y", year).replace("%m", month).replace("%d", day).replace("%M", "07").replace("%S", "9")


@pytest.mark.parametrize("form", [FORMATS[0], *(pytest.param(one, marks=pytest.mark.slow) for one in FORMATS[1:])])
def test_a_text_is_the_day_that_the_plan_reads_or_there_is_no_score(form):
    """Days from the year 1 on, in the format, in ISO 8601, and texts that are none."""
    rng = np.random.default_rng(5)
    days = [date.fromordinal(int(one)) for one in rng.integers(1, date(2100, 1, 1).toordinal(), 60)]
    cells = [written(form, f"{one.year:04}", f"{one.month:02}", f"{one.day:02}") for one in days]
    cells += [written(form, "2001", month, day) for month in ("2", "00", "13", "12") for day in ("3", "31", "00")]
    cells = [one.replace("%H", f"{rng.integers(26):02}") for one in cells]
    cells += [*(one.isoformat() for one in days), *DATES, *ZONES, "x", "", " "]
    left = [days[place % 60].isoformat() if place % 7 else "" for place in range(len(cells))]
    stay = Derive(kind="days", source="came", to="left", low=-1e6, high=1e6, missing="flag")
    age = Derive(kind="years", source="came", to="2024-02-29", low=-10, high=2100, missing="flag")
    columns = {"came": Column(kind="date", format=form), "left": Column(kind="date", format="%Y-%m-%d")}
    one, frame = linear(columns, 5, {"stay": stay, "age": age}), pd.DataFrame({"came": cells, "left": left})
    (said,) = running.run(onnx_file(one, raw=True), {name: frame[name].to_numpy(object) for name in columns})
    gone = np.isnan(said[:, 0])
    assert 5 < gone.sum() < 40
    assert said[~gone, 0] == pytest.approx(one.scores(frame[~gone]), abs=1e-9)
    for place in np.flatnonzero(gone)[:: 1 if form != FORMATS[0] else 5]:
        with pytest.raises(DataError):
            one.scores(frame[place : place + 1])
