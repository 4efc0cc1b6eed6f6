"""Shamir's secret sharing over GF(2^256 - 189): any `t` shares give the secret, fewer say nothing about it.

Reference: A. Shamir, How to share a secret, CACM 22(11), 1979. Secrets and shares are 32 bytes, big-endian, below
the prime. It does NOT notice a wrong share: any t values give some polynomial. Callers check a share against its
commitment and the rebuilt secret against what it must produce. Python integers do not run in constant time.
"""

from collections.abc import Mapping, Sequence

from potluck.core.party import Draw
from potluck.secret.container import Secret

PRIME = 2**256 - 189
SIZE = 32


def element(draw: Draw) -> Secret:
    """A uniform secret of 32 bytes below the prime: a draw at or above it (one in 2^248) is drawn again."""
    while True:
        raw = draw(SIZE)
        if int.from_bytes(raw, "big") < PRIME:
            return Secret(raw)


def number(raw: bytes) -> int:
    """The field element in 32 bytes. Raises ValueError: another length, or not below the prime."""
    value = int.from_bytes(raw, "big")
    if len(raw) != SIZE or value >= PRIME:
        raise ValueError("a share is 32 bytes below the prime")
    return value


def split(secret: Secret, least: int, points: Sequence[int], draw: Draw) -> dict[int, Secret]:
    """One share for each x in `points`; any `least` of them give the secret.

    Raises ValueError: fewer points than `least`, or an x that is zero, out of the field or there twice.
    """
    _check_points(points)
    if not 1 <= least <= len(points):
        raise ValueError(f"{least} of {len(points)} shares cannot be what is needed")
    high_to_low = [number(element(draw).expose()) for _ in range(least - 1)] + [number(secret.expose())]
    return {x: Secret(_evaluate(high_to_low, x).to_bytes(SIZE, "big")) for x in points}


def _evaluate(high_to_low: Sequence[int], x: int) -> int:
    value = 0
    for coefficient in high_to_low:
        value = (value * x + coefficient) % PRIME
    return value


def pieces(body: bytes) -> list[Secret]:
    """Shares that lie one behind the other."""
    return [Secret(body[start : start + SIZE]) for start in range(0, len(body), SIZE)]


def weights(points: Sequence[int]) -> list[int]:
    """The Lagrange weights at zero of the given x: one computation serves every secret shared at the same points.

    Raises ValueError: an x that is zero, out of the field or there twice.
    """
    _check_points(points)
    found = []
    for x in points:
        above = below = 1
        for other in points:
            if other != x:
                above = above * other % PRIME
                below = below * (other - x) % PRIME
        found.append(above * pow(below, -1, PRIME) % PRIME)
    return found


def join(shares: Mapping[int, Secret], least: int, known: Sequence[int] | None = None) -> Secret:
    """The secret from exactly `least` shares by x. known: their `weights`, in the mapping's order, if at hand.

    Raises ValueError: another number of shares, a bad x, or a share that is not below the prime.
    """
    if len(shares) != least:
        raise ValueError(f"{least} shares are needed, {len(shares)} given")
    factors = weights(list(shares)) if known is None else known
    values = (number(share.expose()) for share in shares.values())
    total = sum(factor * value for factor, value in zip(factors, values, strict=True)) % PRIME
    return Secret(total.to_bytes(SIZE, "big"))


def _check_points(points: Sequence[int]) -> None:
    if len(set(points)) != len(points):
        raise ValueError("two shares at the same point")
    if not all(0 < x < PRIME for x in points):
        raise ValueError("a share's point is between 1 and the prime (at 0 lies the secret itself)")
