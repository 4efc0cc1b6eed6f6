"""What a fit over columns at two owners costs, from frames to model and metrics, beside scikit-learn with all columns.

All parties are on this machine: two owners, three compute parties with an engine each, the server. Engines start within
what is timed, as they do in a run. The peer hides nothing.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd
from measure import Row, less, more
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

import potluck

ROUNDS = 8
LONGEST = 60.0
"""Seconds that 30,000 rows of 23 columns may take."""
NEAR = 0.998
"""How much of the peer's AUC is asked for: .002 less at most."""
OWNERS = ("bank", "shop")
PLAIN = "scikit-learn, all columns in one place, nothing hidden"


def drawn(rows: int, columns: int) -> pd.DataFrame:
    """Made-up rows: a key, `columns` numbers on [-1, 1], a side, and whether it is held out."""
    draw = np.random.default_rng(5)
    x = np.clip(draw.normal(size=(rows, columns)) * 0.4, -1, 1)
    margins = x @ draw.normal(size=columns) * 1.5 - 0.5
    whole = pd.DataFrame(x, columns=[f"x{number}" for number in range(columns)])
    whole["id"] = [f"k{number}" for number in range(rows)]
    whole["y"] = (draw.random(rows) < 1 / (1 + np.exp(-margins))).astype(int)
    whole["fold"] = np.where(draw.random(rows) < 0.25, "test", "train")
    return whole


def plan(columns: int) -> potluck.Plan:
    """Half of the columns at each owner; the first has the target."""
    half = columns // 2
    said = {f"x{n}": {"kind": "number", "low": -1, "high": 1, "owner": OWNERS[n >= half]} for n in range(columns)}
    return potluck.Plan(
        name="bench",
        purpose="measure",
        task="fit",
        federation={"sites": list(OWNERS), "server": "curious", "patience": 120.0},
        data={
            "columns": said | {"y": {"kind": "category", "values": ["0", "1"], "owner": OWNERS[0]}},
            "target": {"column": "y", "positive": ["1"]},
            "split": {"column": "fold"},
        },
        align={"keys": ["id"]},
        model={"kind": "logistic"},
        training={"method": "newton", "rounds": ROUNDS},
        protect={"with": "share"},
        privacy={"noise": "none"},
    )


def fitted(rows: int, columns: int) -> tuple[tuple[float, float], tuple[float, float]]:
    """(seconds, AUC) of ours and of the peer, on the same rows."""
    whole, half = drawn(rows, columns), columns // 2
    names = [f"x{n}" for n in range(columns)]
    data = {OWNERS[0]: whole[[*names[:half], "id", "y", "fold"]], OWNERS[1]: whole[[*names[half:], "id"]][::-1]}
    with TemporaryDirectory() as place:
        started = time.perf_counter()
        run = potluck.run(plan(columns), data, out=Path(place) / "run", ledger=Path(place) / "ledger")
        ours = time.perf_counter() - started
        auc = json.loads((run.folder / "run.json").read_text())["metrics"]["federated"]["auc"]
    train, test = whole[whole.fold == "train"], whole[whole.fold == "test"]
    started = time.perf_counter()
    best = LogisticRegression(C=1.0).fit(train[names], train.y)
    seconds = time.perf_counter() - started
    return (ours, float(auc)), (seconds, float(roc_auc_score(test.y, best.decision_function(test[names]))))


def rows() -> Iterator[Row]:
    """Time beside plaintext, and the AUC; then the larger one against its limit."""
    ours, plain = fitted(10_000, 20)
    name = "fit over columns, 10,000 x 20 at 2 owners, newton"
    yield less(f"{name}", (ours[0], plain[0]), PLAIN, "s")
    yield more(f"{name}: auc", (ours[1], plain[1] * NEAR), f"{PLAIN}, x {NEAR}", "auc", goal=1.0)
    ours, plain = fitted(30_000, 23)
    name = "fit over columns, 30,000 x 23 at 2 owners, newton"
    yield less(f"{name}: goal", (ours[0], LONGEST), "the goal", "s", goal=1.0)
    yield more(f"{name}: auc", (ours[1], plain[1] * NEAR), f"{PLAIN}, x {NEAR}", "auc", goal=1.0)
