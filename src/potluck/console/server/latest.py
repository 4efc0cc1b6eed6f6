"""How runs stand at the office that carries them out, read once a moment for all pages that ask."""

import threading
import time
from collections.abc import Callable

from potluck.api.network.office import Office
from potluck.api.network.status import Live, Standing

FRESH = 0.9
"""Seconds for which what was read of journals is good: many pages may look at once."""
MOST = 100
"""Runs of which it is remembered."""


class Latest:
    """What was read last. clock: seconds that never run backwards."""

    def __init__(self, office: Office, clock: Callable[[], float] = time.monotonic) -> None:
        self._office, self._clock, self._lock = office, clock, threading.Lock()
        self._all: tuple[float, Standing] | None = None
        self._runs: dict[str, tuple[float, Live]] = {}

    def standing(self) -> Standing:
        """All runs, newest first."""
        with self._lock:
            if self._all is None or self._clock() - self._all[0] >= FRESH:
                found = self._office.standing()
                self._all = (self._clock(), found)
            return self._all[1]

    def run(self, name: str) -> Live | None:
        """One run; None: there is none of this name here."""
        with self._lock:
            known = self._runs.get(name)
            if known is not None and self._clock() - known[0] < FRESH:
                return known[1]
            found = self._office.run(name)
            self._runs.pop(name, None)
            if found is not None:
                self._runs[name] = (self._clock(), found)
            while len(self._runs) > MOST:
                del self._runs[next(iter(self._runs))]
            return found

    def forget(self, name: str) -> None:
        """Somebody has changed it."""
        with self._lock:
            self._all = None
            self._runs.pop(name, None)
