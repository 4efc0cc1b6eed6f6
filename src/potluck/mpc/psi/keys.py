"""Which rows two owners have in common, by their keys, with nobody else's rows shown to anybody.

Protocols: RR22 (Rindal and Raghuraman, Blazing Fast PSI, CCS 2022), never in its mode of low communication, which
loses matches; ECDH, which sends less for sets below some 30,000 keys. Both are for parties that follow the protocol.

Reveals: to each side the number of the other's rows; to a receiver, which of its own keys both have. It does NOT keep a
side from asking about keys that it has made up: whoever can guess keys learns which of them the other has.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from itertools import count

import numpy as np
from numpy.typing import NDArray

from potluck.core.errors import DataError
from potluck.core.spelling import normal
from potluck.mpc.spu import BOTH, DIGEST, Spu

Key = Sequence[str]
"""The values of a row's key columns, in the order that both owners agreed on."""
SHOWN = 5


@dataclass(frozen=True, slots=True)
class Aligned:
    """Rows with the same keys. first, second: row numbers, in one order; empty at a side that learns nothing."""

    first: NDArray[np.uint32]
    second: NDArray[np.uint32]


def digest_of(key: Key) -> bytes | None:
    """16 bytes: SHA-256 of a key's columns, each normalised, with their lengths: ("ab", "c") is not ("a", "bc").

    None: a column is empty.
    """
    columns = [normal(value).encode("utf-8", "surrogatepass") for value in key]
    if not columns or not all(columns):
        return None
    parts = (len(column).to_bytes(8, "little") + column for column in columns)
    return sha256(b"potluck key\n" + b"".join(parts)).digest()[:DIGEST]


def distinct(
    keys: Iterable[Key], numbers: Iterable[int], where: str, *, what: str = "rows", first: bool = False
) -> dict[bytes, int]:
    """Every key's digest -> its place among `keys`, in their order. numbers: what messages call each row.

    first: of a key that occurs again only the first row counts.
    Raises DataError, with numbers and no values: a key is empty, or occurs twice.
    """
    found: dict[bytes, int] = {}
    twice, empty = [], []
    for place, (key, number) in enumerate(zip(keys, numbers, strict=False)):
        digest = digest_of(key)
        if digest is None:
            empty.append(number)
        elif found.setdefault(digest, place) != place:
            twice.append(number)
    if empty:
        raise DataError(f"{what} without a key: {_some(empty)}", where=where, hint="leave them out, or fill the key")
    if twice and not first:
        hint = 'keep one row a key, add a column that tells them apart, or align.duplicates = "first"'
        raise DataError(f"{what} whose key occurs before: {_some(twice)}", where=where, hint=hint)
    return found


def digests(keys: Iterable[Key], where: str = "") -> bytes:
    """Every key's digest, in their order. Raises DataError, with row numbers and no values, as `distinct`."""
    return b"".join(distinct(keys, count(), where))


def intersect_between(
    engines: Sequence[Spu], first: Iterable[Key], second: Iterable[Key], receiver: int = BOTH
) -> Aligned:
    """Intersect two owners' keys between two engines that are linked, by rank. receiver: 0, 1 or BOTH.

    Raises DataError: see `digests`. Raises Abort(ENGINE): the engine fails.
    """
    sides = [digests(first, "the first owner's keys"), digests(second, "the second owner's keys")]
    pending = [engine.intersect(side, receiver) for engine, side in zip(engines, sides, strict=True)]
    one, other = (each.result() for each in pending)
    return Aligned(one, other)


def _some(numbers: Sequence[int]) -> str:
    more = f" and {len(numbers) - SHOWN} more" if len(numbers) > SHOWN else ""
    return ", ".join(map(str, numbers[:SHOWN])) + more
