"""Plans of several labels of a row, and rows to learn them from."""

import numpy as np
import pandas as pd

import potluck

SITES = ("a", "b", "c")
LABELS = ("edema", "effusion", "pneumonia")
NUMBER = {"kind": "number", "low": -1, "high": 1}


def frames(rows=80, seed=0):
    """By site: two numbers and three findings, the last of which is rare."""
    draw, found = np.random.default_rng(seed), {}
    for name in SITES:
        x, z = draw.uniform(-1, 1, (2, rows))
        noise = draw.normal(0, 0.3, (3, rows))
        margins = np.stack([x + z, x - z, x * z - 0.2]) + noise
        sides = np.where(margins > 0, "1", "0")
        found[name] = pd.DataFrame({"x": x, "z": z, **dict(zip(LABELS, sides, strict=True))})
    return found


def plan(scheme="clear", target=None, **tables):
    """Layers, by the gradient over all rows, without noise; tables: whole ones, or keys beside the usual."""
    usual = {
        "name": "findings", "purpose": "a test", "task": "train",
        "federation": {"sites": list(SITES), "server": "curious"},
        "data": {
            "columns": {"x": NUMBER, "z": NUMBER},
            "target": target or {"columns": list(LABELS), "positive": ["1"], "negative": ["0"]},
            "split": {"test": 0.3},
            "max_rows": 100,
        },
        "model": {"kind": "network", "layers": [6], "activation": "tanh", "l2": 0.0},
        "training": {"method": "gradient", "rounds": 3, "rate": 1.0},
        "protect": {"with": scheme},
        "privacy": {"noise": "none"},
    }  # fmt: skip
    for name, table in tables.items():
        usual[name] = {**usual[name], **table}
    return potluck.Plan(**usual)
