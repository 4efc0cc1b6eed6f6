"""Keys as owners match them: 16 bytes each, made of a row's key columns, and none twice.

A digest does NOT hide a key from who can guess it: digests stay at their owner, and what travels is made of them.
"""

from collections.abc import Iterable, Sequence
from hashlib import sha256
from itertools import count

from potluck.core.errors import DataError
from potluck.core.spelling import normal
from potluck.mpc.spu import DIGEST

Key = Sequence[str]
"""The values of a row's key columns, in the order that both owners agreed on."""
SHOWN = 5


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


def _some(numbers: Sequence[int]) -> str:
    more = f" and {len(numbers) - SHOWN} more" if len(numbers) > SHOWN else ""
    return ", ".join(map(str, numbers[:SHOWN])) + more
