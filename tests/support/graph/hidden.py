"""Plans with noise whose networks are clipped by rows or persons, and what torch itself says of their rows."""

import numpy as np
import pandas as pd
import torch
from torch import nn
from torch.func import functional_call, grad, vmap
from torch.nn import functional
from torch.nn.attention import SDPBackend, sdpa_kernel

import potluck

SITES = ("a", "b", "c")
COLUMNS = ("x", "z", "u", "v")


class Encoder(nn.Module):
    """Four features as four tokens."""

    def __init__(self, drop=0.0):
        super().__init__()
        torch.manual_seed(8)
        self.lift, self.place = nn.Linear(1, 8), nn.Parameter(0.5 * torch.randn(4, 8))
        self.block = nn.TransformerEncoderLayer(8, 2, 16, dropout=drop, batch_first=True)
        self.head = nn.Linear(8, 1)

    def forward(self, features):
        return self.head(self.block(self.lift(features[:, :, None]) + self.place).mean(1))


def picture():
    """Four features as a picture of two by two."""
    torch.manual_seed(5)
    return nn.Sequential(
        nn.Unflatten(1, (1, 2, 2)), nn.Conv2d(1, 12, 2, padding=1), nn.GroupNorm(3, 12), nn.Tanh(),
        nn.Conv2d(12, 8, 2), nn.Tanh(), nn.Flatten(), nn.Linear(32, 1),
    )  # fmt: skip


def perceptron(drop=0.0):
    """Two layers, a norm, and where asked dropout."""
    torch.manual_seed(3)
    return nn.Sequential(nn.Linear(4, 8), nn.LayerNorm(8), nn.Tanh(), nn.Dropout(drop), nn.Linear(8, 1))


MODULES = {"perceptron": perceptron, "picture": picture, "encoder": Encoder}


def made(folder, name, *args):
    """The module, and the file of its graph."""
    module, path = MODULES[name](*args), folder / f"{name}.graph"
    potluck.graph(module, inputs={"features": [len(COLUMNS)]}, path=path)
    return module, path


def frames(rows=60, each=1):
    """By site: no linear model knows the sign of a product. each: rows of a person."""
    draw, found = np.random.default_rng(0), {}
    for name in SITES:
        columns = dict(zip(COLUMNS, draw.uniform(-1, 1, (len(COLUMNS), rows)), strict=True))
        score = 3 * columns["x"] * columns["z"] + columns["u"] + draw.normal(0, 0.2, rows)
        who = [f"p{number}" for number in draw.permutation(rows) // each]
        found[name] = pd.DataFrame({"who": who, **columns, "y": np.where(score > 0, "1", "0")})
    return found


def plan(graph, word="mask", privacy=(), data=(), **training):
    """Layers where graph is None."""
    spread = {"kind": "number", "low": -1, "high": 1}
    columns = dict.fromkeys(COLUMNS, spread) | {"who": {"kind": "ignore"}}
    model = {"graph": str(graph)} if graph else {"layers": [5], "activation": "tanh"}
    noise = {"noise": "shared", "unit": "row", "epsilon": 8.0, "delta": 1e-5, "clip": 1.0} | dict(privacy)
    return potluck.Plan(
        name="hidden", purpose="a test", task="train",
        federation={"sites": list(SITES), "server": "curious", "corrupt": 1},
        data={
            "columns": columns | {"y": {"kind": "category", "values": ["0", "1"]}}, "max_rows": 100,
            "target": {"column": "y", "positive": ["1"]}, "split": {"test": 0.25},
        } | dict(data),
        model={"kind": "network", "l2": 0.0, **model}, protect={"with": word}, privacy=noise,
        training={"method": "gradient", "rounds": 2, "rate": 0.2, "expected_rows": 135} | training,
    )  # fmt: skip


def gradients(module, table):
    """[rows, d] each training row's gradient, by vmap over torch's own module: nothing of ours computes."""
    weights = {name: one.detach() for name, one in module.named_parameters()}
    x = torch.tensor(table.features[table.train], dtype=torch.float32)
    y = torch.tensor(table.target[table.train], dtype=torch.float32)

    def loss(held, row, side):
        return functional.binary_cross_entropy_with_logits(functional_call(module, held, row[None])[:, 0], side[None])

    with sdpa_kernel(SDPBackend.MATH):  # vmap has no other
        found = vmap(grad(loss), in_dims=(None, 0, 0))(weights, x, y)
    return torch.cat([found[name].flatten(1) for name in weights], 1).double().numpy()


def clipped(units, clip):
    """[d] the sum of units [n, d], each of norm `clip` at most."""
    norms = np.linalg.norm(units, axis=1)
    return (units * np.minimum(1, clip / np.maximum(norms, 1e-12))[:, None]).sum(0)
