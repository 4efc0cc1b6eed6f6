"""Public randomness: reproducible from a seed in the plan, and never used where a secret is needed."""

import hashlib
from collections.abc import Callable
from functools import lru_cache

import numpy as np
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from numpy.typing import NDArray

Words = NDArray[np.uint64]
Generator = np.random.Generator


def generator(seed: int, *labels: str | int) -> Generator:
    """A public generator for (seed, labels); the same everywhere."""
    text = "\0".join(["potluck public", str(seed), *map(str, labels)])
    key = int.from_bytes(hashlib.sha256(text.encode()).digest()[:16], "little")
    return Generator(np.random.Philox(key=key))


def stream(seed: int, *labels: str | int) -> Callable[[int], bytes]:
    """The same as so many bytes at a time, of whole words: of few they cost a fifth of what `Generator.bytes` takes."""
    raw = generator(seed, *labels).bit_generator.random_raw
    return lambda count: raw(-(-count // 8)).tobytes()[:count]


def fraction(seed: int, body: bytes) -> float:
    """A public pseudo-random number in [0, 1) that depends on (seed, body) alone: a keyed hash, as PRF."""
    bits = int.from_bytes(hashlib.blake2b(body, key=_key(seed), digest_size=8).digest(), "little")
    return (bits >> 11) / 2.0**53


@lru_cache(maxsize=16)
def _key(seed: int) -> bytes:
    return hashlib.sha256(f"potluck split\0{seed}".encode()).digest()


def marks(keys: Words, seed: int, *labels: str | int) -> Words:
    """[n] pseudo-random 64-bit numbers that depend on (seed, labels) and each of the 64-bit keys [n] alone, as a PRF:
    half of what AES-128 makes of each key, under a key of its own for each seed and labels."""
    text = "\0".join(["potluck marks", str(seed), *map(str, labels)])
    return scrambled(keys, hashlib.sha256(text.encode()).digest()[:16])


def scrambled(keys: Words, secret: bytes) -> Words:
    """[n] the first eight bytes, little-endian, of AES-128 of each key's eight bytes and eight zeros. secret: 16."""
    blocks = np.zeros((len(keys), 2), dtype="<u8")
    blocks[:, 0] = keys
    cipher = Cipher(algorithms.AES128(secret), modes.ECB())  # noqa: S305  # a block is a number, and hides nothing
    made = np.frombuffer(cipher.encryptor().update(blocks.tobytes()), dtype="<u8")
    return made[::2].astype(np.uint64)
