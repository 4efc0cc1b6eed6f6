"""Randomness that repeats, for tests and known-answer vectors only. It protects nothing."""

import hashlib

from potluck.core.party import Draw
from potluck.secret.container import Secret
from potluck.secret.stream import Keystream


def seeded(*seed: str | int) -> Draw:
    """A draw that gives the same bytes for the same seed: AES-256-CTR under the seed's hash."""
    stream = Keystream(Secret(hashlib.sha256(repr(seed).encode()).digest()))
    return stream.read
