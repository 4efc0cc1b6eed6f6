"""What a boosted model says of itself: steps that add up to its scores, importances by hand, the report, the verb."""

import json

import numpy as np
import pytest

import potluck
from potluck.api.results.outcome import summary
from potluck.learning.models.boosted.told import MISSING
from support.learning import boosted


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """(an additive model's run, its rows)"""
    frame, columns, target = boosted.mixed()
    made = boosted.plan(columns, target, model={"kind": "additive", "bins": 8}, training={"rounds": 10})
    out = tmp_path_factory.mktemp("told")
    return potluck.run(made, boosted.dealt(frame), out=out / "run", ledger=out / "ledger"), frame


def added(document, frame):
    """[n] by column what the summary's steps say of each raw row."""
    found = {}
    for name, steps in document["curves"].items():
        total, values = np.full(len(frame), np.nan), frame[name]
        for step in steps:
            if step["of"] == MISSING:
                rows = values.isna()
            elif step["low"] is None:
                rows = values == step["of"]
            else:  # the last bin has its end, and what lies beyond a range counts as its end
                below = np.inf if step is steps[-1] or steps[steps.index(step) + 1]["of"] == MISSING else step["high"]
                rows = (values >= (-np.inf if step is steps[0] else step["low"])) & (values < below)
            total[rows] = step["adds"][0]
        assert not np.isnan(total).any()
        found[name] = total
    return found


def test_steps_in_the_datas_units_add_up_to_the_models_own_scores(run):
    found, frame = run
    document = found.model.summary().document()
    odds = document["first"][0] + sum(added(document, frame).values())
    scores = found.model.predict_proba(frame)[:, 1]
    assert np.abs(odds - np.log(scores / (1 - scores))).max() < 1e-9


def test_importances_are_how_far_columns_move_training_rows_from_their_mean(run):
    found, frame = run
    document = summary(found.folder).document()
    rows = frame[np.arange(len(frame)) % 3 != 0]
    by_hand = {name: np.abs(one - one.mean()).mean() for name, one in added(document, rows).items()}
    assert document["importances"] == pytest.approx(by_hand, rel=1e-9)
    assert list(document["importances"]) == sorted(by_hand, key=by_hand.get, reverse=True)


def test_the_run_and_its_report_say_the_same(run):
    found, _ = run
    document = json.loads(json.dumps(summary(found.folder).document()))
    said = json.loads((found.folder / "run.json").read_text())["model"]
    assert said["coefficients"] is None
    assert {name: said[name] for name in ("importances", "first", "curves")} == {
        name: document[name] for name in ("importances", "first", "curves")
    }
    page = (found.folder / "report.html").read_text()
    assert "What each column adds" in page
    assert page.count('class="chart"') >= 4  # importances, and a curve a column
    assert "1.25 to 2.5" in page
    assert str(summary(found.folder)).startswith("additive model of 'y': 3 curves")


def test_a_number_is_told_in_its_own_units():
    frame, columns, target = boosted.numbered("diabetes")
    wide = {"kind": "number", "low": -0.2137, "high": 0.2291}  # so that no value lies where a bin begins
    columns = {name: wide if name.startswith("f") else one for name, one in columns.items()}
    made = boosted.plan(columns, target, model={"kind": "additive"}, training={"rounds": 10})
    model = potluck.run(made, boosted.dealt(frame)).model
    document = model.summary().document()
    off = np.abs(document["first"][0] + sum(added(document, frame).values()) - model.predict(frame))
    assert off.max() < 1e-9
    model.write("alone.json")
    assert potluck.Model.read("alone.json").summary().document()["importances"] == {}  # they lie beside a run's file


def test_trees_are_told_by_the_share_that_each_column_gained(tmp_path):
    frame, columns, target = boosted.mixed()
    frame = frame.assign(same=1.0)
    columns = {"same": {"kind": "number", "low": 0, "high": 2}} | columns
    made = boosted.plan(columns, target, training={"rounds": 3})
    potluck.run(made, boosted.dealt(frame), out=tmp_path / "run", ledger=tmp_path / "ledger")
    found = summary(tmp_path / "run").document()
    assert sum(found["importances"].values()) == pytest.approx(1)
    assert found["importances"]["same"] == 0
    assert found["importances"]["x"] > 0.1
    assert (found["trees"], found["depth"], found["curves"]) == (3, 3, {})
    page = (tmp_path / "run" / "report.html").read_text()
    assert "as a share of all that they gained" in page
    assert "trained boosted trees together in three rounds of three sums" in page  # nine letters a site, three rounds
    assert potluck.check(made).summary().startswith("3 rounds of 3 sums, at most ")
