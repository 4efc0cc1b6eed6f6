"""A round at 1e7 parameters: peak memory of the server's and a site's process, seconds, and bytes that a site sends.

Of each peak, that of the same process in a tiny run is taken off: interpreter, libraries, connection. Floor: the one
vector of words that a site sends. Seconds and bytes of `mask` stand beside those of `clear`.
"""

import statistics
from collections.abc import Iterator
from itertools import pairwise

from harness.deployment import Deployed, Shape, deployed
from harness.measure import Row, less

SITES, ROUNDS = 3, 3
LAYERS = (3160, 3160)
TINY = (4, 4)
MB = 1e6
MOST = 4
"""Vectors that server and site may hold (the goal)."""


def rows() -> Iterator[Row]:
    """Server and site, clear and mask; then a round of mask beside one of clear."""
    weights = sum((a + 1) * b for a, b in pairwise((2, *LAYERS, 1)))
    vector = 8 * weights / MB
    large: dict[str, Deployed] = {}
    for protect in ("clear", "mask"):
        large[protect] = big = deployed(Shape(SITES, protect, ROUNDS, LAYERS))
        small = deployed(Shape(SITES, protect, ROUNDS, TINY))
        for who in ("server", "site"):
            ours = (_peak(big, who) - _peak(small, who)) / MB
            name = f"peak memory of the {who}, 3 sites, d=1e7, {protect}, beyond a tiny run's"
            yield less(name, (ours, vector), "one vector of 64-bit words (floor)", "MB", goal=1 / MOST)
    name, clear, mask = f"round over the network, {SITES} sites, d=1e7, mask", large["clear"], large["mask"]
    yield less(name, (statistics.median(mask.seconds), statistics.median(clear.seconds)), "clear", "s")
    yield less(f"{name}, a site sends", (mask.sent(SITES) / MB, clear.sent(SITES) / MB), "clear", "MB")


def _peak(done: Deployed, who: str) -> int:
    return max(peak for name, peak in done.peak.items() if name.startswith(who))
