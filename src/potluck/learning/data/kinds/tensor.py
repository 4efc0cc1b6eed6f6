"""Numbers along any number of axes: a cell is a list of exactly the plan's shape, or the path of such a .npy file.

Each number is scaled from [low, high] to [-1, 1]; nothing is resized. A network takes them as they are.
"""

from functools import partial

import numpy as np
from numpy.typing import NDArray

from potluck.core.plan import required
from potluck.learning.data import tensor_column
from potluck.learning.data.column import Beside, ColumnKind, Field
from potluck.learning.data.files.cells import FileReader, Reader
from potluck.learning.data.files.fit import Fitted, tensor
from potluck.learning.data.files.formats import array
from potluck.learning.data.files.lists import ListReader
from potluck.learning.data.files.raster import Raster


def _decode(one: Field, data: bytes) -> Fitted:
    return tensor(array(data), tensor_column.shape_of(one), one.low, one.high)


def _fit(one: Field, values: NDArray[np.generic]) -> Fitted:
    return tensor(Raster(values), tensor_column.shape_of(one), one.low, one.high)


def reader(one: Field, beside: Beside) -> Reader:
    """Of files that are arrays, or of lists."""
    store = required(beside.store)
    files = FileReader(one.name, tensor_column.shape_of(one), partial(_decode, one), store)
    return ListReader(files, partial(_fit, one), store.most)


TENSOR = ColumnKind(
    check=tensor_column.check,
    field=tensor_column.field,
    value=tensor_column.value,
    names=tensor_column.names,
    features=tensor_column.features,
    fault=tensor_column.fault,
    reader=reader,
    filed=True,
    listed=True,
)
