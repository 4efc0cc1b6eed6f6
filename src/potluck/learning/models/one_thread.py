"""torch on one thread, so that a machine adds up in one order, and as it was after.

How many threads torch has and what it draws are the process's: whoever trains in several threads waits for its turn.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from potluck.learning.graph.steps import torch

_TURN = threading.RLock()


@contextmanager
def one_thread() -> Iterator[None]:
    """While it lasts, torch has one thread, and nobody else here is within. Raises GraphError: torch is missing."""
    loaded = torch()
    with _TURN:
        threads = loaded.get_num_threads()
        loaded.set_num_threads(1)
        try:
            yield
        finally:
            loaded.set_num_threads(threads)
