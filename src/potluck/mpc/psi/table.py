"""A table that answers a number for every tag that its maker put in, and noise for every other.

Each tag names one slot in each of three parts; the exclusive or of the three is its number. Nobody sees which tags are
in: slots that are not bound are random, and so are the numbers. It is solved by peeling, as sparse equations are.

Reference: Garimella, Pinkas, Rosulek, Trieu, Yanai, CRYPTO 2021 (eprint 2021/883), oblivious key-value stores; Botelho,
Pagh, Ziviani 2007 for three parts.
"""

from collections.abc import Sequence
from hashlib import sha256

import numpy as np
from numpy.typing import NDArray

from potluck.core.party import Draw
from potluck.core.rounds import Abort, Cause

U64 = NDArray[np.uint64]
PARTS = 3
SALT = 16
TRIES = 64
ENTRY = 16


def slots(count: int) -> int:
    """Slots of a part, for so many tags: a third of 1.29 a tag, and some."""
    return int(count * 0.43) + 32


def size(count: int) -> int:
    """Bytes of a table of so many tags."""
    return SALT + ENTRY * PARTS * slots(count)


def made(tags: Sequence[bytes], numbers: U64, draw: Draw) -> bytes:
    """numbers [n, 2], one a tag, none twice -> the table. Raises Abort(BUG): no salt fits, which is next to
    impossible."""
    for _ in range(TRIES):
        salt = draw(SALT)
        places = _places(salt, tags, slots(len(tags)))
        peeled = _peeled(places, PARTS * slots(len(tags)))
        if peeled is not None:
            return salt + _filled(places, peeled, numbers, draw).astype("<u8").tobytes()
    raise Abort(Cause.BUG, detail="no table of these tags")


def read(table: bytes, count: int, tags: Sequence[bytes]) -> U64:
    """The number [n, 2] of each tag, in a table of `count` others. Raises Abort(MALFORMED): another length."""
    if len(table) != size(count):
        raise Abort(Cause.MALFORMED, detail="a table of another size")
    cells = np.frombuffer(table[SALT:], "<u8").reshape(-1, 2)
    places = _places(table[:SALT], tags, slots(count))
    found: U64 = cells[places[:, 0]] ^ cells[places[:, 1]] ^ cells[places[:, 2]]
    return found


def _places(salt: bytes, tags: Sequence[bytes], wide: int) -> NDArray[np.int64]:
    """[n, 3]: a slot in each part."""
    hashed = b"".join(sha256(salt + tag).digest()[:24] for tag in tags)
    raw = np.frombuffer(hashed, "<u8").reshape(-1, PARTS) % np.uint64(wide)
    return raw.astype(np.int64) + np.arange(PARTS) * wide


def _peeled(places: NDArray[np.int64], total: int) -> list[tuple[NDArray[np.int64], NDArray[np.int64]]] | None:
    """Peeling order: repeatedly take tags that are alone in a slot, with that slot; None where some never come free."""
    left = len(places)
    degree = np.bincount(places.ravel(), minlength=total)
    owner = np.zeros(total, np.int64)  # exclusive or of the tags at a slot: of one alone, its number
    numbers = np.arange(left)
    for part in range(PARTS):
        np.bitwise_xor.at(owner, places[:, part], numbers)
    turns = []
    free = np.flatnonzero(degree == 1)
    while len(free):
        chosen, first = np.unique(owner[free], return_index=True)
        turns.append((chosen, free[first]))
        touched = places[chosen].ravel()
        np.subtract.at(degree, touched, 1)
        np.bitwise_xor.at(owner, touched, np.repeat(chosen, PARTS))
        left -= len(chosen)
        touched = np.unique(touched)
        free = touched[degree[touched] == 1]
    return None if left else turns


def _filled(
    places: NDArray[np.int64],
    turns: Sequence[tuple[NDArray[np.int64], NDArray[np.int64]]],
    numbers: U64,
    draw: Draw,
) -> U64:
    """Backwards: a tag's own slot is bound when its other two are."""
    total = PARTS * slots(len(places))
    cells = np.frombuffer(draw(ENTRY * total), "<u8").reshape(-1, 2).copy()
    for chosen, own in reversed(turns):
        cells[own] = 0
        three = places[chosen]
        cells[own] = numbers[chosen] ^ cells[three[:, 0]] ^ cells[three[:, 1]] ^ cells[three[:, 2]]
    return cells
