"""How things stand at the office that carries out the runs, read once a moment for all pages that ask."""

import threading
import time
from collections.abc import Callable

from potluck.api.network.office import Office
from potluck.api.network.status import Live, Standing

FRESH = 0.9
"""Seconds for which what was read of all journals is good: many pages may look at once."""


class Latest:
    """How things stand, read at most once a moment."""

    def __init__(self, office: Office, clock: Callable[[], float] = time.monotonic) -> None:
        self._office, self._clock, self._lock = office, clock, threading.Lock()
        self._read = -FRESH
        self._standing: Standing | None = None

    def standing(self, *, now: bool = False) -> Standing:
        """All runs, newest first. now: not what was read a moment ago."""
        with self._lock:
            if self._standing is None or now or self._clock() - self._read >= FRESH:
                self._standing = self._office.standing()
                self._read = self._clock()
            return self._standing

    def run(self, name: str) -> Live | None:
        """One run, which may have been submitted a moment ago; None: there is none of this name here."""
        for now in (False, True):
            found = next((one for one in self.standing(now=now).runs if one.run == name), None)
            if found is not None:
                return found
        return None
