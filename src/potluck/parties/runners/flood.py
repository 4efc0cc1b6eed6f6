"""Against floods: how often a party is listened to, and letters that were heard before.

Whoever carries the letters can repeat each of them, and a member can sign as many as it likes: neither may fill a disk
or the memory, or keep everybody else waiting. It does NOT keep a broker from drowning a connection as such.
"""

from collections import OrderedDict

from potluck.core.slices import Sliced, sha256_of

REMEMBERED = 4096


class Pace:
    """So many at once, then so many a second. Times are of any clock that only moves forward."""

    def __init__(self, burst: float, rate: float) -> None:
        self._burst = burst
        self._rate = rate
        self._left = burst
        self._at: float | None = None

    def allows(self, now: float) -> bool:
        """Whether one more is listened to now."""
        since = 0.0 if self._at is None else max(0.0, now - self._at)
        self._left = min(self._burst, self._left + since * self._rate)
        self._at = now
        if self._left < 1:
            return False
        self._left -= 1
        return True


class Heard:
    """The last letters that were heard, by their SHA-256."""

    def __init__(self, most: int = REMEMBERED) -> None:
        self._most = most
        self._known: OrderedDict[bytes, None] = OrderedDict()

    def before(self, letter: Sliced) -> bool:
        """Whether this very letter was heard before; from now on it was."""
        digest = sha256_of(letter)
        if digest in self._known:
            return True
        self._known[digest] = None
        if len(self._known) > self._most:
            self._known.popitem(last=False)
        return False
