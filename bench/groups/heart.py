"""What noise costs the model: the heart federation's logistic regression, AUC on held-out rows, mean of 20 runs.

Each run is the shipped plan through the real masked rounds with fresh `shared` noise, on a split of its own (seeds 0 to
19). Beside it the federated fit of the same plan on the same splits without noise. AUC is exact here, over all
sites' held-out rows: possible only because the bench holds them all.
"""

import statistics
from collections.abc import Iterator, Mapping

from harness.measure import Row, less, more
from potluck.api.local.demo import demo_plan
from potluck.core.party import Party
from potluck.core.plan import Plan, digest
from potluck.drivers.memory import Memory, new_run
from potluck.drivers.sums import Sums, drive
from potluck.learning.data.table import Table
from potluck.learning.evaluation.evaluate import exact
from potluck.learning.loops import TrainTask
from potluck.learning.models.model import Model
from potluck.tasks.sources import tables, without_noise
from potluck.tasks.sums import protections
from potluck.tasks.sums.together import Together, by_hand

EPSILONS = (0.5, 1.0, 3.0, 8.0)
RUNS = 20
WITHIN = 0.015
PEER = "federated without noise"


def rows() -> Iterator[Row]:
    """Mean and standard deviation of the AUC at each epsilon."""
    plain = [_without(seed) for seed in range(RUNS)]
    mean = statistics.mean(plain)
    for epsilon in EPSILONS:
        found = [_with(seed, epsilon) for seed in range(RUNS)]
        name, goal = f"heart auc eps={epsilon:g}", (mean - WITHIN) / mean if epsilon == 1 else None
        yield more(name, (statistics.mean(found), mean), PEER, "mean AUC", goal)
        spread = statistics.stdev(found), statistics.stdev(plain)
        yield less(f"{name}, spread", spread, PEER, "sd of AUC")


def _plan(seed: int, epsilon: float) -> tuple[Plan, Mapping[Party, Table]]:
    return tables(demo_plan([f"data.split.seed={seed}", f"privacy.epsilon={epsilon}"]), None)


def _without(seed: int) -> float:
    spec, rows_ = _plan(seed, 1.0)
    plain = without_noise(spec)
    fitted = by_hand(plain, TrainTask(plain, evaluated=False), rows_, Memory(spec.sites, digest(spec)))
    return _auc(fitted.model, rows_)


def _with(seed: int, epsilon: float) -> float:
    """A whole run: every sum of the plan, the charged evaluation included, opened from under masks."""
    spec, rows_ = _plan(seed, epsilon)
    task = TrainTask(spec)
    memory = Memory(spec.sites, digest(spec))
    sums = Sums(spec, Together(spec, task, protections.row(spec).build(spec, None), rows_, memory, new_run()))
    return _auc(drive(task, sums).model, rows_)


def _auc(model: Model, rows_: Mapping[Party, Table]) -> float:
    auc = exact(model, list(rows_.values())).auc
    assert auc is not None
    return auc
