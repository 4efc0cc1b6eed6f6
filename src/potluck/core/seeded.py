"""Public randomness: reproducible from a seed in the plan, and never used where a secret is needed."""

import hashlib
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

Words = NDArray[np.uint64]


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


def marks(keys: Words, seed: int, *labels: str | int) -> Words:
    """[n] pseudo-random 64-bit numbers that depend on (seed, labels) and each of the 64-bit keys [n] alone: SipHash-2-4
    of a key's eight bytes, which is a PRF, under a key of its own for each seed and labels.

    Reference: Aumasson and Bernstein 2012, "SipHash: a fast short-input PRF".
    """
    text = "\0".join(["potluck marks", str(seed), *map(str, labels)])
    return siphash(keys, hashlib.sha256(text.encode()).digest()[:16])


def siphash(messages: Words, key: bytes) -> Words:
    """[n] SipHash-2-4 of messages of eight bytes each, as little-endian numbers. key: 16 bytes."""
    first, second = (np.uint64(int.from_bytes(key[at : at + 8], "little")) for at in (0, 8))
    state = [np.full(len(messages), start) for start in (first ^ _A, second ^ _B, first ^ _C, second ^ _D)]
    for word in (messages, np.uint64(8 << 56)):  # the second block holds the length alone
        state[3] ^= word
        _mixed(state, 2)
        state[0] ^= word
    state[2] ^= np.uint64(0xFF)
    _mixed(state, 4)
    return np.asarray(state[0] ^ state[1] ^ state[2] ^ state[3])


_A, _B, _C, _D = np.frombuffer(b"somepseudorandomlygeneratedbytes", ">u8").astype(np.uint64)


def _mixed(state: list[Words], rounds: int) -> None:
    """So many of SipHash's rounds, in place."""
    a, b, c, d = state
    for _ in range(rounds):
        a += b
        b[:] = _turned(b, 13) ^ a
        a[:] = _turned(a, 32)
        c += d
        d[:] = _turned(d, 16) ^ c
        a += d
        d[:] = _turned(d, 21) ^ a
        c += b
        b[:] = _turned(b, 17) ^ c
        c[:] = _turned(c, 32)


def _turned(words: Words, bits: int) -> Words:
    return np.asarray((words << np.uint64(bits)) | (words >> np.uint64(64 - bits)))
