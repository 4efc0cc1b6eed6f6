"""Boosted trees and additive models of census rows at three sites, beside XGBoost and themselves without noise.

XGBoost has all rows, encoded and pooled, and grows as many trees as deep. AUCs are those on the 18,842 rows that were
held out, by ranks: possible only because the bench holds them. Under noise all sites but one are sure to add their
shares of it; the steps of additive models under noise were chosen on these rows and on made-up ones
(`tests/support/learning/census.py`). Seconds and bytes are those of whole runs of few rounds in one process.
"""

import importlib
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.metrics import roc_auc_score

import potluck
from harness import fetched
from harness.measure import Row, less, more
from harness.synthetic import Case, income
from potluck.learning.data.table import read

SITES, DELTA, EPSILONS = ("a", "b", "c"), 1e-5, (1.0, 0.5)
WORDS = ("clear", "mask", "share", "he", "tee")
ROUNDS, FEW = {"trees": 20, "additive": 40}, 3
"""Of models that are judged, and of runs that are timed."""
NEAR, SAME = 0.01, 1e-5
"""Goals: how far noise may take an AUC down, and how far apart the AUCs of equal trees may be."""
PEER = "XGBoost, pooled rows"


def rows() -> Iterator[Row]:
    """How good, then what a run costs."""
    try:
        case = income()
        _xgboost()
    except (fetched.Missing, ImportError) as why:
        print(f"boosting: no row: {why}", file=sys.stderr, flush=True)
        return
    yield from judged(case)
    yield from costs(case)


def judged(case: Case) -> Iterator[Row]:
    """AUCs."""
    what = f"census, {len(case.train):,} rows"
    trees, plain = (area(case, carried(planned(case, kind, ROUNDS[kind]), case)[0]) for kind in ROUNDS)
    theirs = area_of(case, boosted(case, ROUNDS["trees"])[0])
    yield more(f"boosted trees, {what}: AUC", (trees, theirs), PEER, "AUC", 1 - SAME)
    for epsilon in EPSILONS:
        made = planned(case, "additive", ROUNDS["additive"], "mask", noise_of(epsilon))
        noised = area(case, carried(made, case)[0])
        goal = 1 - NEAR / plain if epsilon == EPSILONS[0] else None
        yield more(f"additive, {what}, eps={epsilon:g}: AUC", (noised, plain), "the same without noise", "AUC", goal)


def costs(case: Case) -> Iterator[Row]:
    """Seconds beside XGBoost's, which grows as many trees in them; bytes beside those of `clear`."""
    peer, sent = boosted(case, FEW)[1], dict[str, float]()
    for kind in ROUNDS:
        for word in WORDS:
            _, seconds, sent[word] = carried(planned(case, kind, FEW, word), case)
            what = f"{kind}, census, {len(case.train):,} rows, {FEW} rounds, {word}"
            yield less(f"{what}: seconds", (seconds, peer), PEER, "s")
            if word != "clear":
                yield less(f"{what}: a site sends", (sent[word], sent["clear"]), "clear", "B")


def noise_of(epsilon: float) -> dict[str, object]:
    """Of rows."""
    return {"noise": "shared", "unit": "row", "epsilon": epsilon, "delta": DELTA}


def planned(
    case: Case, kind: str, rounds: int, word: str = "clear", privacy: dict[str, object] | None = None
) -> potluck.Plan:
    """Over all rows to train, none of which is held out."""
    target = {"column": case.target, "positive": [">50K"]}
    return potluck.Plan(
        name="bench",
        purpose="who earns more",
        task="train",
        federation={"sites": list(SITES), "server": "curious", "corrupt": 1},
        data={"columns": dict(case.columns), "target": target, "max_rows": len(case.train)},
        model={"kind": kind},
        training={"method": "boosting", "rounds": rounds},
        protect={"with": word},
        privacy=privacy or {"noise": "none"},
    )


def carried(plan: potluck.Plan, case: Case) -> tuple[potluck.Model, float, float]:
    """(model, seconds of the run, bytes that a site sends)."""
    parts = {site: case.train[place :: len(SITES)].reset_index(drop=True) for place, site in enumerate(SITES)}
    with tempfile.TemporaryDirectory() as temp:
        began = time.perf_counter()
        done = potluck.run(plan, parts, out=Path(temp) / "run", ledger=Path(temp) / "ledger")
        seconds = time.perf_counter() - began
        rounds: Any = done.document["rounds"]
        return (
            potluck.Model.read(Path(temp) / "run" / "model.json"),
            seconds,
            sum(one["bytes_up"] for one in rounds) / len(SITES),
        )


def area(case: Case, model: potluck.Model) -> float:
    """On rows that were held out."""
    return area_of(case, model.scores(case.test))


def area_of(case: Case, scores: Any) -> float:
    """The same of scores."""
    return float(roc_auc_score((case.test[case.target] == ">50K").to_numpy(), scores))


def boosted(case: Case, rounds: int) -> tuple[Any, float]:
    """(XGBoost's scores of the rows that were held out, its seconds): on numbers by their bins, as ours are."""
    xgboost, spec = _xgboost(), planned(case, "trees", rounds).spec
    bins, spread = 16, np.array([column["kind"] == "number" for column in _encoded(case)])

    def taken(table: Any) -> Any:
        found = table.features.copy()
        found[:, spread] = np.minimum(np.floor((found[:, spread] + 1) / 2 * bins), bins - 1)
        return found

    train, test = (read(some, spec, "a") for some in (case.train, case.test))
    words = {"objective": "binary:logistic", "tree_method": "hist", "max_depth": 3, "eta": 0.3, "lambda": 1.0}
    words |= {"min_child_weight": 0, "base_score": 0.5, "nthread": 2}
    held_out = xgboost.DMatrix(taken(test))
    began = time.perf_counter()
    grown = xgboost.train(words, xgboost.DMatrix(taken(train), train.target), rounds)
    return grown.predict(held_out), time.perf_counter() - began


def _encoded(case: Case) -> Iterator[Any]:
    """The column of each encoded feature."""
    for name, column in case.columns.items():
        if name != case.target:
            yield from [column] * (1 if column["kind"] == "number" else len(column["values"]))


def _xgboost() -> Any:
    """As `make .venv/.oracles` installs it. Raises ImportError."""
    folder = str(Path(sys.prefix) / "oracles")
    if folder not in sys.path:
        sys.path.append(folder)
    return importlib.import_module("xgboost")
