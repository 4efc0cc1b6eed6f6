"""`potluck simulate` beside the simulations of pfl-research and Flower: clients a second, on this machine's cores.

FedAvg of a network of 25,450 weights in float32, 20 rows a client, one epoch in one batch, the same rows for all. Each
is a process (or several) of its own; its first round does not count, and of each the quickest round does. Other work on
the machine slows all of them, and ours with a process a core the most: measure on a quiet one. Ours puts sums on the
grid and opens them as a run does; the others add up floats.
"""

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from harness import clients
from harness.measure import Row, more
from peers import simulators
from peers.simulators import Peer

POPULATION, COHORT, ROUNDS, RATE = 4_000, 1_000, 6, 0.05
FEW: dict[Peer, int] = {"pfl": 300, "flower": 50}
"""Clients of the peers' rounds: a round of Flower with more takes minutes, and it gets no quicker by them."""
MANY: dict[Peer, int] = {"pfl": 3, "flower": 2}
GOALS: dict[Peer, float] = {"pfl": 9.0, "flower": 100.0}
FLOOR = 9_000.0
"""Clients a second, on two cores."""


def rows() -> Iterator[Row]:
    """Beside each peer that can be installed, and the goal itself."""
    with tempfile.TemporaryDirectory(prefix="potluck-bench-") as folder:
        file = clients.written(Path(folder) / "clients.npz", POPULATION)
        small = clients.written(Path(folder) / "few.npz", 1_000)
        ours = max(_ours(file), _ours(file))
        said = f"simulated clients a second, 25,000 weights, 20 rows, cohort {COHORT:,}"
        yield more(f"{said}: goal", (ours, FLOOR), "the goal on two cores", "1/s", 1.0)
        for peer in simulators.NAMES:
            try:
                took = min(simulators.rounds(peer, small, FEW[peer], MANY[peer], RATE))
            except simulators.Missing as why:
                print(f"simulate: no row beside {simulators.NAMES[peer]}: {why}", file=sys.stderr, flush=True)
                continue
            name = f"{simulators.NAMES[peer]}, cohort {FEW[peer]:,}"
            yield more(f"{said}: {peer}", (ours, FEW[peer] / took), name, "1/s", GOALS[peer])


def _ours(file: Path) -> float:
    asked = [sys.executable, "-m", "harness.clients", str(file), str(COHORT), str(ROUNDS), str(RATE)]
    done = subprocess.run(asked, check=True, capture_output=True, text=True, cwd=Path(__file__).parents[2])
    return COHORT / float(min(json.loads(done.stdout.strip().splitlines()[-1])[1:]))
