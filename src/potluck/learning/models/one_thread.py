"""torch on one thread, so that a machine adds up in one order, and as it was after.

How many threads torch has and what it draws are the process's: whoever trains in several threads waits for its turn.
"""

import ctypes
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

from potluck.learning.graph.steps import torch

_TURN = threading.RLock()
_TRIM, _MAP = -1, -3
"""mallopt(3): M_TRIM_THRESHOLD, M_MMAP_THRESHOLD."""
KEPT, MAPPED = 2**28, 2**26
"""Bytes: so many that are free stay with the process, and fewer at once are taken from these."""


@contextmanager
def one_thread() -> Iterator[None]:
    """While it lasts, torch has one thread, and nobody else here is within. Raises GraphError: torch is missing."""
    loaded = torch()
    keep_memory()
    with _TURN:
        threads = loaded.get_num_threads()
        loaded.set_num_threads(1)
        try:
            yield
        finally:
            loaded.set_num_threads(threads)


@cache
def keep_memory() -> None:
    """For the rest of the process: memory that is let go is used again, where the C library is glibc. A step takes and
    lets go what the last one did, and a page that comes fresh from the system costs more than what is worked on it."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_TRIM, KEPT)
        mallopt(_MAP, MAPPED)
