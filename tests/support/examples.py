"""How many examples a test with a claim of its own draws."""

from hypothesis import settings


def examples(most: int) -> int:
    """So many in `make test-all`; in `make test`, whose profile draws fewer, a sixth of them, but two at least."""
    return most if settings.default.max_examples == THOROUGH else max(2, most // 6)


THOROUGH = 100
"""What `make test-all` draws where a test says nothing."""
