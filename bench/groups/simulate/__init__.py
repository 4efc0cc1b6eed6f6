"""`potluck simulate` beside the simulations of pfl-research and Flower: clients a second, on this machine's cores.

FedAvg of a network of 25,450 weights in float32, 20 rows a client, one epoch in one batch, the same rows for all. Each
is a process (or several) of its own; its first round does not count, and of each the quickest round does. Other work on
the machine slows all of them, and ours with a process a core the most: measure on a quiet one. Ours puts sums on the
grid and opens them as a run does; the others add up floats.
"""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from harness import clients
from harness.measure import Row, less, more
from peers import simulators
from peers.simulators import Peer

POPULATION, COHORT, ROUNDS, RATE = 4_000, 1_000, 10, 0.05
FEWEST = 2
"""A round of so many is what a round takes beside its clients."""
FEW: dict[Peer, int] = {"pfl": 300, "flower": 50}
"""Clients of the peers' rounds: a round of Flower with more takes minutes, and it gets no quicker by them."""
MANY: dict[Peer, int] = {"pfl": 3, "flower": 2}
GOALS: dict[Peer, float] = {"pfl": 9.0, "flower": 100.0}
LEAST = 9_000.0
"""Clients a second, on two cores."""


def rows() -> Iterator[Row]:
    """Beside each peer that can be installed, and the goal itself."""
    with tempfile.TemporaryDirectory(prefix="potluck-bench-") as folder:
        file = clients.written(Path(folder) / "clients.npz", POPULATION)
        small = clients.written(Path(folder) / "few.npz", 1_000)
        measured = [_ours(file, COHORT), _ours(file, COHORT)]
        took, cores = min(one for one, _ in measured), len(os.sched_getaffinity(0))
        ours, floor = COHORT / took, cores / min(one for _, one in measured)
        said = f"simulated clients a second, 25,000 weights, 20 rows, cohort {COHORT:,}"
        yield more(f"{said}: goal", (ours, LEAST), "the goal on two cores", "1/s", 1.0)
        yield more(f"{said}: floor", (ours, floor), f"products of matrices alone on {cores} cores", "1/s")
        few = f"simulated round of {FEWEST} clients, 25,000 weights: what a round takes beside its clients"
        yield less(few, (_ours(file, FEWEST)[0], took), f"a round of {COHORT:,}", "s")
        for peer in simulators.NAMES:
            try:
                theirs = min(simulators.rounds(peer, small, FEW[peer], MANY[peer], RATE))
            except simulators.Missing as why:
                print(f"simulate: no row beside {simulators.NAMES[peer]}: {why}", file=sys.stderr, flush=True)
                continue
            name = f"{simulators.NAMES[peer]}, cohort {FEW[peer]:,}"
            yield more(f"{said}: {peer}", (ours, FEW[peer] / theirs), name, "1/s", GOALS[peer])


def _ours(file: Path, cohort: int) -> tuple[float, float]:
    """Seconds of the quickest round, and of a client on one thread below which nobody can go."""
    asked = [sys.executable, "-m", "harness.clients", str(file), str(cohort), str(ROUNDS), str(RATE)]
    done = subprocess.run(asked, check=True, capture_output=True, text=True, cwd=Path(__file__).parents[2])
    found = json.loads(done.stdout.strip().splitlines()[-1])
    return min(found["rounds"][1:]), found["floor"]
