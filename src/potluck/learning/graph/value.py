"""What is known of a value of a graph before anything is computed: its type, its shape, and where its rows lie.

The rule that keeps rows apart. A value is *public* (made of weights and constants alone), or it has rows along exactly
one axis. That axis is outer * b * inner long, b being the rows of the batch, and the entry at index i belongs to row
`i // inner % b`. An operation is allowed only where every entry of its result depends on entries of one row and on
public values. So whoever changes other rows of a batch cannot change what is computed of this one.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import Literal

DType = Literal["float32", "float64", "int64", "bool"]
FLOATS: tuple[DType, ...] = ("float32", "float64")
WIDTHS: dict[DType, int] = {"float32": 4, "float64": 8, "int64": 8, "bool": 1}
"""Bytes of an entry."""


class Misfit(Exception):
    """What of a node cannot be, and a hint. Whoever walks the graph says where."""

    def __init__(self, what: str, hint: str = "") -> None:
        super().__init__(what)
        self.what, self.hint = what, hint


@dataclass(frozen=True, slots=True)
class Rows:
    """Where rows lie: along `axis`, which is outer * b * inner long."""

    axis: int
    outer: int = 1
    inner: int = 1


@dataclass(frozen=True, slots=True)
class Value:
    """shape: of the axis of rows it says outer * inner, what it is for a batch of one row."""

    dtype: DType
    shape: tuple[int, ...]
    rows: Rows | None = None

    @property
    def rank(self) -> int:
        """How many axes."""
        return len(self.shape)

    @property
    def size(self) -> int:
        """Entries: a row's, or of a public value all."""
        return prod(self.shape)

    def of_batch(self, batch: int) -> tuple[int, ...]:
        """The shape for so many rows."""
        axis = self.rows.axis if self.rows else -1
        return tuple(size * batch if i == axis else size for i, size in enumerate(self.shape))

    def with_shape(self, shape: Sequence[int]) -> "Value":
        """The same type and rows in another shape, whose axis of rows stands at the same place and is as long."""
        return Value(self.dtype, tuple(shape), self.rows)


def broadcast(values: Sequence[Value]) -> tuple[tuple[int, ...], Rows | None]:
    """The common shape of values that an operation takes entry by entry, and its rows.

    Raises Misfit: the shapes do not fit, rows lie at different places, or a public value is as long as a batch.
    """
    rank = max(one.rank for one in values)
    padded = [(1,) * (rank - one.rank) + one.shape for one in values]
    places = {_moved(one.rows, rank - one.rank) for one in values if one.rows}
    if len(places) > 1:
        raise Misfit("mixes rows: its operands have rows at different axes", "bring rows to the same axis first")
    rows = next(iter(places), None)
    shape = []
    for axis in range(rank):
        here = [sizes[axis] for sizes in padded]
        if rows and axis == rows.axis:
            public = [size for size, one in zip(here, values, strict=True) if one.rows is None]
            if any(size != 1 for size in public):
                raise Misfit("mixes rows: an operand without rows has a size of its own along the axis of rows")
            shape.append(rows.outer * rows.inner)
            continue
        longest = {size for size in here if size != 1} or {1}
        if len(longest) > 1:
            raise Misfit(f"cannot join the shapes {' and '.join(str(list(one.shape)) for one in values)}")
        shape.append(longest.pop())
    return tuple(shape), rows


def _moved(rows: Rows, by: int) -> Rows:
    return Rows(rows.axis + by, rows.outer, rows.inner)


def reshaped(value: Value, shape: tuple[int, ...], axis: int | None) -> Value:
    """The value in another shape, whose axis of rows is `axis` (None: of a public value).

    Entries keep their order. So rows stay apart where as many entries as before lie outside the axis of rows, and as
    many inside it. Raises Misfit.
    """
    if prod(shape) != value.size or (axis is None) != (value.rows is None):
        raise Misfit(f"cannot bring {_said(value)} into the shape {list(shape)}", _RESHAPE)
    if value.rows is None or axis is None:
        return Value(value.dtype, shape)
    outside = prod(value.shape[: value.rows.axis]) * value.rows.outer
    inside = value.rows.inner * prod(value.shape[value.rows.axis + 1 :])
    before, after = prod(shape[:axis]), prod(shape[axis + 1 :])
    if not before or not after or outside % before or inside % after:
        raise Misfit("mixes rows: a reshape across the axis of rows", _RESHAPE)
    rows = Rows(axis, outside // before, inside // after)
    if rows.outer * rows.inner != shape[axis]:
        raise Misfit("mixes rows: a reshape across the axis of rows", _RESHAPE)
    return Value(value.dtype, shape, rows)


_RESHAPE = "a reshape may join the axis of rows with neighbours, and part it again, and has to keep the batch's size"


def _said(value: Value) -> str:
    rows = value.rows
    return "[" + ", ".join("b" if rows and i == rows.axis else str(n) for i, n in enumerate(value.shape)) + "]"
