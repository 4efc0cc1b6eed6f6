"""A picture or a volume: a cell is the path of a file, which a network takes as a tensor [c, h, w] or [c, d, h, w].

PNG, JPEG, DICOM, NIfTI and .npy files are scaled from [low, high] to [-1, 1], and resized to the plan's shape: see
`data.files.fit`.
"""

from functools import partial

from potluck.core.plan import Column, required
from potluck.learning.data import tensor_column
from potluck.learning.data.column import Beside, ColumnKind, Field
from potluck.learning.data.files.cells import FileReader, Reader
from potluck.learning.data.files.fit import Fitted, picture
from potluck.learning.data.files.formats import decoded
from potluck.learning.data.files.pictures import ready
from potluck.learning.data.notation import Notation


def check(at: str, column: Column, how: Notation) -> list[str]:
    """A shape of channels and two or three axes of space, and a range."""
    found = tensor_column.check(at, column, how)
    if not found and len(column.shape or ()) not in (3, 4):
        hint = "shape = [1, 224, 224] is grey, 224 pixels square; of a volume [1, 64, 128, 128]"
        return [f"{at}.shape: an image has channels, height and width, a volume also depth before them. hint: {hint}"]
    return found


def fault(one: Field, how: Notation) -> list[str]:
    """A shape or a range that is none."""
    return tensor_column.fault(one, how) or [
        f"column {one.name!r} is no image" for _ in check("", tensor_column.declared(one), how)
    ]


def _decode(one: Field, data: bytes) -> Fitted:
    return picture(decoded(data), tensor_column.shape_of(one), one.low, one.high)


def reader(one: Field, beside: Beside) -> Reader:
    """Of files of any format. Raises UsageError: Pillow is missing."""
    ready()
    return FileReader(one.name, tensor_column.shape_of(one), partial(_decode, one), required(beside.store))


IMAGE = ColumnKind(
    check=check,
    field=tensor_column.field,
    value=tensor_column.value,
    names=tensor_column.names,
    features=tensor_column.features,
    fault=fault,
    reader=reader,
    filed=True,
)
