"""Secret randomness: the operating system's entropy, and nothing else. It has no seed."""

import os

from potluck.secret.container import Secret
from potluck.secret.stream import Keystream

DIRECT = 4096


def system(size: int) -> bytes:
    """`size` fresh random bytes: from the operating system, in bulk through AES-256-CTR under a fresh key."""
    if size <= DIRECT:
        return os.urandom(size)
    return Keystream(Secret(os.urandom(32))).read(size)
