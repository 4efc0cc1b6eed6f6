"""Proportional hazards against statsmodels' PHReg on the pooled rows, and known answers on Rossi's rows."""

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm

import potluck
from potluck.learning.statistics.statistics import courses
from support.learning.rossi import COLUMNS, FEATURES, by_age, rossi

STATED = COLUMNS | {"wexp": {"kind": "category", "values": ["0", "1"]}}


def plan(*wanted, columns=COLUMNS, **more):
    usual = {"kind": "cox", "time": "week", "event": "arrest", "features": list(FEATURES), "bins": 52}
    return potluck.Plan(
        **{
            "name": "hazards",
            "purpose": "hazards",
            "task": "statistics",
            "federation": {"sites": ["a", "b", "c"], "server": "curious"},
            "data": {"columns": columns, "max_rows": 500},
            "protect": {"with": "mask"},
            "privacy": {"noise": "none"},
            "statistics": [{**usual, **one} for one in wanted],
        }
        | more
    )


def test_hazards_of_rossis_rows_are_the_known_ones(tmp_path):
    run = potluck.run(plan({"name": "one"}), by_age(rossi()), out=tmp_path / "run")
    one = run.document["results"]["one"]
    known = {
        "fin": -0.379021888,
        "age": -0.057245925,
        "race": 0.314129765,
        "wexp": -0.1511146,
        "mar": -0.432782573,
        "paro": -0.084982836,
        "prio": 0.091111541,
    }
    assert {name: found["value"] for name, found in one["coefficients"].items()} == pytest.approx(known, abs=1e-8)
    assert one["coefficients"]["fin"]["se"] == pytest.approx(0.19136443, abs=1e-8)
    assert one["coefficients"]["fin"]["ratio"] == pytest.approx(np.exp(-0.379021888), abs=1e-8)
    assert one["loglik"] == pytest.approx(-659.1206056773, abs=1e-9)
    hazard = one["baseline"]["all"]
    assert hazard["cumulative"][-1] == pytest.approx(0.9507273949, abs=1e-9)
    assert hazard["times"] == list(range(1, 53))
    assert hazard["at_risk"][0] == one["n"] == 432
    assert sum(hazard["events"]) == one["events"] == 114
    assert len(run.document["rounds"]) == one["rounds"] <= 6
    assert run.frames["one"].shape == (7, 9)
    assert run.frames["one.baseline"]["events"].sum() == 114


def test_strata_and_products_are_those_of_statsmodels(tmp_path):
    rows = rossi()
    features = [name for name in FEATURES if name != "wexp"]
    asked = {"name": "one", "features": [*features, "age:prio"], "strata": "wexp"}
    one = potluck.run(plan(asked, columns=STATED), by_age(rows), out=tmp_path / "run").document["results"]["one"]
    x = rows[features].assign(both=rows["age"] * rows["prio"]).astype(float)
    model = sm.PHReg(rows["week"], x, status=rows["arrest"], strata=rows["wexp"], ties="breslow").fit(disp=0)
    assert [found["value"] for found in one["coefficients"].values()] == pytest.approx(model.params.tolist(), rel=1e-6)
    assert [found["se"] for found in one["coefficients"].values()] == pytest.approx(model.bse.tolist(), rel=1e-6)
    assert one["loglik"] == pytest.approx(model.llf, rel=1e-9)
    assert list(one["baseline"]) == ["0", "1"]


def test_ten_features_and_a_year_of_weeks_take_as_many_numbers_as_are_known():
    columns = {f"x{i}": {"kind": "number", "low": 0, "high": 1} for i in range(10)} | COLUMNS
    spec = plan({"name": "one", "features": [f"x{i}" for i in range(10)]}, columns=columns).spec
    (course,) = courses(spec).values()
    assert [course.layout(step, course.start()).size for step in (0, 1, 2)] == [3432 + 62, 3432, 3432]


def test_what_cannot_be_fitted_is_refused_in_words(tmp_path):
    rows = rossi()
    alike = rows.assign(race=rows["fin"])
    asked = {"name": "one", "features": ["fin", "race"]}
    one = potluck.run(plan(asked), by_age(alike), out=tmp_path / "1").document["results"]["one"]
    assert one["coefficients"] is None
    assert "fin, race determine one another" in one["refused"]
    never = pd.concat([rows.assign(arrest=0)])
    one = potluck.run(plan({"name": "one"}), by_age(never), out=tmp_path / "2").document["results"]["one"]
    assert (one["coefficients"], one["events"]) == (None, 0)
    assert "no row that counts has the event" in one["refused"]
    apart = rows.assign(fin=rows["arrest"])
    one = potluck.run(plan({"name": "one", "features": ["fin"], "rounds": 30}), by_age(apart), out=tmp_path / "3")
    assert "the coefficients of fin grow" in one.document["results"]["one"]["refused"]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"time": "arrest"}, "time: arrest is a category"),
        ({"event": "week"}, "event: week is a number"),
        ({"events": ["2"]}, "events: some of the values"),
        ({"features": ["week"]}, "features: week has another part"),
        ({"features": []}, "features: is missing"),
        ({"strata": "age"}, "strata: age is a number"),
        ({"by": "arrest"}, "by: hazards have one fit"),
    ],
)
def test_what_does_not_fit_is_an_error_of_check(change, words):
    assert any(words in error for error in potluck.check(plan({"name": "one", **change})).errors)


def test_noise_is_refused_with_what_holds_instead():
    noise = {"noise": "shared", "unit": "row", "epsilon": 1.0, "delta": 1e-5}
    (error,) = potluck.check(plan({"name": "one"}, privacy=noise)).errors
    assert "cox is refused with noise" in error
    assert "log-rank" in error


def test_check_says_that_a_row_that_exits_alone_can_be_read_off():
    assert any("exits alone in its bin" in warning for warning in potluck.check(plan({"name": "one"})).warnings)
