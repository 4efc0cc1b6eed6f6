"""How often passwords may be tried: few wrong ones a name, and few in all, in a quarter of an hour.

Names that nobody has are counted like others, so that a refusal tells nobody's name. Browsers in which a person signed
in before are counted by themselves (`console.devices`): whoever tries on purpose can keep a name's password out of new
browsers for a while, and of no other; a passkey is not affected. It does NOT stop who guesses right at first.
"""

import threading
from collections import OrderedDict, deque
from collections.abc import Callable

from potluck.core.errors import Refused

WINDOW = 15 * 60.0
EACH, ALL = 5, 50
"""Wrong ones of a name, and in all, within so many seconds."""
NAMES = 1000
"""Names that are remembered; beyond `ALL` nobody adds one."""


class TooMany(Refused):
    """Too many wrong passwords: for now none is looked at."""


class Attempts:
    """Counts wrong ones. clock: seconds that never run backwards; each: most of a name; every: most in all."""

    def __init__(self, clock: Callable[[], float], each: int = EACH, every: float = ALL) -> None:
        self._clock, self._lock, self._most, self._every = clock, threading.Lock(), each, every
        self._all: deque[float] = deque()
        self._each: OrderedDict[str, deque[float]] = OrderedDict()

    def begin(self, name: str) -> None:
        """One is about to be tried: it counts as wrong until `right` says otherwise, so that many at once count, too.

        Raises TooMany.
        """
        with self._lock:
            now = self._clock()
            mine = self._each.get(name, deque())
            for times in (self._all, mine):
                while times and times[0] <= now - WINDOW:
                    times.popleft()
            if len(mine) >= self._most or len(self._all) >= self._every:
                hint = "try again in a quarter of an hour, or sign in with a passkey"
                raise TooMany("too many wrong passwords", hint=hint)
            mine.append(now)
            self._each[name] = mine
            self._all.append(now)
            while len(self._each) > NAMES:
                self._each.popitem(last=False)

    def right(self, name: str) -> None:
        """It was right: none of the name's counts any more."""
        with self._lock:
            for time in self._each.pop(name, ()):
                if time in self._all:
                    self._all.remove(time)
