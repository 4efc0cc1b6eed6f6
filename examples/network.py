"""Train a small network by FedAvg on frames: three kinds of wine-like samples at four made-up laboratories.

Needs the networks extra: pip install 'potluck[networks]'

    python examples/network.py
"""

import numpy as np
import pandas as pd

import potluck

rng = np.random.default_rng(1)  # noqa: TID251 - made-up data
KINDS = {"red": (2.0, 6.0), "white": (6.0, 3.0), "rose": (5.0, 8.0)}


def laboratory(rows: int) -> pd.DataFrame:
    """Acid and sugar of each sample, scattered around those of its kind."""
    kinds = rng.choice(list(KINDS), rows)
    values = np.array([KINDS[kind] for kind in kinds]) + rng.normal(0, 1.0, (rows, 2))
    return pd.DataFrame({"acid": values[:, 0], "sugar": values[:, 1], "kind": kinds})


frames = {name: laboratory(120) for name in ("one", "two", "three", "four")}

plan = potluck.Plan(
    name="wines",
    purpose="Tell three kinds of samples apart",
    task="train",
    federation={"sites": list(frames), "dropouts": 1},
    data={
        "columns": {
            "acid": {"kind": "number", "low": 0, "high": 10},
            "sugar": {"kind": "number", "low": 0, "high": 10},
        },
        "target": {"column": "kind", "classes": list(KINDS)},
        "split": {"test": 0.25},
    },
    model={"kind": "network", "layers": [16], "activation": "tanh", "l2": 0.1},
    training={"method": "average", "rounds": 15, "epochs": 3, "rate": 0.2},
    protect={"with": "mask"},
    privacy={"noise": "none"},
)
run = potluck.run(plan, frames)
print(run.metrics)
print(run.model.predict(pd.DataFrame({"acid": [2.0, 5.0], "sugar": [6.0, 8.0]})))
