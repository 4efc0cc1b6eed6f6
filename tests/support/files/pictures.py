"""Sites whose rows are pictures: which of two kinds of stripes, beside a number."""

import numpy as np
import pandas as pd
import torch
from torch import nn

import potluck
from support.files import written

SITES = ("a", "b", "c")
SHAPE = [1, 8, 8]
IMAGE = {"kind": "image", "shape": SHAPE, "low": 0, "high": 255, "unit": "grey"}
AGE = {"kind": "number", "low": 0, "high": 100}
SIDE = {"kind": "category", "values": ["0", "1"]}


class Beside(nn.Module):
    """A convolution over the picture, joined to the features."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(5)
        self.seen = nn.Conv2d(1, 3, 3, stride=2)
        self.last = nn.Linear(3 * 9 + 1, 1)

    def forward(self, image, features):
        seen = torch.relu(self.seen(image)).flatten(1)
        return self.last(torch.cat([seen, features], 1))


def graph(path, module=None, inputs=None):
    """The file of its graph."""
    potluck.graph(module or Beside(), inputs=inputs or {"image": SHAPE, "features": [1]}, path=path)
    return path


def stripes(draw, side):
    """[8, 8] a picture."""
    waves = 127 + 100 * np.sin(np.arange(8) * 2 + draw.uniform(0, 6)) + draw.normal(0, 10, (8, 8))
    found = np.clip(waves, 0, 255).astype(np.uint8)
    return found if side else found.T


def written_to(folder, rows=24):
    """Sources by site: CSV files, each in a folder of its own with its pictures."""
    draw, found = np.random.default_rng(0), {}
    for name in SITES:
        home = folder / name
        (home / "scans").mkdir(parents=True)
        lines = []
        for row in range(rows):
            side = int(draw.integers(0, 2))
            (home / "scans" / f"{row}.png").write_bytes(written.png(stripes(draw, side)))
            lines.append((f"scans/{row}.png", round(draw.uniform(0, 100), 1), side))
        found[name] = home / "rows.csv"
        pd.DataFrame(lines, columns=["image", "age", "y"]).to_csv(found[name], index=False)
    return found


def plan(graph, scheme="clear", columns=None, **more):
    """A plan over these columns."""
    return potluck.Plan(**{
        "name": "stripes", "purpose": "a test", "task": "train",
        "federation": {"sites": list(SITES), "server": "curious"},
        "data": {
            "columns": columns or {"image": IMAGE, "age": AGE, "y": SIDE},
            "target": {"column": "y", "positive": ["1"]},
            "split": {"test": 0.25},
            "max_rows": 100,
        },
        "model": {"kind": "network", "graph": str(graph), "l2": 0.0},
        "training": {"method": "average", "rounds": 2, "rate": 0.1, "batch": 8},
        "protect": {"with": scheme},
        "privacy": {"noise": "none"},
        **more,
    })  # fmt: skip
