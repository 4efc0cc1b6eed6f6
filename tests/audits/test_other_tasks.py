"""Records of other tasks are read, and it is said why no attack was tried; true rows are told from others."""

import pytest

import potluck
from potluck.api.plan.plan import Plan
from potluck.tasks.predict import scorers
from support.audits.recorded import frames
from support.parties import predict_scene as scene


def test_of_a_prediction_no_attack_is_tried(tmp_path, monkeypatch):
    monkeypatch.setitem(scorers.SCORERS.entries, "he", scene.ROW)
    plan = Plan.read(scene.settle(tmp_path))
    done = potluck.run(plan, out=tmp_path / "run", ledger=tmp_path / "ledger", record=True)
    for who in ("server", plan.spec.federation.sites[0]):
        found = potluck.attack(done.folder, who, data=tmp_path)
        assert not any(one.tried for one in found.results)
        assert all(one.verdict.words.startswith("was not tried: ") for one in found.results)


@pytest.mark.slow
@pytest.mark.parametrize("word", ["clear", pytest.param("mask", marks=pytest.mark.slow)])
def test_rows_of_statistics_are_compared_with_their_exact_sums(tmp_path, word):
    spec = potluck.Plan(
        name="s", purpose="a test", task="statistics", federation={"sites": ["a", "b", "c"], "server": "curious"},
        data={"columns": {"u": {"kind": "number", "low": -1, "high": 1}}, "max_rows": 100}, privacy={"noise": "none"},
        statistics=[{"name": "m", "kind": "mean", "column": "u"}], protect={"with": word},
    )  # fmt: skip
    rows = frames(40)
    folder = potluck.run(spec, rows, out=tmp_path / "r", record=True).folder
    same = potluck.attack(folder, data=rows)
    assert (same.scored, same.why) == (True, "")
    other = potluck.attack(folder, data=rows | {"b": rows["b"].iloc[:-1]})
    assert other.why == "the rows of site b that are here are not those of that run"
