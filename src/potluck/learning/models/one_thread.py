"""torch on one thread, so that a machine adds up in one order, and as it was after."""

from collections.abc import Iterator
from contextlib import contextmanager

from potluck.learning.graph.steps import torch


@contextmanager
def one_thread() -> Iterator[None]:
    """While it lasts, torch has one thread. Raises GraphError: torch is missing."""
    loaded = torch()
    threads = loaded.get_num_threads()
    loaded.set_num_threads(1)
    try:
        yield
    finally:
        loaded.set_num_threads(threads)
