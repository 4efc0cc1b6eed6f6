"""Slices of long vectors and of long bytes: what is done to one is done slice by slice, and no second one is made."""

from collections.abc import Iterable, Iterator
from hashlib import sha256
from io import BytesIO
from typing import Protocol

SLICE = 1 << 15
"""Numbers that are worked on at a time: they and what is made of them stay in the cache."""
PIECE = 1 << 18
"""Bytes that are worked on at a time."""
LONG = 1 << 22
"""Longer letters, and boxes in them, are not held whole where that can be helped."""


Bytes = bytes | memoryview
"""Bytes, or a view of them that nobody writes to."""


class Sliced(Protocol):
    """Bytes that are there in slices, without a step: `bytes`, or what lies in a file or is opened as it is read."""

    def __len__(self) -> int: ...

    def __getitem__(self, where: slice, /) -> Bytes: ...


def slices(stop: int, size: int = 0, start: int = 0) -> Iterator[slice]:
    """[start, stop) in slices of `size` (0: SLICE), the last one shorter."""
    step = size or SLICE
    for at in range(start, stop, step):
        yield slice(at, min(at + step, stop))


def blocks(units: int, where: slice) -> Iterator[tuple[slice, slice]]:
    """A stretch of columns of a table [units, d] in blocks of at most SLICE numbers: (rows, columns) of each.

    Of a narrow stretch a block has several whole rows, of a wide one a slice of a single row.
    """
    width = where.stop - where.start
    if 0 < units * width <= SLICE:
        yield slice(0, units), where
        return
    for rows in slices(units, max(1, SLICE // max(1, width))):
        for columns in slices(where.stop, start=where.start):
            yield rows, columns


def whole(data: Sliced) -> bytes:
    """All of it at once."""
    return data if isinstance(data, bytes) else joined(data[part] for part in slices(len(data), PIECE))


def sha256_of(data: Sliced) -> bytes:
    """SHA-256 of all of it, of which no more than a piece is held."""
    state = sha256()
    for part in slices(len(data), PIECE):
        state.update(data[part])
    return state.digest()


def digest_of(data: Sliced) -> str:
    """How plans and models name a file: `sha256:...` of its bytes."""
    return f"sha256:{sha256_of(data).hex()}"


def joined(parts: Iterable[Bytes]) -> bytes:
    """The parts as one, held once: each is let go as soon as it is there."""
    out = BytesIO()
    for part in parts:
        out.write(part)
    return out.getvalue()
