"""Plans that name a graph, the modules that their graphs are made of, and rows to train on."""

import numpy as np
import pandas as pd
import torch
from torch import nn

import potluck

SITES = ("a", "b", "c")


def mlp(outputs=1, features=2, drop=0.0):
    """A small network with a norm and, where asked, dropout."""
    torch.manual_seed(3)
    return nn.Sequential(nn.Linear(features, 8), nn.LayerNorm(8), nn.Tanh(), nn.Dropout(drop), nn.Linear(8, outputs))


def convolution():
    """Two features as a row of a picture: a 1-D convolution."""
    torch.manual_seed(4)
    return nn.Sequential(
        nn.Unflatten(1, (1, 2)), nn.Conv1d(1, 4, 3, padding=1), nn.ReLU(), nn.Flatten(), nn.Linear(8, 1)
    )


def frames(rows=60, kind="binary"):
    """By site. What no linear model can learn: a product of two features."""
    draw = np.random.default_rng(0)
    found = {}
    for name in SITES:
        x, z = draw.uniform(-1, 1, (2, rows))
        product = x * z
        y = {
            "binary": np.where(product > 0, "1", "0"),
            "classes": np.where(product > 0.1, "u", np.where(product < -0.1, "v", "w")),
            "number": product,
            "labels": np.where(product > 0, "1", "0"),
        }[kind]
        second = {"v": np.where(x > 0.4, "1", "0")} if kind == "labels" else {}
        found[name] = pd.DataFrame({"x": x, "z": z, "y": y, **second})
    return found


TARGETS = {
    "binary": ({"kind": "category", "values": ["0", "1"]}, {"positive": ["1"]}, 1),
    "classes": ({"kind": "category", "values": ["u", "v", "w"]}, {"classes": ["u", "v", "w"]}, 3),
    "number": ({"kind": "number", "low": -1, "high": 1}, {}, 1),
    "labels": ({"kind": "category", "values": ["0", "1"]}, {"columns": ["y", "v"], "positive": ["1"]}, 2),
}


def tables(graph, kind="binary", scheme="clear", model=None, training=None, **more):
    """The tables of a plan in Python."""
    column, target, _ = TARGETS[kind]
    spread = {"kind": "number", "low": -1, "high": 1}
    return {
        "name": "drawn", "purpose": "a test", "task": "train",
        "federation": {"sites": list(SITES), "server": "curious"},
        "data": {
            "columns": {"x": spread, "z": spread, **dict.fromkeys(target.get("columns", ["y"]), column)},
            "target": target if "columns" in target else {"column": "y", **target},
            "split": {"test": 0.25},
            "max_rows": 100,
        },
        "model": {"kind": "network", "graph": str(graph), "l2": 0.01, **(model or {})},
        "training": {"method": "average", "rounds": 2, "rate": 0.2, "batch": 16, **(training or {})},
        "protect": {"with": scheme},
        "privacy": {"noise": "none"},
        **more,
    }  # fmt: skip


def plan(graph, *args, **keys):
    return potluck.Plan(**tables(graph, *args, **keys))


def made(module, path, features=2):
    """The graph's file."""
    potluck.graph(module, inputs={"features": [features]}, path=path)
    return path
