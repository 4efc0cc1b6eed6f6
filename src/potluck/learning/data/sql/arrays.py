"""Arrow's arrays to NumPy's and back, without pandas: Arrow's own ways import it, which takes a fifth of a second.

They are the same arrays. What is neither numbers nor nothing goes Arrow's way.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from potluck.learning.data.sql.relation import Column

if TYPE_CHECKING:
    import pyarrow as pa


def as_column(array: "pa.Array") -> Column:
    """What `to_numpy` gives: numbers as they are, NaN where one is missing, else objects; without a copy if it can."""
    import pyarrow as pa

    if array.null_count == len(array):
        empty = np.full(len(array), None, object)
        return empty if pa.types.is_string(array.type) else np.asarray(array.to_numpy(zero_copy_only=False))
    if not (pa.types.is_float64(array.type) or pa.types.is_int64(array.type)):
        return np.asarray(array.to_numpy(zero_copy_only=False))
    there, numbers = array.buffers()
    of = slice(array.offset, array.offset + len(array))
    found = np.frombuffer(numbers, np.float64 if pa.types.is_float64(array.type) else np.int64)[of]
    if not array.null_count:
        return found
    whole = found.astype(np.float64)
    whole[np.unpackbits(np.frombuffer(there, np.uint8), bitorder="little")[of] == 0] = np.nan
    return whole


def texts(cells: Sequence[str]) -> "pa.Array":
    """An array of strings. Raises UnicodeEncodeError: half a pair of surrogates."""
    import pyarrow as pa

    whole = "".join(cells)
    lengths = map(len, cells if whole.isascii() else (one.encode() for one in cells))
    ends = np.zeros(len(cells) + 1, np.int32)
    np.cumsum(np.fromiter(lengths, np.int32, len(cells)), out=ends[1:])
    return pa.Array.from_buffers(pa.string(), len(cells), [None, pa.py_buffer(ends), pa.py_buffer(whole.encode())])


def whole_numbers(values: Sequence[int]) -> "pa.Array":
    """An array of 64-bit integers."""
    import pyarrow as pa

    return pa.Array.from_buffers(pa.int64(), len(values), [None, pa.py_buffer(np.asarray(values, np.int64))])
