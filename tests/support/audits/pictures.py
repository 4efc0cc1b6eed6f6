"""scikit-learn's handwritten digits (8 by 8) at three sites, half of them held out, and layers for them."""

import numpy as np
import pandas as pd
from sklearn.datasets import load_digits

import potluck

SITES = ("a", "b", "c")
CLASSES = [str(number) for number in range(10)]
NAMES = [f"p{place}" for place in range(64)]


def rows(count=1797, seed=0):
    """So many of the 1,797, by site."""
    images, said = load_digits(return_X_y=True)
    order = np.random.default_rng(seed).permutation(len(said))[:count]
    frame = pd.DataFrame(images, columns=NAMES).assign(y=said.astype(str))
    return {site: frame.iloc[some] for site, some in zip(SITES, np.array_split(order, 3), strict=True)}


def plan(privacy=(), **training):
    """64 hidden units, by gradient descent."""
    columns = {name: {"kind": "number", "low": 0, "high": 16} for name in NAMES}
    return potluck.Plan(
        name="digits", purpose="a test", task="train", federation={"sites": list(SITES), "server": "curious"},
        data={
            "columns": columns | {"y": {"kind": "category", "values": CLASSES}}, "max_rows": 700,
            "target": {"column": "y", "classes": CLASSES}, "split": {"test": 0.5},
        },
        model={"kind": "network", "layers": [64], "activation": "relu", "l2": 0.0}, protect={"with": "mask"},
        privacy={"noise": "none"} | dict(privacy), training={"method": "gradient"} | training,
    )  # fmt: skip
