"""What a site sends and receives in a masked sum of 100 sites: every letter of every step.

By a real round's transcript, signed envelopes included. Floor: the same words, packed and sent once, unmasked and
unsigned. Words of 32 bits, the harder case. The worst site counts, not the mean: in a sparse graph some have more
neighbours than others.
"""

from collections import Counter
from collections.abc import Iterator

from harness.federation import federation, one_round
from harness.measure import Row, less
from potluck.core.party import SERVER, Party
from potluck.mpc.mask.protection import Mask

SITES, CORRUPT, GONE = 100, 5, 5
GOAL = 1 / 1.05


def rows() -> Iterator[Row]:
    """Upload and download of the worst site."""
    for length, label, goal in ((1_000_000, "1e6", GOAL), (10_000, "1e4", None)):
        up, down = _moved(length)
        raw = 4.0 * length
        what = f"n={SITES} d={label} u32"
        yield less(f"bytes a site uploads, {what}", (up, raw), "packed words (floor)", "B", goal)
        yield less(f"bytes a site downloads, {what}", (down, raw), "packed words (floor)", "B")


def _moved(length: int) -> tuple[int, int]:
    fed = federation(SITES, length, 32, CORRUPT, GONE)
    memory = one_round(fed, Mask(fed.shape))
    up: Counter[Party] = Counter()
    down: Counter[Party] = Counter()
    for move in memory.transcript.moves:
        if move.to == SERVER:
            up[move.sender] += move.size
        else:
            down[move.to] += move.size
    return max(up.values()), max(down.values())
