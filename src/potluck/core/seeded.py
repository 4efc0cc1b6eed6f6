"""Public randomness: reproducible from a seed in the plan, and never used where a secret is needed."""

import hashlib
from functools import lru_cache

import numpy as np


def generator(seed: int, *labels: str | int) -> np.random.Generator:
    """A public generator for (seed, labels); the same everywhere."""
    text = "\0".join(["potluck public", str(seed), *map(str, labels)])
    key = int.from_bytes(hashlib.sha256(text.encode()).digest()[:16], "little")
    return np.random.Generator(np.random.Philox(key=key))


def fraction(seed: int, body: bytes) -> float:
    """A public pseudo-random number in [0, 1) that depends on (seed, body) alone: a keyed hash, as PRF."""
    bits = int.from_bytes(hashlib.blake2b(body, key=_key(seed), digest_size=8).digest(), "little")
    return (bits >> 11) / 2.0**53


@lru_cache(maxsize=16)
def _key(seed: int) -> bytes:
    return hashlib.sha256(f"potluck split\0{seed}".encode()).digest()
