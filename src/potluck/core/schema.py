"""Types that bytes and tables are read as: each is learnt once, by one thread at a time.

The library learns a struct when it first reads one. A second thread that reads the same struct meanwhile crashes the
process (msgspec 0.22), and a struct holds others: so all are learnt under one lock, before anything is read as them.
"""

from threading import RLock
from typing import TypeVar

import msgspec

T = TypeVar("T")
_LEARNT: set[object] = set()
_LEARNING = RLock()


def readable(kind: type[T]) -> type[T]:
    """The same type, which from here on any number of threads may read at once."""
    if kind not in _LEARNT:
        with _LEARNING:
            msgspec.msgpack.Decoder(kind)
            _LEARNT.add(kind)
    return kind
