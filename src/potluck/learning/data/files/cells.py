"""Columns whose cells are tensors: read once to see what they are, and taken a batch at a time to train.

A row's cell is what its digest says: the SHA-256 of the file's bytes. It is part of the row wherever rows are told
apart, so that a changed file is a changed row, and a file that changed since it was read is not trained on.
"""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from potluck.core.rounds import Abort, Cause
from potluck.learning.data.files.fit import Fitted, Tensor
from potluck.learning.data.files.raster import Unreadable
from potluck.learning.data.files.store import Decode, Store

Index = NDArray[np.int64]
DIGEST = 32
NONE = bytes(DIGEST)
"""The digest of a cell without a value."""
DType = Literal["float32", "int64"]


class Cells(Protocol):
    """A column's cells of some rows n. digests [n, 32]: of the bytes that they are made of; zeros: there is none."""

    @property
    def shape(self) -> tuple[int, ...]: ...

    @property
    def dtype(self) -> DType: ...

    @property
    def digests(self) -> NDArray[np.uint8]: ...

    def take(self, rows: Index) -> NDArray[np.float32] | NDArray[np.int64]:
        """[b, *shape] of the rows by number, zeros where a cell has no value. Raises Abort(CHANGED): a file is another
        than when it was read."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """What cells of k rows are. held [k]: what is kept of each; digests [k, 32]; numbers, clamped [k]: how many each
    has, and how many of them lie beyond the declared range; wrong: by place, why a cell cannot be used; cut [k]: 1 of a
    text that is longer than the plan says; foreign [k]: 1 of a string with a character that its alphabet lacks."""

    held: NDArray[np.generic] = field(repr=False)
    digests: NDArray[np.uint8] = field(repr=False)
    numbers: Index = field(repr=False)
    clamped: Index = field(repr=False)
    wrong: Mapping[int, Unreadable] = field(repr=False)
    cut: Index = field(repr=False)
    foreign: Index | None = field(default=None, repr=False)

    def of(self, rows: NDArray[np.bool_]) -> "Found":
        """Of some of the rows. What was wrong is told by then."""
        foreign = None if self.foreign is None else self.foreign[rows]
        numbers, clamped, cut = self.numbers[rows], self.clamped[rows], self.cut[rows]
        return Found(self.held[rows], self.digests[rows], numbers, clamped, {}, cut, foreign)


class Reader(Protocol):
    """How a column's cells are read."""

    def read(self, texts: Sequence[object]) -> Found:
        """What some cells are, texts or lists; None: it has no value, or is not looked at."""
        ...

    def cells(self, held: NDArray[np.generic], digests: NDArray[np.uint8]) -> Cells:
        """The column of all rows."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class FileReader:
    """Cells that are paths of files. decode: of bytes to a tensor of the shape."""

    column: str
    shape: tuple[int, ...]
    decode: Decode
    store: Store

    def read(self, texts: Sequence[object]) -> Found:
        """Each file is read whole and decoded, so that what is wrong with it is known before anything is trained."""
        held, digests = np.full(len(texts), "", object), np.zeros((len(texts), DIGEST), np.uint8)
        numbers, clamped = np.zeros(len(texts), np.int64), np.zeros(len(texts), np.int64)
        wrong: dict[int, Unreadable] = {}
        for place, text in enumerate(texts):
            if text is None:
                continue
            path = str(text).strip()
            try:
                digest, found = self.store.read(self.column, path, self.decode)
            except Unreadable as error:
                wrong[place] = error
                continue
            held[place], digests[place] = path, np.frombuffer(digest, np.uint8)
            numbers[place], clamped[place] = found.numbers, found.below + found.above
        return Found(held, digests, numbers, clamped, wrong, np.zeros_like(numbers))

    def cells(self, held: NDArray[np.generic], digests: NDArray[np.uint8]) -> Cells:
        """Files are decoded when they are taken."""
        return FileCells(self, held, digests)


@dataclass(frozen=True, slots=True, eq=False)
class FileCells:
    """See `Cells`. paths [n]."""

    reader: FileReader
    paths: NDArray[np.generic] = field(repr=False)
    digests: NDArray[np.uint8] = field(repr=False)
    dtype: DType = "float32"

    @property
    def shape(self) -> tuple[int, ...]:
        """As the plan says."""
        return self.reader.shape

    def take(self, rows: Index) -> Tensor:
        """See `Cells`."""
        out, marks = np.zeros((len(rows), *self.shape), np.float32), self.digests[rows].tobytes()
        column, kept = self.reader.column, self.reader.store.kept
        for place, row in enumerate(rows.tolist()):
            digest = marks[place * DIGEST : (place + 1) * DIGEST]
            if digest != NONE:
                found = kept(column, digest) or self._decoded(str(self.paths[row]), digest)
                out[place] = found.values
        return out

    def _decoded(self, path: str, digest: bytes) -> Fitted:
        reader = self.reader
        there, found = NONE, None
        with suppress(Unreadable):
            there, found = reader.store.read(reader.column, path, reader.decode)
        if found is None or there != digest:
            what = f"a file of the column {reader.column!r} is another than when this run read it"
            raise Abort(Cause.CHANGED, detail=f"{what}. hint: put it back, or ask for a new run")
        return found


@dataclass(frozen=True, slots=True, eq=False)
class HeldCells:
    """Cells that are held, of nobody's rows. values [m, *shape]: tensors; which [n]: the one of each row."""

    values: Tensor = field(repr=False)
    which: Index = field(repr=False)
    dtype: DType = "float32"

    @property
    def shape(self) -> tuple[int, ...]:
        """Of one of them."""
        return self.values.shape[1:]

    @property
    def digests(self) -> NDArray[np.uint8]:
        """None: they are made of nothing."""
        return np.zeros((len(self.which), DIGEST), np.uint8)

    def take(self, rows: Index) -> Tensor:
        """See `Cells`."""
        return self.values[self.which[rows]]


def whole(reader: Reader, parts: Sequence[Found]) -> Cells:
    """The column of all rows, of those of its parts."""
    return reader.cells(np.concatenate([one.held for one in parts]), np.concatenate([one.digests for one in parts]))
