"""Whose turn it is: of the runs that one coordinator carries out side by side, only so many are in rounds at once.

A run asks for its turn before each round, keeps it until it ends or waits for somebody who is away, and meanwhile
listens to its sites. Those that wait are served in the order in which they were ready first.
"""

import threading
from typing import Protocol


class Cancelled(Exception):
    """Somebody ends a run before it is over. The rounds that are finished stand."""


class Turn(Protocol):
    """One run's. Asked between rounds; none of it waits."""

    def go_on(self) -> None:
        """Raises whatever ends the run here: it was cancelled, or this process ends."""
        ...

    def mine(self) -> bool:
        """Whether a round may begin now; where it may not, the run stands in the queue from here on."""
        ...

    def rest(self) -> None:
        """The run waits for somebody who is away: others may go first."""
        ...


class Always:
    """The turn of a run that is alone."""

    def go_on(self) -> None:
        """Nothing ends it."""

    def mine(self) -> bool:
        """It is."""
        return True

    def rest(self) -> None:
        """Nobody else waits."""


ALWAYS = Always()


class Turns:
    """The queue of all runs of a process; safe to use from several threads. at_once: how many are in rounds."""

    def __init__(self, at_once: int) -> None:
        self._at_once = at_once
        self._lock = threading.Lock()
        self._inside: set[str] = set()
        self._queue: dict[str, float] = {}

    def take(self, run: str, since: float) -> bool:
        """Whether it is this run's turn. since: when it was ready first; the earliest of those that wait is next."""
        with self._lock:
            if run in self._inside:
                return True
            self._queue[run] = since
            free = self._at_once - len(self._inside)
            if run not in sorted(self._queue, key=lambda one: (self._queue[one], one))[: max(0, free)]:
                return False
            del self._queue[run]
            self._inside.add(run)
            return True

    def leave(self, run: str) -> None:
        """It is neither in rounds nor in the queue any more."""
        with self._lock:
            self._inside.discard(run)
            self._queue.pop(run, None)
