"""A line of the bench, and timing: ours and the peer take turns in one run, and medians are compared."""

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

Work = Callable[[], object]


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the bench.

    ratio: the better way round, above 1 = ours is better. goal: on the same scale, None where none was set.
    measured: the day and the machine, "" where they were not kept.
    """

    name: str
    ours: float
    peer: float
    peer_name: str
    ratio: float
    unit: str
    goal: float | None = None
    measured: str = ""

    @property
    def met(self) -> bool:
        """Whether the goal is reached; a row without a goal is only reported."""
        return self.goal is None or self.ratio >= self.goal


def less(name: str, pair: tuple[float, float], peer_name: str, unit: str, goal: float | None = None) -> Row:
    """A row where less is better. pair: (ours, peer)."""
    ours, peer = pair
    return Row(name, ours, peer, peer_name, peer / ours, unit, goal)


def more(name: str, pair: tuple[float, float], peer_name: str, unit: str, goal: float | None = None) -> Row:
    """A row where more is better. pair: (ours, peer)."""
    ours, peer = pair
    return Row(name, ours, peer, peer_name, ours / peer, unit, goal)


def in_turns(
    turns: int, *works: Work, warm: bool = True, clock: Callable[[], float] = time.perf_counter
) -> list[float]:
    """Median seconds of each work. All of them take turns, so that a slow moment of the machine hits them alike.

    warm: every work is done once before, untimed (page faults, lazy imports). clock: by which seconds are told.
    """
    seconds: list[list[float]] = [[] for _ in works]
    if warm:
        for work in works:
            work()
    for _ in range(turns):
        for taken, work in zip(seconds, works, strict=True):
            started = clock()
            work()
            taken.append(clock() - started)
    return [statistics.median(taken) for taken in seconds]
