"""Pictures a second at a site that trains a CNN as a graph, one pass a round, beside a plain loop of PyTorch.

In processor time with one thread, by turns. Ours is all that a site does for one sum: pictures from PNG files that were
decoded before, shuffles, steps, its change on the grid. The plain loop has the pictures as one array, takes the same
batches in the same order, and must end with nearly the same weights.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from harness import fashion, modules, one_site, plain
from harness.measure import Row, in_turns, more
from harness.network_plan import PICTURES, RATE, tables
from potluck.core.seeded import generator
from potluck.learning.loops import TrainTask

TURNS, GOAL = 5, 0.9
PEER = "a plain loop of PyTorch over the same arrays"
NETWORKS: tuple[tuple[str, Callable[[], Any], int], ...] = (
    ("CNN of 52,000 weights", modules.few_weights, 5_000),
    ("ResNet of 175,000 weights", modules.residual, 640),
)
"""And how many pictures each learns from."""
MOST_APART = 0.01
"""Of their length. Both round in float32, each in its own order, and steps make more of what little that is."""


def rows() -> Iterator[Row]:
    """A small CNN and a ResNet."""
    here = {"PYTHONPATH": os.pathsep.join(sys.path), "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "groups.local_steps"]
    done = subprocess.run(command, env=os.environ | here, stdout=subprocess.PIPE, text=True, check=True)
    for name, ours, peer in json.loads(done.stdout):
        what = f"pictures a second of processor time at a site, {name}, batch {PICTURES.batch}"
        yield more(what, (ours, peer), PEER, "pictures/s", GOAL)


def main() -> None:
    """Measure in this process, and print."""
    import torch

    torch.set_num_threads(1)
    draw = np.random.default_rng(15)
    found = []
    for name, make, count in NETWORKS:
        some, labels = draw.integers(0, 256, (count, 28, 28)).astype(np.uint8), draw.integers(0, fashion.CLASSES, count)
        x, y = torch.from_numpy(fashion.scaled(some)), torch.from_numpy(labels)
        with tempfile.TemporaryDirectory() as temp:
            plan, (table,) = tables(Path(temp), make(), some, labels, [np.arange(count)], 1)
            task = TrainTask(plan, evaluated=False)
            ask = next(task.lead())
            order = generator(0, "average", 0, 0).permutation(count)
            module = make()

            def ours(task: Any = task, ask: Any = ask, table: Any = table) -> Any:
                return one_site.answered(task, ask, table)

            def theirs(module: Any = module, x: Any = x, y: Any = y, order: Any = order) -> Any:
                plain.steps(module, x, y, order, PICTURES.batch, RATE)

            begin = np.frombuffer(ask.state, dtype="<f8")
            theirs()
            change = ours().part("delta").values / count
            _compare(plain.vector(module), begin + change)
            seconds = in_turns(TURNS, ours, theirs, warm=False, clock=time.process_time)
            found.append((name, count / seconds[0], count / seconds[1]))
    print(json.dumps(found))


def _compare(one: Any, other: Any) -> None:
    apart = float(np.linalg.norm(one - other) / np.linalg.norm(one))
    if apart > MOST_APART:
        raise ValueError(f"the site and the plain loop ended {apart} apart")


if __name__ == "__main__":
    main()
