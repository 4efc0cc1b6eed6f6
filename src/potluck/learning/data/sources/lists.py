"""Lists of numbers in the cells of frames, as Arrow has them: arrays of NumPy, lists and tuples, also in each other."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import pyarrow as pa

LISTS = (list, tuple, np.ndarray)
DEEPEST = 8


def list_type(column: Iterable[Any]) -> "pa.DataType | None":
    """The type of a column whose first value is a list, by how deep that lies; None: it is none."""
    import pyarrow as pa

    first = next((cell for cell in column if isinstance(cell, LISTS) or not _gone(cell)), None)
    if not isinstance(first, LISTS):
        return None
    found: pa.DataType = pa.float64()
    for _ in range(_depth(first)):
        found = pa.list_(found)
    return found


def _depth(cell: object) -> int:
    depth = 0
    while isinstance(cell, LISTS) and depth < DEEPEST:
        if isinstance(cell, np.ndarray) and cell.dtype != object:
            return min(DEEPEST, depth + cell.ndim)
        depth, cell = depth + 1, cell[0] if len(cell) else None
    return depth


def listed(part: NDArray[np.generic], kind: "pa.DataType") -> "pa.Array":
    """Some cells of a column of lists. A list of another depth, whose parts differ in length, or that holds something
    other than numbers is an empty one: of no shape that a plan may say."""
    import pyarrow as pa

    axes = 0
    while pa.types.is_list(kind):
        axes, kind = axes + 1, kind.value_type
    cells = part.tolist()
    gone = [_gone(cell) for cell in cells]
    arrays = [_array(cell, axes) for cell in cells]
    found: pa.Array = pa.array(np.concatenate([np.zeros(0), *(one.ravel() for one in arrays)]))
    for axis in reversed(range(axes)):
        sizes = [np.full(int(np.prod(one.shape[:axis])), one.shape[axis], np.int64) for one in arrays]
        offsets = pa.array(np.cumsum(np.concatenate([np.zeros(1, np.int64), *sizes])), pa.int32())
        found = pa.ListArray.from_arrays(offsets, found, mask=None if axis else pa.array(gone))
    return found


def _gone(cell: Any) -> bool:
    """Whether a cell is absent."""
    import pandas as pd

    return cell is None or (pd.api.types.is_scalar(cell) and bool(pd.isna(cell)))


def _array(cell: object, axes: int) -> NDArray[np.float64]:
    none = np.zeros((0,) * axes)
    if not isinstance(cell, LISTS):
        return none
    try:
        values = np.asarray(cell)
        values = values if values.dtype != object else np.array(values.tolist())
    except (ValueError, TypeError):  # parts of different lengths
        return none
    return values.astype(np.float64) if values.ndim == axes and values.dtype.kind in "iuf" else none
