"""What noise costs networks of a made-up census: next to nothing at epsilon 8, where a plan follows `check`; at .02
much of what there is to learn, and where rows are few all of it."""

from importlib.util import find_spec

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

if find_spec("torch") is None:
    pytest.skip("the networks extra is missing", allow_module_level=True)

import torch
from torch import nn

import potluck
from potluck.learning.data.table import read
from support.learning import census

pytestmark = [pytest.mark.torch, pytest.mark.slow, pytest.mark.usefixtures("repeatable")]
SITES, HELD, FEATURES = ("a", "b", "c"), 8000, 91


class Gated(nn.Module):
    """Each of 16 units is let through by another."""

    def __init__(self):
        super().__init__()
        self.value, self.gate, self.out = nn.Linear(FEATURES, 16), nn.Linear(FEATURES, 16), nn.Linear(16, 1)

    def forward(self, features):
        return self.out(torch.tanh(self.value(features)) * torch.sigmoid(self.gate(features)))


class Residual(nn.Module):
    """A block with a norm, around which its input goes."""

    def __init__(self):
        super().__init__()
        self.first, self.norm = nn.Linear(FEATURES, 16), nn.LayerNorm(16)
        self.up, self.down, self.out = nn.Linear(16, 24), nn.Linear(24, 16), nn.Linear(16, 1)

    def forward(self, features):
        found = self.first(features)
        return self.out(found + self.down(nn.functional.gelu(self.up(self.norm(found)))))


@pytest.fixture(scope="module")
def rows():
    return census.census(32_000 + HELD)


def planned(model, rows, epsilon, clip=1.0, **more):
    noise = {"noise": "shared", "unit": "row", "epsilon": epsilon, "delta": 1e-5, "clip": clip}
    return potluck.Plan(
        name="census", purpose="a test", task="train", federation={"sites": list(SITES), "corrupt": 1},
        data={
            "columns": census.columns(), "target": {"column": "rich", "positive": ["1"]}, "max_rows": -(-rows // 3),
        },
        model={"kind": "network", "l2": 0.0} | model, protect={"with": "mask"},
        privacy=noise if epsilon else {"noise": "none"},
        training={"method": "gradient", "optimizer": "adam", "rate": 0.05, "rounds": 40, "expected_rows": rows} | more,
    )  # fmt: skip


def auc(plan, whole, count):
    """On rows that nobody trained on, by scikit-learn."""
    found = potluck.run(plan, {name: whole.iloc[HELD + place : HELD + count : 3] for place, name in enumerate(SITES)})
    table = read(whole.iloc[:HELD], plan.set("data.max_rows", HELD).spec, "a")
    return float(roc_auc_score(table.target, found.model.margins(table.inputs).ravel()))


@pytest.mark.parametrize("shape", ["layers", Gated, Residual])
def test_a_network_at_epsilon_8_is_within_a_hundredth_of_no_noise(shape, rows, tmp_path, monkeypatch):
    """32,000 rows at three sites. A plan begins with a clip of 1, and takes the one that `check` names.

    By a program that has nothing of ours but the noise's size five AUCs at epsilon 8 had a standard deviation of .001,
    about that without noise; four at .02 one of .02, about .73.
    """
    monkeypatch.chdir(tmp_path)
    model = {"layers": [16]}
    if shape != "layers":
        torch.manual_seed(4)
        potluck.graph(shape(), inputs={"features": [FEATURES]}, path=tmp_path / "net.graph")
        model = {"graph": str(tmp_path / "net.graph")}
    said = potluck.check(planned(model, 32_000, 8.0)).warnings
    clip = next((float(line.rpartition("hint: ")[2]) for line in said if line.startswith("privacy.clip")), 1.0)
    none, loose, tight = (auc(planned(model, 32_000, epsilon, clip), rows, 32_000) for epsilon in (0, 8.0, 0.02))
    assert none > 0.86
    assert none - loose < 0.01
    assert tight < none - 0.03


def test_few_rows_at_epsilon_a_fiftieth_teach_nothing(rows, tmp_path, monkeypatch):
    """The mean over eight first models and draws of noise, which scatter by .055."""
    monkeypatch.chdir(tmp_path)

    def found(epsilon, seed):
        return auc(planned({"layers": [16], "seed": seed}, 1500, epsilon), rows, 1500)

    assert found(0, 0) > 0.8
    assert 0.4 < np.mean([found(0.02, seed) for seed in range(8)]) < 0.65
