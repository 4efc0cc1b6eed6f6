"""A keyed digest of a multiset of byte strings: their order does not count, how often each is there does.

MSet-Add-Hash (Clarke, Devadas, van Dijk, Gassend, Suh, ASIACRYPT 2003, section 4): a keyed hash of each member, added
up modulo 2^256. Without the key nobody can choose members whose hashes add up to those of others; whoever knew it
could, by Wagner's generalised birthday attack. A member that is there k times counts k times: k < 2^64 copies vanish
for one hash in 2^192. The sum itself stays with the key. What is written down (`mark`) is its keyed hash under a name:
it tells no members to whoever guesses them, nor whether two names have the same ones.
"""

from collections.abc import Iterable, Iterator
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

from potluck.secret.container import Secret

SIZE = 32
_MODULUS = 1 << 8 * SIZE


def total(key: Secret, members: Iterable[bytes], what: bytes) -> bytes:
    """The digest of the members, 32 bytes: equal multisets have equal ones. what: at most 16 bytes, which the members
    are; different kinds of members give unrelated digests. Keep it as secret as the key."""
    return _bytes(sum(_hashes(key, members, what)))


def grouped(key: Secret, members: Iterable[bytes], groups: Iterable[int], what: bytes, of: bytes) -> bytes:
    """The same of groups, each of which is a multiset of the members with its number: what the numbers are does not
    count. of: what the groups are."""
    sums: dict[int, int] = {}
    for group, one in zip(groups, _hashes(key, members, what), strict=True):
        sums[group] = sums.get(group, 0) + one
    return total(key, map(_bytes, sums.values()), of)


def mark(key: Secret, digest: bytes, name: bytes) -> bytes:
    """What may be written down of a digest under a name, 32 bytes."""
    return blake2b(digest + name, key=key.expose(), digest_size=SIZE, person=b"potluck mark").digest()


def numbers(key: Secret, members: Iterable[bytes], what: bytes) -> NDArray[np.uint64]:
    """The members' keyed hashes [n]: to whoever lacks the key they tell which of them are alike, and nothing else."""
    start, found = blake2b(key=key.expose(), digest_size=8, person=what), bytearray()
    for member in members:
        one = start.copy()
        one.update(member)
        found += one.digest()
    return np.frombuffer(bytes(found), "<u8").astype(np.uint64)


def _hashes(key: Secret, members: Iterable[bytes], what: bytes) -> Iterator[int]:
    start = blake2b(key=key.expose(), digest_size=SIZE, person=what)
    for member in members:
        one = start.copy()
        one.update(member)
        yield int.from_bytes(one.digest(), "little")


def _bytes(number: int) -> bytes:
    return (number % _MODULUS).to_bytes(SIZE, "little")
