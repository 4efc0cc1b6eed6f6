"""How many examples a test with a claim of its own draws, and which of its settings."""

from collections.abc import Iterable

import pytest
from hypothesis import settings


def examples(most: int) -> int:
    """So many in `make test-all`; in `make test`, whose profile draws fewer, a sixth of them, but two at least."""
    return most if settings.default.max_examples == THOROUGH else max(2, most // 6)


THOROUGH = 100
"""What `make test-all` draws where a test says nothing."""


def fewer(every: Iterable[object], *fast: object) -> list[object]:
    """All settings of a test, of one name or (tuples) of several: those that are not among `fast` are slow.

    For settings that take one path of the code. Each of `fast` must be there."""
    every = list(every)
    assert all(one in every for one in fast), "a setting that is to be fast is not there"
    parts = [one if isinstance(one, tuple) else (one,) for one in every]
    return [
        one if one in fast else pytest.param(*part, marks=pytest.mark.slow)
        for one, part in zip(every, parts, strict=True)
    ]
