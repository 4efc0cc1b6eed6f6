"""Rows in memory: a pandas or polars frame, or whatever has named columns as they have, and a NumPy array."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from potluck.core.errors import DataError
from potluck.learning.data.problems import Problems
from potluck.learning.data.source import CHUNK, IN_ORDER, Cells, Chunk, Frame, Rows, places


@dataclass(frozen=True, slots=True, eq=False)
class InMemory:
    """See `learning.data.source.Rows`. Columns of an array are taken by their places."""

    frame: NDArray[np.generic] | Frame = field(repr=False)

    def names(self) -> tuple[str, ...]:
        """A frame's labels, an array's places."""
        if isinstance(self.frame, np.ndarray):
            return tuple(map(str, range(self.frame.shape[1] if self.frame.ndim == 2 else 0)))
        return tuple(map(str, self.frame.columns))

    def chunks(self, wanted: Sequence[str], layout: Sequence[str] | None, problems: Problems) -> Iterator[Chunk]:
        """By name, or by place where it has not all the wanted names and a layout says the order."""
        order = present = self.names()
        if isinstance(self.frame, np.ndarray) or (layout is not None and not set(wanted) <= set(present)):
            order = tuple(layout if layout is not None else wanted)
            _same_places(order, present, problems.where)
        index = places(wanted, order, problems.where)
        columns = {name: self._column(place) for name, place in zip(wanted, index, strict=True)}
        length = len(self.frame)
        for start in range(0, length, CHUNK):
            stop = min(start + CHUNK, length)
            lines = np.arange(start + 1, stop + 1, dtype=np.int64)
            yield Chunk(lines, {name: cells[start:stop] for name, cells in columns.items()})

    def _column(self, place: int) -> Cells:
        if isinstance(self.frame, np.ndarray):
            return _cells(self.frame[:, place])
        label = list(self.frame.columns)[place]
        return _cells(np.asarray(self.frame[label]))  # type: ignore[index]  # a pandas label need not be a text


def _same_places(order: Sequence[str], present: Sequence[str], where: str) -> None:
    """Columns that lack some of the plan's names are taken by place: there are as many as the plan says, and none of
    the plan's names stands elsewhere. Raises DataError."""
    if len(present) != len(order):
        raise DataError(f"has {len(present)} columns where {len(order)} are expected", where=where, hint=IN_ORDER)
    for name, found in zip(order, present, strict=True):
        if name != found and name in present and not found.isdigit():
            what = f"column {name!r} is there, but not in the plan's place, and others of the plan's names are not"
            raise DataError(what, where=where, hint="give all columns the plan's names, or its order")


def _cells(values: NDArray[np.generic]) -> Cells:
    exact = values.dtype.kind == "f" or (values.dtype.kind in "iu" and bool((np.abs(values) < 2**53).all()))
    if exact:
        return values.astype(np.float64)
    import pandas as pd  # whoever gives such values has it loaded: a file does not need it

    missing = pd.isna(values)
    return [None if gone else str(value) for value, gone in zip(values.tolist(), missing.tolist(), strict=True)]


def in_memory(source: object, where: str, most: int) -> Rows | None:
    """An array, or an object with columns."""
    frame = isinstance(source, np.ndarray) or hasattr(source, "columns")
    return InMemory(source) if frame else None  # type: ignore[arg-type]  # as far as a frame can be told
