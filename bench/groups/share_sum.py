"""A whole sum of four sites under `share`: three compute parties with an engine each, beside `mask` and `clear`.

All letters move in one process; the engines are processes of their own, linked over loopback. Each word of a site is
checked in secret to be within its bound. The first round, which starts the engines, is not timed.
"""

from collections.abc import Iterator
from functools import partial

import numpy as np

from harness.federation import Federation, federation, one_round
from harness.measure import Row, in_turns, less
from potluck.core.party import SERVER, Party, Role
from potluck.core.rounds import Limit, RoundId, Terms
from potluck.core.stages import Guarded, Opened
from potluck.drivers.memory import Memory, new_run
from potluck.mpc.clear.protection import Clear
from potluck.mpc.mask.protection import Mask
from potluck.mpc.share.protection import Share

SITES = 4
BITS = 64
BOUND = 1 << 61
LENGTHS = {"d=1e5": (100_000, 3), "d=1e6": (1_000_000, 1)}
"""Words, and turns."""
RANKS = tuple(Party(Role.COMPUTE, name) for name in ("alpha", "beta", "gamma"))


class Shared:
    """Sites and compute parties of one run: engines stay linked between its rounds."""

    def __init__(self, fed: Federation) -> None:
        self.fed, self.run, self.number = fed, new_run(), 0
        self.words = {one: words & np.uint64(BOUND - 1) for one, words in fed.words.items()}
        self.total = np.sum(list(self.words.values()), axis=0, dtype=np.uint64)
        self.protection = Share(RANKS, 600.0)
        self.memory = Memory((*fed.sites, *RANKS), b"bench")

    def round(self) -> None:
        """One sum, checked."""
        self.number += 1
        round_, seat = RoundId(self.run, self.number), self.memory.seat
        limits = (Limit(self.fed.length, BOUND),)
        sites = self.fed.sites
        terms = Terms(round_, bytes(32), str(self.number), sites, SITES, self.fed.length, BITS, limits=limits)
        halves = {one: self.protection.give(terms, seat(one), Guarded(self.words[one])) for one in sites}
        halves |= {one: self.protection.assist(terms, seat(one)) for one in RANKS}
        desks = self.memory.round(round_, {SERVER: self.protection.open(terms, seat(SERVER)), **halves})
        opened = desks[SERVER].result
        assert isinstance(opened, Opened)
        assert np.array_equal(opened.words, self.total)

    @property
    def uploaded(self) -> int:
        """Bytes that one site sends in a round."""
        moved = (one.size for one in self.memory.transcript.moves if one.sender in self.fed.sites)
        return sum(moved) // SITES // self.number

    def close(self) -> None:
        """End the engines."""
        for engine in self.protection.engines.values():
            engine.close()


def rows() -> Iterator[Row]:
    """Seconds of a round, and bytes that one site sends."""
    for label, (length, turns) in LENGTHS.items():
        fed = federation(SITES, length, BITS, 1, 1)
        shared, mask, clear = Shared(fed), Mask(fed.shape), Clear()
        shared.round()
        works = (shared.round, partial(one_round, fed, mask), partial(one_round, fed, clear))
        seconds = in_turns(turns, *works, warm=False)
        sent = [_sent(one_round(fed, protection)) for protection in (mask, clear)]
        what = f"round of share, {SITES} sites in memory, {label}"
        for place, word in enumerate(("mask", "clear")):
            yield less(f"{what}: {word}", (seconds[0], seconds[1 + place]), word, "s")
            yield less(f"{what}, a site sends: {word}", (shared.uploaded, sent[place]), word, "B")
        shared.close()


def _sent(memory: Memory) -> int:
    moves = memory.transcript.moves
    return sum(one.size for one in moves if one.sender in memory.parties and one.sender != SERVER) // SITES
