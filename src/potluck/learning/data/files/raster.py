"""What a decoder gives, and the bounds that every decoder keeps before it takes memory."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import prod

import numpy as np
from numpy.typing import NDArray

MOST_BYTES = 1 << 28
"""Of a file."""
MOST_NUMBERS = 100_000_000
"""Of what a file decodes to: a volume of 512 x 512 x 380, or 33 million pixels in colour."""


class Unreadable(Exception):
    """Why a file is not used, in words that hold nothing of its content."""


@dataclass(frozen=True, slots=True, eq=False)
class Raster:
    """Numbers as a file has them. values [c, h, w] or [c, d, h, w], c: 1 for grey, 3 for red, green and blue; of an
    array as it stands, where an axis of channels may be absent. Each stands for slope x value + intercept.
    inverted: small ones are bright. blank: the first and last of the stored values that stand for no measurement."""

    values: NDArray[np.generic] = field(repr=False)
    slope: float = 1.0
    intercept: float = 0.0
    inverted: bool = False
    blank: tuple[int, int] | None = None


def fits(*sizes: int) -> int:
    """How many numbers there are of these sizes. Raises Unreadable: none, or more than anybody means."""
    if not all(0 < size <= MOST_NUMBERS for size in sizes) or prod(sizes) > MOST_NUMBERS:
        raise Unreadable(f"has no numbers, or more than {MOST_NUMBERS:,}")
    return prod(sizes)


def array(data: bytes | memoryview, kind: np.dtype[np.generic], shape: Sequence[int]) -> NDArray[np.generic]:
    """Bytes as numbers, without a copy. Raises Unreadable: there are fewer or more than the shape says."""
    if len(data) != fits(*shape) * kind.itemsize:
        raise Unreadable("is longer or shorter than its header says")
    return np.frombuffer(data, kind).reshape(tuple(shape))
