"""Quantiles and survival as whole runs: the same under every protection, and shown wherever results are."""

import numpy as np
import pytest

import potluck
from potluck.api.results.outcome import Run
from support.learning.rossi import by_age, rossi

COLUMNS = {
    "age": {"kind": "number", "low": 16, "high": 48, "unit": "years"},
    "week": {"kind": "number", "low": 1, "high": 53},
    "arrest": {"kind": "category", "values": ["0", "1"]},
    "fin": {"kind": "category", "values": ["0", "1"]},
    "mar": {"kind": "category", "values": ["0", "1"]},
}
ASKED = [
    {"name": "ages", "kind": "quantile", "column": "age", "bins": 32, "by": "fin"},
    {"name": "free", "kind": "survival", "time": "week", "event": "arrest", "bins": 52, "by": "fin"},
]
COMPETING = {"name": "each", "kind": "survival", "time": "week", "event": "mar", "outcomes": ["1", "0"], "bins": 13}


def plan(scheme, asked, privacy):
    return potluck.Plan(
        name="shapes",
        purpose="statistics of many shapes",
        task="statistics",
        federation={"sites": list("abc"), "server": "curious"},
        data={"columns": COLUMNS, "max_rows": 500},
        statistics=asked,
        protect={"with": scheme},
        privacy=privacy,
    )


def sites():
    return {name: rows[list(COLUMNS)] for name, rows in by_age(rossi()).items()}


@pytest.mark.parametrize(
    "scheme", ["mask", *(pytest.param(word, marks=pytest.mark.slow) for word in ("share", "he", "tee"))]
)
def test_a_protection_opens_what_clear_opens(scheme, tmp_path):
    exact, asked = {"noise": "none"}, [*ASKED, COMPETING]
    plain, found = (potluck.run(plan(word, asked, exact), sites(), out=tmp_path / word) for word in ("clear", scheme))
    assert found.document["results"] == plain.document["results"]
    assert [one["value"] for one in found.document["results"]["ages"]["quantiles"]] == [20, 23, 27]
    assert found.document["results"]["free"]["survival"][-1] == pytest.approx(0.736111111)


def test_values_are_tidy_frames_too_from_the_run_and_from_its_folder(tmp_path):
    asked = [
        {"name": "mean", "kind": "mean", "column": "age", "by": "fin"},
        {"name": "bars", "kind": "histogram", "column": "age", "bins": 4},
        {"name": "table", "kind": "contingency", "columns": ["fin", "arrest"]},
    ]
    found = potluck.run(plan("clear", asked, {"noise": "none"}), sites(), out=tmp_path / "run")
    rows = rossi()
    mean = found.frames["mean"]
    assert mean.set_index("of")["value"].to_dict() == pytest.approx(
        {"all": rows["age"].mean(), **{str(fin): one.mean() for fin, one in rows.groupby("fin")["age"]}}
    )
    assert found.frames["bars"][["from", "to"]].values.tolist() == [[16, 24], [24, 32], [32, 40], [40, 48]]
    assert found.frames["bars"]["rows"].tolist() == np.histogram(rows["age"], bins=4, range=(16, 48))[0].tolist()
    assert found.frames["table"].set_index(["fin", "arrest"])["rows"].to_dict() == {
        ("0", "0"): 150, ("0", "1"): 66, ("1", "0"): 168, ("1", "1"): 48,
    }  # fmt: skip
    assert all(one.equals(found.frames[name]) for name, one in Run.read(found.folder).frames.items())


@pytest.mark.slow
@pytest.mark.usefixtures("repeatable")
def test_a_noised_run_is_shown_in_frames_report_and_terminal(tmp_path):
    noise = {"noise": "shared", "unit": "row", "epsilon": 8.0, "delta": 1e-5}
    made = plan("mask", ASKED, noise)
    found = potluck.run(made, sites(), out=tmp_path / "run")
    assert set(found.frames) == {"ages", "ages.shares", "free", "free.logrank", "free.curve"}
    curve = found.frames["free.curve"]
    assert list(curve.columns) == ["of", "week", "at risk", "events", "survival", "low", "high"]
    assert (curve["of"].value_counts() == 52).all()
    assert list(found.frames["free"]["rows"].round(-2)) == [400, 200, 200]
    everybody = curve[curve["of"] == "all"]
    assert np.abs(everybody["survival"].iloc[-1] - 0.736) < 0.1
    assert found.document["results"]["free"]["logrank"]["df"] == 1
    mean = found.document["results"]["free"]["rmst"]
    assert mean["low"] < mean["value"] < mean["high"]
    page = (found.folder / "report.html").read_text(encoding="utf-8")
    for said in ("share without an event", "Do the groups differ?", "share of rows below", "lower edge of its bin"):
        assert said in page
    assert Run.read(found.folder).frames["ages"].equals(found.frames["ages"])
    assert "share without an event" in found._repr_html_()
    assert "mean until 52" in found._repr_html_()
