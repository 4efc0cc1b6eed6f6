"""Made-up rows beside a central MST, on three tables: pairs of columns, and the AUC of a model that is trained on them.

Ours are those of a run at three sites, under a mask, whose noise the server adds when it opens the sums: as much as
MST's. Both have the same levels of columns. Seconds and bytes are those of whole runs under each protection. MST is
written from its paper; it has all rows.
"""

import math
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import potluck
from harness import fetched
from harness.measure import Row, less, more
from harness.synthetic import Case, affairs, area, codes, income, pair_error, visits
from peers import central_mst
from potluck.core.seeded import generator
from potluck.learning.synthesis.axes import axes_of
from potluck.learning.synthesis.draw import values

SITES, DELTA = ("a", "b", "c"), 1e-6
EPSILONS, TIMES = (1.0, 10.0), 10
WORDS = ("clear", "mask", "share", "he", "tee")
BETTER, NEAR = 1 / 0.95, 0.02
"""Goals: pairs that are so many times nearer than MST's, and an AUC that is so far from that of real rows."""
TABLES: tuple[Callable[[], Case], ...] = (income, affairs, visits)


def rows() -> Iterator[Row]:
    """Each table at each epsilon, then what a run costs."""
    for table in TABLES:
        try:
            case = table()
        except fetched.Missing as why:
            print(f"synthesis: no row: {why}", file=sys.stderr, flush=True)
            continue
        for epsilon in EPSILONS:
            yield from compared(case, epsilon)
        if table is income:
            yield from costs(case)


def compared(case: Case, epsilon: float) -> Iterator[Row]:
    """Means over TIMES draws of noise."""
    whole, found = area(case, case.train), [quality(case, epsilon, seed) for seed in range(TIMES)]
    ours, theirs, auc, their_auc = (float(np.mean([one[place] for one in found])) for place in range(4))
    what = f"made-up rows, {case.name}, {len(case.train):,} rows, eps={epsilon:g}"
    yield less(f"{what}: error of pairs", (ours, theirs), central_mst.NAME, "L1", BETTER)
    yield more(f"{what}: AUC", (auc, their_auc), central_mst.NAME, "AUC")
    yield more(f"{what}: AUC beside real rows", (auc, whole), "trained on real rows", "AUC", 1 - NEAR / whole)


def quality(case: Case, epsilon: float, seed: int) -> tuple[float, float, float, float]:
    """(error of pairs, MST's, AUC, MST's)."""
    plan = planned(case, epsilon)
    axes = axes_of(plan.spec)
    sizes, real = [axis.size for axis in axes], codes(axes, case.columns, case.train)
    made = carried(plan, case)[0]
    draw = generator(seed, "bench")
    theirs = central_mst.rows(real, sizes, rho_of(epsilon), len(case.train), seed)
    frame = pd.DataFrame({axis.name: _cells(values(axis, theirs[:, i], draw), axis) for i, axis in enumerate(axes)})
    near = pair_error(sizes, real, codes(axes, case.columns, made))
    return near, pair_error(sizes, real, theirs), area(case, made), area(case, frame)


def _cells(numbers: Any, axis: Any) -> Any:
    return np.array(axis.values, object)[numbers.astype(int)] if axis.values else numbers


def planned(case: Case, epsilon: float, word: str = "mask", noise: str = "reveal") -> potluck.Plan:
    """As many rows as there are."""
    return potluck.Plan(
        name="bench",
        purpose="rows like those",
        task="synthesize",
        federation={"sites": list(SITES), "server": "curious", "corrupt": 1},
        data={"columns": dict(case.columns), "max_rows": len(case.train)},
        synthesize={"rows": len(case.train), "target": case.target, "whole": list(case.whole)},
        protect={"with": word},
        privacy={"noise": noise, "unit": "row", "epsilon": epsilon, "delta": DELTA},
    )


def carried(plan: potluck.Plan, case: Case) -> tuple[pd.DataFrame, float, float]:
    """(made-up rows, seconds of the run, bytes that a site sends)."""
    parts = {site: case.train[place :: len(SITES)].reset_index(drop=True) for place, site in enumerate(SITES)}
    with tempfile.TemporaryDirectory() as temp:
        began = time.perf_counter()
        done = potluck.run(plan, parts, out=Path(temp) / "run")
        seconds = time.perf_counter() - began
        made = pd.read_csv(str(done.document["synthetic"]), dtype=dict.fromkeys(_texts(case), str))
        rounds: Any = done.document["rounds"]
        return made, seconds, sum(one["bytes_up"] for one in rounds) / len(SITES)


def _texts(case: Case) -> list[str]:
    return [name for name, column in case.columns.items() if "values" in column]


def costs(case: Case) -> Iterator[Row]:
    """Seconds beside MST's, bytes beside those of `clear`."""
    plan = planned(case, 1.0)
    axes = axes_of(plan.spec)
    began = time.perf_counter()
    central_mst.rows(codes(axes, case.columns, case.train), [one.size for one in axes], rho_of(1.0), len(case.train), 0)
    mst, sent = time.perf_counter() - began, dict[str, float]()
    for word in WORDS:
        _, seconds, sent[word] = carried(planned(case, 1.0, word, "site"), case)
        what = f"made-up rows, {case.name}, {len(case.train):,} rows, {word}"
        yield less(f"{what}: seconds", (seconds, mst), f"{central_mst.NAME}, without files and a report", "s")
        if word != "clear":
            yield less(f"{what}: a site sends", (sent[word], sent["clear"]), "clear", "B")


def rho_of(epsilon: float) -> float:
    """The zero-concentrated privacy that is as much as (epsilon, DELTA): Canonne, Kamath and Steinke 2020, Proposition
    12 (the best order by ternary search), as MST reckons it."""
    low, high = 0.0, epsilon + 1
    for _ in range(100):
        rho = (low + high) / 2
        low, high = (rho, high) if _delta(rho, epsilon) <= DELTA else (low, rho)
    return low


def _delta(rho: float, epsilon: float) -> float:
    if rho == 0:
        return 0.0
    low, high = 1.01, epsilon / (2 * rho) + 2
    for _ in range(200):
        order = (low + high) / 2
        slope = (2 * order - 1) * rho - epsilon + math.log1p(-1 / order)
        low, high = (order, high) if slope < 0 else (low, order)
    return min(1.0, math.exp((order - 1) * (order * rho - epsilon) + order * math.log1p(-1 / order)) / (order - 1))
