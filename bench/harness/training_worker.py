"""One process of the group `training`: a logistic regression on a Parquet file, by a site or by scikit-learn.

Prints seconds of processor time to read and to train, the peak of its memory, and the mean log-loss on the rows.
"""

import json
import re
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

import potluck.owner.source  # noqa: F401 - the kinds of source that owners have
from harness import one_site
from potluck.core import plan as p
from potluck.core.stages import Floats
from potluck.tasks.sums.rows import rows_of

NUMBERS = [f"x{place}" for place in range(10)]
LOW, HIGH, PASSES, RATE = -50.0, 150.0, 20, 4.0


def plan() -> p.Plan:
    """Ten numbers, and whether."""
    columns = {name: p.Column(kind="number", low=LOW, high=HIGH) for name in NUMBERS}
    columns["y"] = p.Column(kind="category", values=("0", "1"))
    return p.Plan(
        version=1,
        name="training",
        purpose="bench",
        task="train",
        federation=p.Federation(sites=("a", "b")),
        data=p.Data(columns=columns, target=p.Target(column="y", positive=("1",)), max_rows=100_000_000),
        protect=p.Protect(scheme="clear"),
        privacy=p.PrivacyPlan(noise="none"),
        model=p.Model(kind="logistic"),
        training=p.Training(method="gradient", rounds=PASSES, rate=RATE),
    )


def ours(path: Path) -> tuple[Callable[[], Floats], Floats, Floats]:
    """How to train, and on which rows: a site's reading, then the rounds of a run but for their protection."""
    table = rows_of(path, plan(), "a")
    return lambda: one_site.weights(plan(), table), table.features, table.target


def peer(path: Path) -> tuple[Callable[[], Floats], Floats, Floats]:
    """The same by pandas and scikit-learn."""
    import pandas as pd
    from sklearn.linear_model import SGDClassifier

    frame = pd.read_parquet(path)
    rows, target = 2 * (frame[NUMBERS].to_numpy() - LOW) / (HIGH - LOW) - 1, frame["y"].to_numpy()
    sgd = SGDClassifier(loss="log_loss", alpha=1 / len(rows), max_iter=PASSES, tol=None, random_state=0)

    def train() -> Floats:
        sgd.fit(rows, target)
        return np.concatenate([sgd.intercept_, sgd.coef_[0]])

    return train, rows, target


def loss(weights: Floats, rows: Floats, target: Floats) -> float:
    """Mean log-loss, some rows at a time."""
    total = 0.0
    for start in range(0, len(rows), 1 << 16):
        here = slice(start, start + (1 << 16))
        margins = rows[here] @ weights[1:] + weights[0]
        total += float(np.logaddexp(0, np.where(target[here] == 1, -margins, margins)).sum())
    return total / len(rows)


def main() -> None:
    """Who, and which file."""
    who, path = sys.argv[1:]
    started = time.process_time()
    train, rows, target = (ours if who == "ours" else peer)(Path(path))
    read = time.process_time()
    weights = train()
    trained = time.process_time()
    # Not ru_maxrss: a new process has that of the one that made it.
    peak = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text(encoding="ascii"))
    found = {"read": read - started, "trained": trained - read, "peak": int(peak[1]) * 1024 if peak else 0}
    print(json.dumps(found | {"loss": loss(weights, rows, target), "bytes": rows.nbytes}))


if __name__ == "__main__":
    main()
