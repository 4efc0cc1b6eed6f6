"""Random texts that a passkey signs: made here, good for a few minutes and one use, for one purpose.

Nothing is kept of those that are out, so that nobody fills the memory by asking: each carries when it ends and a keyed
digest, under a key that this process drew.
"""

import hashlib
import hmac
import threading
from collections.abc import Callable

from potluck.core.errors import Refused

LIFE = 5 * 60.0
_NONCE, _TIME, _MAC = 16, 8, 32


class Challenges:
    """clock: seconds that never run backwards; draw: a fresh text of 256 bits."""

    def __init__(self, clock: Callable[[], float], draw: Callable[[], str]) -> None:
        self._clock, self._draw, self._lock = clock, draw, threading.Lock()
        self._key = bytes.fromhex(draw())
        self._used: dict[bytes, float] = {}

    def make(self, purpose: str) -> bytes:
        """A fresh one."""
        head = bytes.fromhex(self._draw())[:_NONCE] + int(self._clock() + LIFE).to_bytes(_TIME, "big")
        return head + self._mac(head, purpose)

    def use(self, challenge: bytes, purpose: str) -> None:
        """Raises Refused: not one of these, for another purpose, too old, or used already."""
        head, mac = challenge[: _NONCE + _TIME], challenge[_NONCE + _TIME :]
        now, ends = self._clock(), int.from_bytes(head[_NONCE:], "big")
        with self._lock:
            self._used = {one: time for one, time in self._used.items() if time >= now}
            good = hmac.compare_digest(mac, self._mac(head, purpose)) and now <= ends
            if not good or challenge in self._used:
                raise Refused("the page was open for too long, or was used already", hint="load it again")
            self._used[challenge] = ends

    def _mac(self, head: bytes, purpose: str) -> bytes:
        return hashlib.blake2b(head + purpose.encode(), key=self._key, digest_size=_MAC).digest()
