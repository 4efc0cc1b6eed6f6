"""Numbers along any number of axes: a cell is the path of a .npy file of exactly the plan's shape.

Each number is scaled from [low, high] to [-1, 1]; nothing is resized. A network takes them as they are.
"""

from functools import partial

from potluck.core.plan import required
from potluck.learning.data import tensor_column
from potluck.learning.data.column import Beside, ColumnKind, Field
from potluck.learning.data.files.cells import FileReader, Reader
from potluck.learning.data.files.fit import Fitted, tensor
from potluck.learning.data.files.formats import array


def _decode(one: Field, data: bytes) -> Fitted:
    return tensor(array(data), tensor_column.shape_of(one), one.low, one.high)


def reader(one: Field, beside: Beside) -> Reader:
    """Of files that are arrays."""
    return FileReader(one.name, tensor_column.shape_of(one), partial(_decode, one), required(beside.store))


TENSOR = ColumnKind(
    check=tensor_column.check,
    field=tensor_column.field,
    value=tensor_column.value,
    names=tensor_column.names,
    features=tensor_column.features,
    fault=tensor_column.fault,
    reader=reader,
    filed=True,
)
