"""A site's sums over rows: ten Newton rounds and ten gradient steps, 30,000 rows of 100 features, one thread.

Gradients also with noise, which clips each row. All of a run but its protection: the site's sums on their grid, the
server's steps. In processor time, in a process whose BLAS has one thread: that several threads wait for each other
would count as work.
"""

import json
import os
import statistics
import subprocess
import sys
import time
import tracemalloc
from collections.abc import Callable, Iterator

import numpy as np

from harness.measure import Row, less
from harness.one_site import answered, weights
from potluck.core.plan import Column, Data, Federation, Model, Plan, PrivacyPlan, Protect, Target, Training
from potluck.core.stages import Floats
from potluck.dp.mechanism import Noised, mechanism
from potluck.learning.data.table import Table
from potluck.learning.loops import TrainTask

ROWS, FEATURES, ROUNDS, TURNS, RATE = 30_000, 100, 10, 5, 0.01
GOALS = {("logistic", "newton"): 1 / 5, ("logistic", "gradient"): 1 / 3, ("linear", "gradient"): 1 / 3}
CLIPPED = "gradient with noise"
HIDDEN = PrivacyPlan(noise="reveal", unit="row", epsilon=1.0, delta=1e-5, clip=1.0)
NUMPY = "NumPy, the same rounds on floats"
MB = 1e6


def rows() -> Iterator[Row]:
    """Each kind by each method, and peak memory beside that of the rows."""
    one_thread = {f"{name}_NUM_THREADS": "1" for name in ("OPENBLAS", "OMP", "MKL")}
    here = {"PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-m", "groups.sums"]
    done = subprocess.run(command, env=os.environ | one_thread | here, stdout=subprocess.PIPE, text=True, check=True)
    for kind, method, ours, peer in json.loads(done.stdout)["seconds"]:
        name = f"{ROUNDS} rounds of {method}, {kind}, {ROWS:,} x {FEATURES}, processor time"
        yield less(name, (ours, peer), NUMPY, "s", GOALS.get((kind, method)))
    peak, floor = json.loads(done.stdout)["bytes"]
    name = f"peak memory of a sum of newton, {ROWS:,} x {FEATURES}, beyond the rows"
    yield less(name, (peak / MB, floor / MB), "the rows themselves", "MB")


def main() -> None:
    """Measure in this process, and print."""
    seconds = []
    for kind in ("logistic", "linear"):
        table = _table(kind)
        for method, peer in (("newton", _newton), ("gradient", _gradient), (CLIPPED, _clipped)):
            plan = _plan(kind, method)
            taken: tuple[list[float], list[float]] = ([], [])
            for _ in range(TURNS + 1):
                for into, work in zip(taken, (lambda: weights(plan, table), lambda: peer(kind, table)), strict=True):  # noqa: B023
                    into.append(_taken(work))
            if np.abs(weights(plan, table) - peer(kind, table)).max() > _apart(plan):
                raise ValueError(f"{method} and NumPy found two {kind} models")
            seconds.append((kind, method, *(statistics.median(one[1:]) for one in taken)))
    table, plan = _table("logistic"), _plan("logistic", "newton")
    task = TrainTask(plan, evaluated=False)
    ask = next(task.lead())
    tracemalloc.start()
    answered(task, ask, table)
    peak = tracemalloc.get_traced_memory()[1]
    print(json.dumps({"seconds": seconds, "bytes": [peak, table.features.nbytes]}))


def _taken(work: Callable[[], object]) -> float:
    started = time.process_time()
    work()
    return time.process_time() - started


def _apart(plan: Plan) -> float:
    """How far two models may be apart: with noise eight deviations of all steps."""
    made = mechanism(plan, next(TrainTask(plan, evaluated=False).lead()))
    return 8 * ROUNDS * RATE / ROWS * made.real(made.share)[0] if isinstance(made, Noised) else 1e-9


def _plan(kind: str, method: str) -> Plan:
    columns = {f"x{i}": Column(kind="number", low=-1, high=1) for i in range(FEATURES)}
    columns["y"] = (
        Column(kind="number", low=-1, high=1) if kind == "linear" else Column(kind="category", values=("0", "1"))
    )
    return Plan(
        version=1,
        name="sums",
        purpose="bench",
        task="train",
        federation=Federation(sites=("a", "b")),
        data=Data(
            columns=columns, target=Target(column="y", positive=None if kind == "linear" else ("1",)), max_rows=ROWS
        ),
        protect=Protect(scheme="clear"),
        privacy=HIDDEN if method == CLIPPED else PrivacyPlan(noise="none"),
        model=Model(kind=kind),
        training=Training(method=method.split()[0], rounds=ROUNDS, rate=RATE, expected_rows=ROWS),
    )


def _table(kind: str) -> Table:
    rng = np.random.default_rng(0)
    x = rng.uniform(-1, 1, (ROWS, FEATURES))
    margins = x @ rng.normal(size=FEATURES)
    noisy = np.clip(margins / 20 + 0.05 * rng.normal(size=ROWS), -1, 1)
    y = noisy if kind == "linear" else (rng.random(ROWS) < 1 / (1 + np.exp(-margins))).astype(np.float64)
    return Table(x, y, None, np.zeros(ROWS, dtype=np.bool_), {}, ())


def _newton(kind: str, table: Table) -> Floats:
    x, ridge, w = _begun(table)
    for _ in range(ROUNDS):
        mean = x @ w if kind == "linear" else 1 / (1 + np.exp(-(x @ w)))
        gram = x.T @ x if kind == "linear" else x.T @ (x * (mean * (1 - mean))[:, None])
        w = w - np.linalg.solve(gram + np.diag(ridge), x.T @ (mean - table.target) + ridge * w)
    return w


def _gradient(kind: str, table: Table) -> Floats:
    x, ridge, w = _begun(table)
    for _ in range(ROUNDS):
        mean = x @ w if kind == "linear" else 1 / (1 + np.exp(-(x @ w)))
        w = w - RATE * (x.T @ (mean - table.target) + ridge * w) / ROWS
    return w


def _clipped(kind: str, table: Table) -> Floats:
    """Clipped by norms, without noise."""
    x, ridge, w = _begun(table)
    for _ in range(ROUNDS):
        off = (x @ w if kind == "linear" else 1 / (1 + np.exp(-(x @ w)))) - table.target
        norms = np.abs(off) * np.sqrt(np.einsum("ij,ij->i", x, x))
        w = w - RATE * (x.T @ (off * np.minimum(1, 1 / norms)) + ridge * w) / ROWS
    return w


def _begun(table: Table) -> tuple[Floats, Floats, Floats]:
    ridge = np.ones(FEATURES + 1)
    ridge[0] = 0.0
    return np.column_stack([np.ones(ROWS), table.features]), ridge, np.zeros(FEATURES + 1)


if __name__ == "__main__":
    main()
