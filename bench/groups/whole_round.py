"""A whole sum of four sites in one process, all parties on one thread: keys, letters, signatures, masks, opening.

Floor: `clear`, the same words in signed letters without protection.
"""

from collections.abc import Iterator

from harness.federation import federation, one_round
from harness.measure import Row, in_turns, less
from potluck.mpc.clear.protection import Clear
from potluck.mpc.mask.protection import Mask


def rows() -> Iterator[Row]:
    """mask beside clear, in words of 64 bits."""
    for length, label, turns in ((10_000, "1e4", 21), (1_000_000, "1e6", 7)):
        fed = federation(4, length, 64, 1, 1)
        mask, clear = Mask(fed.shape), Clear()
        seconds = in_turns(turns, lambda: one_round(fed, mask), lambda: one_round(fed, clear))  # noqa: B023
        ours_ms, clear_ms = (1e3 * value for value in seconds)
        yield less(f"whole round, 4 sites in memory, d={label} u64", (ours_ms, clear_ms), "clear (floor)", "ms")
