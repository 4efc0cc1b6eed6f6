"""Cells that are lists of numbers, or of such lists: as Parquet, Arrow and frames have them.

A list is scaled once, while rows are read, and held from then on: nothing could be read again of it.
"""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from potluck.core.errors import DataError
from potluck.learning.data.files.cells import DIGEST, NONE, Cells, DType, FileReader, Found, Index
from potluck.learning.data.files.fit import Fitted, Tensor
from potluck.learning.data.files.raster import Unreadable

OTHER = "is of another shape than the plan says"


@dataclass(slots=True, eq=False)
class ListReader:
    """See `cells.Reader`. files: where cells are texts, and name files; fit: of an array to what is held; most: bytes
    that are held."""

    files: FileReader
    fit: Callable[[NDArray[np.generic]], Fitted]
    most: int
    _held: int = field(default=0, repr=False)

    def read(self, texts: Sequence[object]) -> Found:
        """Each list is brought to the plan's shape. Raises DataError: they need more memory than the owner's policy
        says."""
        if not any(isinstance(one, np.ndarray) for one in texts):
            return self.files.read(texts)
        held, digests = np.full(len(texts), None, object), np.zeros((len(texts), DIGEST), np.uint8)
        numbers, clamped = np.zeros(len(texts), np.int64), np.zeros(len(texts), np.int64)
        wrong: dict[int, Unreadable] = {}
        for place, cell in enumerate(texts):
            if cell is None:
                continue
            try:
                values = _array(cell, len(self.files.shape))
                found = self.fit(values)
            except Unreadable as error:
                wrong[place] = error
                continue
            held[place], digests[place] = found.values, np.frombuffer(_digest(values), np.uint8)
            numbers[place], clamped[place] = found.numbers, found.below + found.above
            self._held += found.values.nbytes
            if self._held > self.most:
                what = f"the lists of column {self.files.column!r} need more memory than source.memory"
                raise DataError(what, hint="raise it in the policy, or give paths of .npy files")
        return Found(held, digests, numbers, clamped, wrong, np.zeros_like(numbers))

    def cells(self, held: NDArray[np.generic], digests: NDArray[np.uint8]) -> Cells:
        """Of files they are read again, of lists they are here."""
        if any(isinstance(one, np.ndarray) for one in held):
            return ListCells(held, digests, self.files.shape)
        return self.files.cells(held, digests)


@dataclass(frozen=True, slots=True, eq=False)
class ListCells:
    """See `cells.Cells`. held [n]: a tensor of each row."""

    held: NDArray[np.generic] = field(repr=False)
    digests: NDArray[np.uint8] = field(repr=False)
    shape: tuple[int, ...]
    dtype: DType = "float32"

    def take(self, rows: Index) -> Tensor:
        """See `cells.Cells`."""
        out = np.zeros((len(rows), *self.shape), np.float32)
        for place, row in enumerate(rows.tolist()):
            if self.digests[row].tobytes() != NONE:
                out[place] = self.held[row]
        return out


def _array(cell: object, axes: int) -> NDArray[np.float64]:
    """A list as an array of so many axes. Raises Unreadable: its parts differ in length, or lie deeper or less deep."""
    if not isinstance(cell, np.ndarray) or not axes:
        raise Unreadable(OTHER)
    if cell.dtype != object:
        if cell.ndim != axes:
            raise Unreadable(OTHER)
        return np.asarray(cell, np.float64)
    parts = [_array(one, axes - 1) for one in cell]
    if not parts or len({one.shape for one in parts}) > 1:
        raise Unreadable(OTHER)
    return np.stack(parts)


def _digest(values: NDArray[np.float64]) -> bytes:
    """Of a list's numbers and its shape, whatever type they have in the source."""
    return hashlib.sha256(f"list {values.shape} ".encode() + np.ascontiguousarray(values).tobytes()).digest()
