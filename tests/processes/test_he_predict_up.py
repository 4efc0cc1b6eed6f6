"""`potluck up` of predictions under `he` that take many letters: thousands of rows, wide rows, a network row by row."""

import numpy as np
import pytest

from potluck.api.network.up import up
from potluck.api.plan.plan import Plan
from potluck.core.errors import PlanError
from potluck.learning.data.column import Field
from potluck.learning.data.encode import Encoding
from potluck.learning.data.target import Goal
from potluck.learning.models.model import Model
from potluck.learning.models.model_file import Network
from support.parties import predict_scene
from support.processes.rig import need_broker

rng = np.random.default_rng(0)


@pytest.fixture
def scene(he_engine):
    need_broker()
    return predict_scene


def columns(wide):
    return Encoding(
        fields=tuple(Field(name=f"x{k}", kind="number", low=0.0, high=1.0) for k in range(wide)), missing=("",)
    )


def logistic(wide):
    return Model(
        "logistic",
        columns(wide),
        Goal(column="y", side="binary", positive=("1",)),
        rng.normal(size=wide + 1) / wide**0.5,
    )


def network(wide, hidden):
    parts = [
        rng.normal(size=wide * hidden) / wide**0.5,
        np.zeros(hidden),
        rng.normal(size=hidden * 3) / hidden,
        np.zeros(3),
    ]
    goal, shape = (
        Goal(column="y", side="classes", classes=("a", "b", "c")),
        Network(layers=(hidden,), activation="square"),
    )
    return Model("network", columns(wide), goal, np.concatenate(parts), shape)


def settled(scene, folder, model, rows, *settings):
    names = model.encoding.names
    table = rng.uniform(0, 1, (rows, len(names))).round(3)
    text = "\n".join([",".join(names), *(",".join(map(str, row)) for row in table)]) + "\n"
    plan = scene.PLAN.replace("max_rows = 50", f"max_rows = {rows}")
    return Plan.read(scene.settle(folder, model, text, plan), settings)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("made", "rows", "letters"),
    [((logistic, 30), 5000, 1), ((logistic, 1000), 2500, 3), ((network, 300, 20), 80, 2)],
    ids=["three blocks", "several letters a block", "row by row"],
)
def test_thousands_of_rows_arrive_and_are_scored_as_in_plain(scene, tmp_path, made, rows, letters):
    kind, *shape = made
    plan = settled(scene, tmp_path, kind(*shape), rows)
    done = up(plan, out=tmp_path / "up", ledger=tmp_path / "l", compare=True)
    beside = done.document["agreement"]
    assert beside["same_labels"] == beside["rows"] == rows
    assert beside["largest_error"] <= done.document["max_error_bound"]
    assert done.document["rounds"][0]["bytes_up"] > 40e6 * (letters - 1)


def test_what_no_letter_or_wait_would_carry_is_refused_before_anything_starts(scene, tmp_path):
    for model, word in ((logistic(17000), "fewer columns"), (network(784, 64), "federation.patience")):
        with pytest.raises(PlanError) as caught:
            up(
                settled(scene, tmp_path, model, 40, "federation.patience=0.5"),
                out=tmp_path / "up",
                ledger=tmp_path / "l",
            )
        assert word in caught.value.hint
        assert not (tmp_path / "up").exists()
