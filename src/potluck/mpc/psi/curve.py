"""Keys as points of Curve25519 that several owners blind one after another, in any order with one result.

A key's digest becomes an x-coordinate by SHA-256, on the curve or on its twist: X25519 (RFC 7748) is safe on both, and
its scalars, multiples of 8, leave no part of small order. Multiplications commute as integers do, so no owner need
undo one: where a list must come home unreadable to the last who saw it, its owner multiplies before and after.

Rests on: Diffie-Hellman is hard to decide on Curve25519 (a quantum computer decides it), SHA-256 as a random oracle.
Reference: Huberman, Franklin, Hogg, EC 1999; De Cristofaro, Gasti, Tsudik, CANS 2012 (eprint 2011/141).
"""

from collections.abc import Iterable
from hashlib import sha256

import numpy as np
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from numpy.typing import NDArray

from potluck.core.party import Draw, Party
from potluck.core.rounds import Abort, Cause

POINT = 32
TAG = 16
Points = list[bytes]


class Blind:
    """One owner's secret scalar of a round. Its repr shows nothing."""

    def __init__(self, draw: Draw) -> None:
        self._key = X25519PrivateKey.from_private_bytes(draw(POINT))

    def times(self, points: Iterable[bytes], sender: Party | None = None) -> Points:
        """Every point multiplied, in the same order: some 30,000 a second. Raises Abort(MALFORMED), naming `sender`: a
        point of small order."""
        multiply, point = self._key.exchange, X25519PublicKey.from_public_bytes
        try:
            return [multiply(point(one)) for one in points]
        except ValueError:
            raise Abort(Cause.MALFORMED, party=sender, detail="a point of small order") from None

    def __repr__(self) -> str:
        return "Blind(hidden)"


def mapped(session: bytes, keys: Iterable[bytes]) -> Points:
    """The point of each key's digest, in this round's sessions alone."""
    return [sha256(b"potluck psi point 1\n" + session + key).digest() for key in keys]


def tags(session: bytes, points: Iterable[bytes]) -> list[bytes]:
    """16 bytes for each point that all owners have multiplied."""
    return [sha256(b"potluck psi tag 1\n" + session + point).digest()[:TAG] for point in points]


def split(body: bytes, width: int) -> list[bytes]:
    """A body as pieces of one width."""
    return [body[start : start + width] for start in range(0, len(body), width)]


def read_points(body: bytes, count: int, sender: Party) -> Points:
    """A list of points as it came. Raises Abort(MALFORMED): another number of them, or one twice."""
    points = split(body, POINT)
    if len(body) != count * POINT or len(set(points)) != count:
        raise Abort(Cause.MALFORMED, party=sender, detail="not as many different points as it has keys")
    return points


def order(draw: Draw, count: int) -> NDArray[np.int64]:
    """A secret order [count] of a list: where two of its 64-bit numbers agree, with odds of count^2 / 2^65, nearly
    uniform."""
    return np.argsort(np.frombuffer(draw(8 * count), "<u8"), kind="stable")
