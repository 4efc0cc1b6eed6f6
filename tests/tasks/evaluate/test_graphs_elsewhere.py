"""Models that are graphs are judged too: over a table with a frozen base, and over pictures."""

import csv

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import brier_score_loss, roc_auc_score

import potluck
from potluck.core.errors import PlanError
from potluck.learning.graph.bases import FOLDER

pytestmark = [pytest.mark.slow, pytest.mark.torch]
predict_graphs = pytest.importorskip("support.parties.predict_graphs")


def plan(folder, target, **more):
    return potluck.Plan(
        name="elsewhere",
        purpose="a test",
        task="evaluate",
        federation={"sites": ["a", "b"], "server": "curious"},
        model={"file": str(folder / "model.json")},
        protect={"with": "clear"},
        privacy={"noise": "none"},
        **more,
    )


def snapped(scores):
    return (np.floor(scores * 20) + 0.5) / 20


def test_a_graph_on_a_frozen_base_is_judged_where_the_base_is(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    model, _ = predict_graphs.adapter(tmp_path)
    model.write(tmp_path / "model.json")
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"age": rng.uniform(20, 90, 300).round(), "sex": rng.choice(["0", "1"], 300)})
    frame["ill"] = rng.integers(0, 2, 300)
    rows = {"a": frame[:150], "b": frame[150:]}
    found = potluck.run(plan(tmp_path, "ill"), rows, out=tmp_path / "run").metrics["federated"]
    scores = snapped(model.scores(frame))
    assert found["auc"] == pytest.approx(roc_auc_score(frame["ill"], scores), rel=1e-9)
    assert found["brier"] == pytest.approx(brier_score_loss(frame["ill"], scores), rel=1e-9)
    (tmp_path / FOLDER / "frozen.safetensors").unlink()
    with pytest.raises(PlanError, match="lacks its base"):
        potluck.run(plan(tmp_path, "ill"), rows, out=tmp_path / "again")


def test_pictures_are_read_as_the_model_says(tmp_path):
    model = predict_graphs.seen(tmp_path)
    model.write(tmp_path / "model.json")
    files = {}
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        predict_graphs.scans(tmp_path / name, rows=12, gone=(3,))
        path = tmp_path / name / "rows.csv"
        with path.open(newline="") as file:
            head, *lines = list(csv.reader(file))
        with path.open("w", newline="") as file:
            csv.writer(file).writerows([[*head, "ill"], *([*line, row % 2] for row, line in enumerate(lines))])
        files[name] = path
    run = potluck.run(plan(tmp_path, "ill"), files, out=tmp_path / "run")
    scores = np.concatenate([model.scores(path) for path in files.values()])
    sides = np.tile(np.arange(12) % 2, 2)
    there = ~np.isnan(scores)
    assert run.metrics["federated"]["rows"] == there.sum() == 22
    assert run.metrics["federated"]["auc"] == pytest.approx(roc_auc_score(sides[there], snapped(scores[there])))
