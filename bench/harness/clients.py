"""Many clients of a few rows each: made-up pictures of 784 points in ten classes, and the plan that simulates them.

Ours is measured in a process of its own: `python -m harness.clients FILE COHORT ROUNDS RATE` prints seconds a round,
and those of a client below which no thread can go.
"""

import json
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

import potluck
from potluck.core.seeded import generator
from potluck.learning.data.table import Table
from potluck.learning.models.graphs import follow
from potluck.simulation.pooled import Pooled
from potluck.simulation.rounds import peopled, simulate
from potluck.simulation.wanted import Wanted
from potluck.simulation.ways import Cohorts

POINTS, HIDDEN, CLASSES, ROWS = 784, 32, 10, 20


def written(path: Path, clients: int) -> Path:
    """x [clients, rows, points] in float32, y [clients, rows]: each class has a mean of its own."""
    draw = np.random.default_rng(17)
    y = draw.integers(0, CLASSES, (clients, ROWS))
    means = draw.uniform(-0.5, 0.5, (CLASSES, POINTS))
    x = np.clip(means[y] + draw.normal(0, 0.3, (clients, ROWS, POINTS)), -1, 1).astype(np.float32)
    np.savez(path, x=x, y=y)
    return path


def net() -> Any:
    """25,450 weights."""
    import torch

    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Linear(POINTS, HIDDEN), torch.nn.ReLU(), torch.nn.Linear(HIDDEN, CLASSES))


def plan(folder: Path, rounds: int, rate: float) -> potluck.Plan:
    """FedAvg of the network, one epoch in one batch."""
    potluck.graph(net(), {"features": [POINTS]}, folder / "net.graph")
    names = [str(one) for one in range(CLASSES)]
    point = {"kind": "number", "low": -1, "high": 1}
    columns = {f"p{place}": point for place in range(POINTS)} | {"y": {"kind": "category", "values": names}}
    return potluck.Plan(
        name="clients", purpose="the bench", task="train", federation={"sites": ["a", "b", "c"], "server": "curious"},
        data={"columns": columns, "target": {"column": "y", "classes": names}},
        model={"kind": "network", "graph": str(folder / "net.graph"), "l2": 0},
        training={"method": "average", "rounds": rounds, "batch": ROWS, "rate": rate},
        protect={"with": "mask"}, privacy={"noise": "none"},
    )  # fmt: skip


def seconds(file: Path, cohort: int, rounds: int, rate: float) -> list[float]:
    """Of each round, by `potluck.simulation` over these clients: rows are given to it as they would be read."""
    held = np.load(file)
    clients = len(held["y"])
    x, y = held["x"].reshape(-1, POINTS).astype(np.float64), held["y"].reshape(-1).astype(np.float64)
    none = np.zeros(len(y), np.bool_)
    table = Table(x, y, None, none, {}, ())
    nobody = Table(x[:0], y[:0], None, none[:0], {}, ())
    with tempfile.TemporaryDirectory(prefix="potluck-bench-") as folder:
        spec = plan(Path(folder), rounds, rate).spec
        follow(spec)
        rows = np.array_split(generator(0, "bench").permutation(len(y)), clients)
        cohorts = Cohorts(peopled(spec, clients), Pooled(table, nobody, np.zeros(len(y), np.int64)), rows).ready()
        processes = len(os.sched_getaffinity(0))
        return [one.seconds for one in simulate(cohorts, Wanted(cohort=cohort, processes=processes)).rounds]


def floor(side: int = 128, times: int = 30) -> float:
    """Seconds of a client on one thread, of so many side by side: the products of matrices of its step alone, into
    memory that is there. All begin at the same weights: forward they are one product, back each has its own."""
    import torch

    torch.set_num_threads(1)
    rows, first = torch.randn(side, ROWS, POINTS), torch.randn(POINTS, HIDDEN)
    hidden, second = torch.empty(side * ROWS, HIDDEN), torch.randn(HIDDEN, CLASSES)
    out, back = torch.empty(side * ROWS, CLASSES), torch.empty(side * ROWS, HIDDEN)
    slopes = torch.empty(side, HIDDEN, POINTS), torch.empty(side, CLASSES, HIDDEN)
    found = []
    for _ in range(times):
        began = time.perf_counter()
        torch.mm(rows.view(-1, POINTS), first, out=hidden)
        torch.mm(hidden, second, out=out)
        torch.mm(out, second.T, out=back)
        apart = out.view(side, ROWS, CLASSES).transpose(1, 2), back.view(side, ROWS, HIDDEN).transpose(1, 2)
        torch.bmm(apart[0], hidden.view(side, ROWS, HIDDEN), out=slopes[1])
        torch.bmm(apart[1], rows, out=slopes[0])
        found.append((time.perf_counter() - began) / side)
    return min(found)


if __name__ == "__main__":
    rounds = seconds(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4]))
    print(json.dumps({"rounds": rounds, "floor": floor()}))
