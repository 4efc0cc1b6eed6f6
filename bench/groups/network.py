"""A round across processes (broker, server, 3 sites; TLS, durable streams), beside Flower's stock deployment.

Floors: the same letters through the raw broker; the same plan with all parties in one process.
"""

import statistics
import sys
from collections.abc import Callable, Iterator

from harness.broker_floor import floor
from harness.deployment import Deployed, Shape, deployed, in_memory
from harness.measure import Row, less
from peers import flower_deployed

SITES = 3
ROUNDS = 30
TURNS = 3
"""Whole deployments of each kind: the one with the least median counts, since this machine may have other work."""
GOAL_MS = 50.0
MILLION = (998, 1000)
"""Hidden layers of a network with 1,002,995 weights."""


def rows() -> Iterator[Row]:
    """Tiny and 1e6 parameters, clear and mask."""
    yield from _tiny()
    yield from _million()


def _tiny() -> Iterator[Row]:
    flower = _peer(10, 4)
    for protect in ("clear", "mask"):
        shape = Shape(SITES, protect, ROUNDS)
        done = min((deployed(shape) for _ in range(TURNS)), key=_median)
        ours, name = 1e3 * _median(done), f"round over the network, 3 sites, tiny, {protect}"
        yield less(f"{name}: goal", (ours, GOAL_MS), "goal", "ms", 1.0)
        if flower is not None:
            yield less(f"{name}: peer", (ours, 1e3 * flower), flower_deployed.name(), "ms", 100.0)
        raw = _least(lambda: floor(done.steps, SITES, ROUNDS))  # noqa: B023
        yield less(f"{name}: raw broker", (ours, 1e3 * raw), "nats-py, same letters (floor)", "ms")
        local = _least(lambda: in_memory(shape))  # noqa: B023
        yield less(f"{name}: one process", (ours, 1e3 * local), "in memory (floor)", "ms")


def _million() -> Iterator[Row]:
    flower = _peer(1_000_000, 3)
    for protect in ("clear", "mask"):
        shape = Shape(SITES, protect, 8, MILLION)
        done = deployed(shape)
        ours, name = _median(done), f"round over the network, 3 sites, d=1e6, {protect}"
        if flower is not None:
            yield less(f"{name}: peer", (ours, flower), f"{flower_deployed.name()}, 1e6 floats", "s")
        raw = statistics.median(floor(done.steps, SITES, 5))
        yield less(f"{name}: raw broker", (ours, raw), "nats-py, same letters (floor)", "s")
        local = statistics.median(in_memory(shape))
        yield less(f"{name}: one process", (ours, local), "in memory (floor)", "s")


def _peer(words: int, rounds: int) -> float | None:
    try:
        return statistics.median(flower_deployed.rounds(words, rounds))
    except flower_deployed.Missing as why:
        print(f"network: no row beside Flower's deployment: {why}", file=sys.stderr, flush=True)
        return None


def _median(done: Deployed) -> float:
    return statistics.median(done.seconds)


def _least(work: Callable[[], list[float]]) -> float:
    return min(statistics.median(work()) for _ in range(TURNS))
