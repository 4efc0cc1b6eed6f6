"""A target that one of two numbers says something of: rows at three sites, and the plan of a logistic model of it."""

import numpy as np
import pandas as pd

import potluck


def plan(word="clear", split=None, **tables):
    """split: more than the test rows that it has; tables: in place of its own, none where they are None."""
    base = {
        "name": "one-of-two",
        "purpose": "tests",
        "task": "train",
        "federation": {"sites": list("abc"), "server": "curious"},
        "data": {
            "columns": {
                "x": {"kind": "number", "low": -4, "high": 4},
                "z": {"kind": "number", "low": -4, "high": 4},
                "y": {"kind": "category", "values": ["0", "1"]},
            },
            "target": {"column": "y", "positive": ["1"]},
            "split": {"test": 0.2, "seed": 3, **(split or {})},
            "max_rows": 1000,
        },
        "model": {"kind": "logistic"},
        "training": {"method": "newton", "rounds": 8},
        "protect": {"with": word},
        "privacy": {"noise": "none"},
    }
    return potluck.Plan(**{name: table for name, table in (base | tables).items() if table is not None})


def sites(rows=120):
    """rows: of each."""
    draw = np.random.default_rng(5)
    x, z = np.clip(draw.normal(size=(2, 3 * rows)), -4, 4)
    y = (draw.random(3 * rows) < 1 / (1 + np.exp(-1.5 * x))).astype(int)
    frame = pd.DataFrame({"x": x, "z": z, "y": y})
    return {name: frame.iloc[place::3] for place, name in enumerate("abc")}
