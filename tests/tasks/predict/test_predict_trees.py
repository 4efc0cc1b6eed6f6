"""Boosted trees are scored under `tee`, with the scores of `potluck score`; protections of layers alone refuse them."""

import numpy as np
import pytest

import potluck
from potluck.api.local.explain import explain
from potluck.core.errors import PlanError, UsageError
from support.learning import boosted


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def made(name):
    """(model of a few rounds, rows without a target, its file)"""
    frame, columns, target = boosted.gaps() if name == "gaps" else boosted.numbered(name)
    run = potluck.run(boosted.plan(columns, target, training={"rounds": 3}), boosted.dealt(frame), out="run")
    return run.model, frame.drop(columns="y"), run.folder / "model.json"


def plan(path, rows, **tables):
    base = {
        "name": "score", "purpose": "Score rows that nobody else sees", "task": "predict",
        "federation": {"sites": ["hospital", "clinic"], "server": "curious"}, "model": {"file": str(path)},
        "predict": {"owner": "hospital", "client": "clinic", "max_rows": rows},
        "protect": {"with": "tee"}, "privacy": {"noise": "none"},
    }  # fmt: skip
    return potluck.Plan(**{name: one | tables[name] if name in tables else one for name, one in base.items()})


@pytest.mark.parametrize(
    "name", ["gaps", *(pytest.param(name, marks=pytest.mark.slow) for name in ("wine", "diabetes"))]
)
def test_scores_are_those_of_score_bit_for_bit(name):
    model, rows, path = made(name)
    spec = plan(path, len(rows))
    done = potluck.run(spec, {"clinic": rows}, compare=True)
    assert spec.spec.predict.mode == "trees"
    assert done.document["agreement"]["rows"] == len(rows)
    assert done.document["agreement"]["largest_error"] == done.document["max_error_bound"] == 0.0
    said = np.loadtxt(done.document["predictions"], delimiter=",", skiprows=1)[:, 1:]
    assert said.tobytes() == model.scores(rows).reshape(len(rows), -1).tobytes()


def test_protections_of_layers_alone_refuse_them_with_a_hint_and_no_other_mode_is_theirs():
    _, _, path = made("gaps")
    for word in ("he", "share"):
        with pytest.raises(PlanError, match=rf"{word}. scores by layers alone.*with = .tee.; or train an additive"):
            plan(path, 5, protect={"with": word}).require()
    for mode in ("batch", "single", "graph"):
        with pytest.raises(UsageError, match=r"does not go with predict\.mode.*trees does"):
            plan(path, 5, predict={"mode": mode})


def test_cost_and_claims_are_of_trees():
    _, rows, path = made("gaps")
    said = potluck.check(plan(path, len(rows)))
    leaves = 3 * (8 * 8 + 7 * (8 + 8 + 1))
    assert said.forecast["keys"] - 2 * (16 << 10) == leaves
    assert not any("work out all" in one for one in said.warnings)
    seen = {(row["party"], row["of"]): row for row in explain(plan(path, 5)).rows()}
    assert "neither a cut nor a leaf" in seen["clinic", "the model"]["note"]
