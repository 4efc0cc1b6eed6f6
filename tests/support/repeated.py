"""What parties of this process draw, from a seed: so that no luck decides how a test ends."""

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock
from types import SimpleNamespace

import pytest

from potluck.secret import random
from potluck.testing.draws import seeded


@contextmanager
def repeated(*seed: str) -> Iterator[None]:
    """All randomness that is secret follows from the seed meanwhile. Engines and other processes draw their own, and
    which thread draws first is nobody's."""
    stream, one_at_a_time = seeded(*seed), Lock()

    def draw(size: int) -> bytes:
        with one_at_a_time:
            return stream(size)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(random, "os", SimpleNamespace(urandom=draw))
        yield
