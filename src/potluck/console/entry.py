"""The way in for the one user who started the program: a token in the address that it prints, good for one use.

A page asks before the token is used, so that whatever looks at addresses on the way (a mail program, a browser that
fetches ahead) uses nothing up. It proves that somebody reads this user's screen, and NOT who that is.
"""

import hashlib
import hmac
import threading
from collections.abc import Callable

from potluck.core.errors import Refused

LIFE = 10 * 60.0
"""Seconds that the address is good for."""


class Entry:
    """One token, of which a hash is kept."""

    def __init__(self, token: str, clock: Callable[[], float]) -> None:
        self._clock, self._lock = clock, threading.Lock()
        self._digest: bytes | None = _digest(token)
        self._ends = clock() + LIFE

    def use(self, token: str) -> None:
        """Raises Refused: another one, used already, or too old."""
        with self._lock:
            self._require(token)
            self._digest = None

    def look(self, token: str) -> None:
        """Raises as `use`, and uses nothing up."""
        with self._lock:
            self._require(token)

    def _require(self, token: str) -> None:
        known = self._digest
        if known is None or self._clock() > self._ends or not hmac.compare_digest(known, _digest(token)):
            what = "this address was used already, is older than ten minutes, or is of another start"
            raise Refused(what, hint="stop the program in the terminal, and start it again for a fresh one")


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "replace")).digest()
