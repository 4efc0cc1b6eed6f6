"""What a broker of three nodes costs beside one of one node: letters of a round there and back, and bytes on disk.

The floor: the same letters by nats-py alone through one node, without splitting, joining or a second's thought.
"""

import statistics
from collections.abc import Iterator

from harness.broker_floor import floor
from harness.measure import Row, in_turns, less
from harness.nodes import exchange

SITES, TURNS, FLOOR = 3, 60, 30
SIZES = {"1 KB": 1_000, "500 KB": 500_000}
MIB = 1024**2


def rows() -> Iterator[Row]:
    """Small and long letters; all nodes share this machine's cores and disk, as they never would."""
    with exchange(1, SITES) as (one, kept), exchange(3, SITES) as (three, copies):
        for name, size in SIZES.items():
            single, several = in_turns(TURNS, lambda: one(size), lambda: three(size))  # noqa: B023
            raw = statistics.median(floor([(True, [size] * SITES), (False, [size] * SITES)], SITES, FLOOR))
            row = f"letters to 3 sites and back, {name}"
            yield less(f"{row}: three nodes", (1e3 * several, 1e3 * single), "one node", "ms")
            yield less(f"{row}: one node", (1e3 * single, 1e3 * raw), "nats-py, same letters (floor)", "ms")
        yield less("queues on disk after them: three nodes", (copies() / MIB, kept() / MIB), "one node", "MiB")
