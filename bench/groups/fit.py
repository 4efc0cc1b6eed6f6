"""What a fit over columns at two owners costs, from frames to model and metrics, beside scikit-learn and MPyC.

All parties are on this machine: two owners, three compute parties with an engine each, the server. Engines start within
what is timed, as they do in a run. scikit-learn hides nothing and has all columns. Beside MPyC as many full-batch
gradient steps are done on the same rows; it aligns none, checks no ranges and measures nothing in secret, and its
processes have started and met before its time begins.
"""

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd
from scipy.special import expit
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

import potluck
from harness.measure import Row, less, more
from peers.mpyc_fit import L2, RATE, STEPS
from potluck.core.stages import Floats

PEER = Path(__file__).parents[1] / "peers" / "mpyc_fit.py"
NEWTON: dict[str, object] = {"method": "newton", "rounds": 8}
GRADIENT: dict[str, object] = {"method": "gradient", "rounds": STEPS, "rate": RATE}
LONGEST = 60.0
"""Seconds that 30,000 rows of 23 columns may take."""
NEAR = 0.998
"""How much of the plain AUC is asked for: .002 less at most."""
OWNERS = ("bank", "shop")
PLAIN = "scikit-learn, all columns in one place, nothing hidden"
STEPPED = "NumPy, the same steps, all columns in one place, nothing hidden"
MPYC = "MPyC 0.11, three processes, SecFxp(64, 26), cubic for the sigmoid, start not counted"


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


def plan(columns: int, training: dict[str, object]) -> potluck.Plan:
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
        model={"kind": "logistic", "l2": L2},
        training=training,
        protect={"with": "share"},
        privacy={"noise": "none"},
    )


def fitted(whole: pd.DataFrame, training: dict[str, object]) -> tuple[float, float]:
    """(seconds, AUC) of ours."""
    names = features(whole)
    half = len(names) // 2
    data = {OWNERS[0]: whole[[*names[:half], "id", "y", "fold"]], OWNERS[1]: whole[[*names[half:], "id"]][::-1]}
    with TemporaryDirectory() as place:
        started = time.perf_counter()
        run = potluck.run(plan(len(names), training), data, out=Path(place) / "run", ledger=Path(place) / "ledger")
        seconds = time.perf_counter() - started
        metrics = json.loads((run.folder / "run.json").read_text())["metrics"]
    return seconds, float(metrics["federated"]["auc"])


def pooled(whole: pd.DataFrame) -> tuple[float, float]:
    """(seconds, AUC) of scikit-learn."""
    names, train = features(whole), whole[whole.fold == "train"]
    started = time.perf_counter()
    best = LogisticRegression(C=1 / L2).fit(train[names], train.y)
    seconds = time.perf_counter() - started
    return seconds, auc(whole, best.coef_[0])


def stepped(whole: pd.DataFrame) -> tuple[float, float]:
    """(seconds, AUC) of the gradient steps in plain."""
    train = whole[whole.fold == "train"]
    x, y = train[features(whole)].to_numpy(), train.y.to_numpy()
    started = time.perf_counter()
    x = np.column_stack([np.ones(len(x)), x])
    weights, ridge = np.zeros(x.shape[1]), np.array([0.0] + [L2] * (x.shape[1] - 1))
    for _ in range(STEPS):
        weights = weights - RATE / len(y) * ((expit(x @ weights) - y) @ x + ridge * weights)
    seconds = time.perf_counter() - started
    return seconds, auc(whole, weights[1:])


def mpyc(whole: pd.DataFrame) -> tuple[float, float]:
    """(seconds, AUC) of MPyC's, in the same run; its processes are its own."""
    names, train = features(whole), whole[whole.fold == "train"]
    half = len(names) // 2
    with TemporaryDirectory() as place:
        given = Path(place) / "given.npz"
        np.savez(given, left=train[names[:half]], right=train[names[half:]], target=train.y)
        command = [sys.executable, str(PEER), "-M3", "--no-log", str(given)]
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=1200)
    found = json.loads(done.stdout.splitlines()[-1])
    return float(found["seconds"]), auc(whole, np.array(found["weights"][1:]))


def features(whole: pd.DataFrame) -> list[str]:
    """Names of the numbers."""
    return [name for name in whole.columns if name.startswith("x")]


def auc(whole: pd.DataFrame, weights: Floats) -> float:
    """On the rows held out. weights: [p], without the intercept, which orders nothing."""
    test = whole[whole.fold == "test"]
    return float(roc_auc_score(test.y, test[features(whole)].to_numpy() @ weights))


def rows() -> Iterator[Row]:
    """Time beside plaintext and MPyC, and the AUC; then the larger one against its limit."""
    whole = drawn(10_000, 20)
    name = "fit over columns, 10,000 x 20 at 2 owners, newton"
    ours, plain = fitted(whole, NEWTON), pooled(whole)
    yield less(f"{name}", (ours[0], plain[0]), PLAIN, "s")
    yield more(f"{name}: auc", (ours[1], plain[1] * NEAR), f"{PLAIN}, x {NEAR}", "auc", goal=1.0)
    name = f"fit over columns, 10,000 x 20 at 2 owners, {STEPS} gradient steps"
    ours, plain, peer = fitted(whole, GRADIENT), stepped(whole), mpyc(whole)
    yield less(f"{name}: peer", (ours[0], peer[0]), MPYC, "s")
    yield less(f"{name}: plain", (ours[0], plain[0]), STEPPED, "s")
    yield more(f"{name}: auc beside the peer", (ours[1], peer[1]), MPYC, "auc")
    yield more(f"{name}: auc", (ours[1], plain[1] * NEAR), f"{STEPPED}, x {NEAR}", "auc", goal=1.0)
    whole = drawn(30_000, 23)
    name = "fit over columns, 30,000 x 23 at 2 owners, newton"
    ours, plain = fitted(whole, NEWTON), pooled(whole)
    yield less(f"{name}: goal", (ours[0], LONGEST), "the goal", "s", goal=1.0)
    yield more(f"{name}: auc", (ours[1], plain[1] * NEAR), f"{PLAIN}, x {NEAR}", "auc", goal=1.0)
