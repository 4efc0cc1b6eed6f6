"""Polynomials for attack tests: from the engine's evaluation order to coefficients and back, in Python integers.

Slot k of an engine's polynomial is its value at psi^(2 brv(k) + 1), where psi is the least primitive 2N-th root of one
and brv turns the bits of k around. Slow and plain: a few polynomials of 8192 coefficients a test.
"""

from functools import cache

import numpy as np

Ints = np.ndarray  # [N], dtype object


@cache
def root(q: int, ring: int) -> int:
    """The least primitive 2N-th root of one mod q."""
    base = next(r for x in range(2, q) if pow(r := pow(x, (q - 1) // (2 * ring), q), ring, q) == q - 1)
    return min(_powers(base, base * base % q, ring, q))


@cache
def _turned(ring: int) -> np.ndarray:
    bits = ring.bit_length() - 1
    return np.array([int(format(k, f"0{bits}b")[::-1], 2) for k in range(ring)])


def _powers(first: int, factor: int, count: int, q: int) -> Ints:
    found, value = np.empty(count, object), first
    for k in range(count):
        found[k] = value
        value = value * factor % q
    return found


def _transform(x: Ints, w: int, q: int) -> Ints:
    """All values at powers of w, by halves that double: the bits of a place are turned around first."""
    found = x[_turned(len(x))].reshape(-1, 1)
    while (half := found.shape[1]) < len(x):
        even, odd = found[::2], found[1::2] * _powers(1, pow(w, len(x) // (2 * half), q), half, q) % q
        found = np.concatenate([(even + odd) % q, (even - odd) % q], axis=1)
    return found[0]


def coefficients(values: np.ndarray, q: int) -> Ints:
    """Residues [N] in the engine's order -> coefficients [N], each between -q/2 and q/2."""
    ring = len(values)
    psi, ordered = root(q, ring), np.empty(ring, object)
    ordered[_turned(ring)] = [int(value) for value in values]
    found = _transform(ordered, pow(psi, -2, q), q) * _powers(pow(ring, -1, q), pow(psi, -1, q), ring, q) % q
    return np.where(found > q // 2, found - q, found)


def values(coefficients: Ints, q: int) -> np.ndarray:
    """Coefficients [N] -> residues [N], u64, in the engine's order."""
    ring = len(coefficients)
    psi = root(q, ring)
    ordered = _transform(coefficients * _powers(1, psi, ring, q) % q, psi * psi % q, q)
    return ordered[_turned(ring)].astype(np.uint64)
