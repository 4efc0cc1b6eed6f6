"""Polynomials of the engine as integers: from its evaluation order back to coefficients, slowly and plainly."""

from math import prod

import numpy as np


def root(modulus, ring):
    """The least primitive 2N-th root of unity: the engine's choice."""
    bases = (pow(base, (modulus - 1) // (2 * ring), modulus) for base in range(2, 100))
    first = next(power for power in bases if pow(power, ring, modulus) == modulus - 1)
    least, power, square = first, first, first * first % modulus
    for _ in range(ring):
        power = power * square % modulus
        least = min(least, power)
    return least


def coefficients(values, modulus):
    """Values [N] at the odd powers of the root, in bit-reversed order -> coefficients [N], from 0 to the modulus."""
    ring = len(values)
    back, half = pow(root(modulus, ring), -1, modulus), pow(2, -1, modulus)
    powers = [1]
    for _ in range(ring - 1):
        powers.append(powers[-1] * back % modulus)
    bits = ring.bit_length() - 1
    reversed_ = [int(format(k, f"0{bits}b")[::-1], 2) for k in range(ring)]
    found = np.asarray(values).astype(object)
    count, size = ring // 2, 1
    while count:
        twiddles = np.array([powers[reversed_[count + k]] * half % modulus for k in range(count)], object)[:, None]
        blocks = found.reshape(count, 2, size)
        low, high = blocks[:, 0], blocks[:, 1]
        found = np.stack([(low + high) * half % modulus, (low - high) * twiddles % modulus], 1).reshape(-1)
        count, size = count // 2, size * 2
    return found


def integers(towers, moduli):
    """Values [towers, N] -> coefficients [N] modulo the product of the moduli, around zero."""
    whole = prod(moduli)
    total = 0
    for values, modulus in zip(towers, moduli, strict=True):
        rest = whole // modulus
        total = total + coefficients(values, modulus) * (rest * pow(rest, -1, modulus))
    total = total % whole
    return np.where(total > whole // 2, total - whole, total)


def times(first, second, moduli):
    """The product of two polynomials, values [towers, N] each."""
    pairs = zip(first, second, moduli, strict=True)
    return [one.astype(object) * other.astype(object) % modulus for one, other, modulus in pairs]
