"""What noise costs a model of census rows: 48,842 at four sites, shared noise, epsilon .5, medians of three runs.

Each run is a whole one, under masks, on a split of its own (seeds 0 to 2), by `adam` at its usual rate: as
`docs/concepts/training.md` recommends, the same without `training.standardize`, and as a plan has it that says no more.
Settings were chosen on made-up rows (`tests/support/learning/census.py`). Beside each is scikit-learn's fit without
noise of the same training rows, encoded and pooled. Accuracy and AUC are those on all held-out rows, by ranks: possible
only because the bench holds them.
"""

import statistics
import sys
import tempfile
from collections.abc import Iterator, Mapping

import numpy as np
import pandas as pd
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

import potluck
from harness import census, fetched
from harness.measure import Row, more
from potluck.learning.data.table import Table, read
from potluck.learning.evaluation.evaluate import exact

SITES = ("north", "east", "south", "west")
SEEDS = range(3)
GOALS = {"accuracy": 0.842, "AUC": 0.893}
PEER = "scikit-learn without noise, pooled rows"
MORE = {"rounds": 50, "iterates": "averaged"}
WAYS: Mapping[str, tuple[float, Mapping[str, object]]] = {
    "standardized": (2.0, MORE | {"standardize": True}),
    "as encoded": (2.0, MORE),
    "20 rounds, clip 1": (1.0, {}),
}
"""The clip, and what a plan says beside its optimizer."""


def rows() -> Iterator[Row]:
    """Accuracy and AUC of each way; the first has goals."""
    try:
        whole = census.rows()
    except fetched.Missing as why:
        print(f"census: no row: {why}", file=sys.stderr, flush=True)
        return
    parts = {name: whole.iloc[place :: len(SITES)] for place, name in enumerate(SITES)}
    columns = census.columns(whole)
    best = [_pooled(_plan(columns, seed, 1.0, {}), parts) for seed in SEEDS]
    for way, (clip, keys) in WAYS.items():
        found = [_ours(_plan(columns, seed, clip, keys), parts) for seed in SEEDS]
        for place, (what, goal) in enumerate(GOALS.items()):
            ours, peer = (statistics.median(one[place] for one in some) for some in (found, best))
            wanted = goal / peer if way == next(iter(WAYS)) else None
            yield more(f"census, 4 sites, shared noise, eps=0.5, {way}: {what}", (ours, peer), PEER, what, wanted)


def _plan(columns: Mapping[str, object], seed: int, clip: float, keys: Mapping[str, object]) -> potluck.Plan:
    return potluck.Plan(
        name="census",
        purpose="what noise costs a model",
        task="train",
        federation={"sites": list(SITES)},
        data={
            "columns": columns,
            "target": {"column": census.TARGET, "positive": [">50K"]},
            "split": {"test": 0.25, "seed": seed},
            "max_rows": 20_000,
        },
        model={"kind": "logistic"},
        training={"method": "gradient", "optimizer": "adam", "expected_rows": 36_000, **keys},
        protect={"with": "mask"},
        privacy={"noise": "shared", "unit": "row", "epsilon": 0.5, "delta": 1e-5, "clip": clip},
    )


def _tables(plan: potluck.Plan, parts: Mapping[str, pd.DataFrame]) -> list[Table]:
    return [read(part, plan.spec, name) for name, part in parts.items()]


def _ours(plan: potluck.Plan, parts: Mapping[str, pd.DataFrame]) -> tuple[float, float]:
    with tempfile.TemporaryDirectory() as folder:
        model = potluck.run(plan, parts, out=f"{folder}/run", ledger=f"{folder}/ledger").model
    found = exact(model, _tables(plan, parts))
    return found.accuracy or 0.0, found.auc or 0.0


def _pooled(plan: potluck.Plan, parts: Mapping[str, pd.DataFrame]) -> tuple[float, float]:
    held = _tables(plan, parts)
    x, y, test = (np.concatenate([getattr(one, key) for one in held]) for key in ("features", "target", "test"))
    fitted = LogisticRegression(max_iter=2000).fit(x[~test], y[~test])
    scores = fitted.decision_function(x[test])
    return float(np.mean((scores > 0) == y[test])), float(roc_auc_score(y[test], scores))
