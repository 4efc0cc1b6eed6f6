"""The scores of owners' own rows after a run in one process, beside what `potluck score` says of the same rows."""

from importlib.util import find_spec

import numpy as np
import pandas as pd
import pytest

import potluck
from potluck.api.local.score import score
from potluck.core.errors import UsageError
from support.parties import scene


def read(folder, name):
    return pd.read_csv(folder / "sites" / name / "predictions.csv")


def done(plan, frames, folder, **more):
    return potluck.run(plan, frames, out=folder / "run", ledger=folder / "ledger", predictions=True, **more)


def odd():
    """Rows with a column that says which are held out; some meet no condition, some lack a value."""
    found = scene.frames()
    for number, frame in enumerate(found.values()):
        frame["fold"] = np.where(np.arange(len(frame)) % 4 == number, "test", "")
        frame.loc[frame.index % 7 == 3, "z"] = np.nan
    return found


def folded(**keys):
    made = scene.plan(word="clear", server="curious")
    data = dict(made.tables["data"])
    data["columns"] = {**data["columns"], "z": {**data["columns"]["z"], "missing": "drop"}}
    data |= {"split": {"column": "fold"}, "where": [{"column": "x", "at_least": -1.0}]}
    made = made.set("data", data)
    for key, value in keys.items():
        made = made.set(key, value)
    return made


def beside(model, frame, path):
    """Scores of a model file, by row of the frame; the rows that a plan without conditions leaves out have none."""
    file = path / "rows.csv"
    frame.to_csv(file, index=False)
    return score(model, file, None).values()


@pytest.mark.parametrize("local", ["plain", "ditto"])
def test_each_row_that_the_plan_takes_has_the_score_and_the_side_that_are_its_own(tmp_path, local):
    """Without a model of its own the common one's; with one its own."""
    how = {"method": "average", "rounds": 2, "rate": 0.3, "steps": 5, "batch": 8, "local": local}
    frames = odd()
    ran = done(folded(training=how), frames, tmp_path)
    where = {name: tmp_path / "run" / "sites" / name for name in frames}
    assert ran.document["own_predictions"] == {name: str(one / "predictions.csv") for name, one in where.items()}
    for name, frame in frames.items():
        found = read(tmp_path / "run", name)
        taken = frame[(frame["x"] >= -1) & frame["z"].notna()]
        assert 0 < len(taken) < len(frame)
        assert found["row"].tolist() == taken.index.tolist()
        assert (found["split"] == "test").tolist() == (taken["fold"] == "test").tolist()
        model = where[name] / "model.json" if local == "ditto" else tmp_path / "run" / "model.json"
        plain = beside(model, frame, tmp_path)
        assert found["score"].tolist() == [plain[row][0] for row in found["row"]]


def test_a_run_leaves_none_that_is_not_asked_for(tmp_path):
    ran = potluck.run(folded(), odd(), out=tmp_path / "run", ledger=tmp_path / "l")
    assert "own_predictions" not in ran.document
    assert not (tmp_path / "run" / "sites").exists()


def test_rows_that_are_looked_at_are_told_from_the_others(tmp_path):
    made = scene.plan(word="clear", server="curious").set("data.split", {"test": 0.3, "validation": 0.3})
    made = made.set("training.evaluate_every", 1)
    done(made, scene.frames(), tmp_path)
    _, tables = scene.tables(made, scene.frames())
    for site, table in tables.items():
        found = read(tmp_path / "run", site.name)
        assert (found["split"] == "validation").sum() == table.validation.sum() > 0
        assert np.flatnonzero(found["split"] == "test").tolist() == np.flatnonzero(table.test).tolist()
    (tmp_path / "judged").mkdir()  # where they judge the model, test rows are in nothing
    done(made.set("evaluate", {"rows": "validation"}), scene.frames(), tmp_path / "judged")
    for site, table in tables.items():
        found = read(tmp_path / "judged" / "run", site.name)
        assert np.flatnonzero(found["split"] == "none").tolist() == np.flatnonzero(table.test).tolist()
        assert (found["split"] == "train").sum() == table.train.sum()
        assert (found["split"] == "validation").sum() == table.validation.sum()


def test_persons_that_rows_were_reduced_to_stand_by_name(tmp_path):
    """A name that a spreadsheet would take for a formula is none to it."""
    frames = {
        name: pd.DataFrame({"who": ["=b"] * 3 + ["a"] * 2 + [f"p{i}" for i in range(20)], "x": 1.0, "y": "1"})
        for name in "ab"
    }
    for frame in frames.values():
        frame.loc[frame.index % 2 == 0, "y"] = "0"
        frame["x"] = np.arange(len(frame)) / 10
    made = potluck.Plan(
        name="p", purpose="t", task="train", federation={"sites": ["a", "b"], "server": "curious"},
        data={
            "person": "who", "max_rows": 100, "split": {"test": 0.3},
            "columns": {"x": {"kind": "number", "low": 0, "high": 3}, "y": {"kind": "category", "values": ["0", "1"]}},
            "target": {"column": "ill", "positive": ["yes"]},
            "reduce": {"columns": {"x": {"kind": "mean"}, "ill": {"kind": "any", "from": "y", "values": ["1"]}}},
        },
        model={"kind": "logistic"}, training={"method": "gradient", "rounds": 2}, protect={"with": "clear"},
        privacy={"noise": "none"},
    )  # fmt: skip
    w = done(made, frames, tmp_path).model.coefficients
    found = read(tmp_path / "run", "a")
    assert list(found) == ["person", "split", "score"]
    means = frames["a"].groupby("who")["x"].mean()
    assert found["person"].str.lstrip("'").tolist() == sorted(means.index)
    assert found["person"][0] == "'=b"
    wanted = 1 / (1 + np.exp(-(w["intercept"] + w["x"] * (2 * means.sort_index().to_numpy() / 3 - 1))))
    np.testing.assert_allclose(found["score"], wanted, rtol=1e-9)


def test_statistics_leave_none_and_say_so(tmp_path):
    with pytest.raises(UsageError, match="leaves no predictions"):
        potluck.run(counted(), scene.frames("ab"), out=tmp_path / "run", predictions=True)
    assert not (tmp_path / "run").exists()


def counted():
    return potluck.Plan(
        name="s", purpose="t", task="statistics", federation={"sites": ["a", "b"], "server": "curious"},
        data={"columns": {"x": {"kind": "number", "low": -3, "high": 3}}},
        statistics=[{"name": "m", "kind": "mean", "column": "x"}], protect={"with": "clear"},
        privacy={"noise": "none"},
    )  # fmt: skip


@pytest.mark.slow
@pytest.mark.torch
@pytest.mark.skipif(find_spec("torch") is None, reason="the networks extra is missing")
def test_heads_that_stay_at_a_site_score_its_rows(tmp_path):
    from support.graph import trained as drawn

    graph = drawn.made(drawn.mlp(outputs=3), tmp_path / "net.graph")
    how = {"steps": 3, "rounds": 1}
    done(drawn.plan(graph, "classes", model={"local": ["4.*"]}, training=how), drawn.frames(kind="classes"), tmp_path)
    for name, frame in drawn.frames(kind="classes").items():
        found = read(tmp_path / "run", name)
        own = potluck.Model.read(tmp_path / "run" / "sites" / name / "model.json")
        common = potluck.Model.read(tmp_path / "run" / "model.json")
        assert list(found) == ["row", "split", "u", "v", "w"]
        assert np.array_equal(found[["u", "v", "w"]].to_numpy(), own.scores(frame))
        assert np.abs(own.scores(frame) - common.scores(frame)).max() > 1e-3
