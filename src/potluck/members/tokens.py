"""Texts that nobody can guess: of sessions, forms and addresses that are good for one use."""

from potluck.core.party import Draw
from potluck.secret.random import system

SIZE = 32
"""Bytes of the system's randomness in each."""


def fresh(draw: Draw = system) -> str:
    """256 fresh random bits, as hex."""
    return draw(SIZE).hex()
