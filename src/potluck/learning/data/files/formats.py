"""Which decoder reads a file: by what it begins with, not by its name. A format is a file here and a line below."""

from collections.abc import Callable

from potluck.learning.data.files import dicom, dicom_elements, nifti, npy, pictures
from potluck.learning.data.files.raster import Raster, Unreadable


def _begins(mark: bytes) -> Callable[[memoryview], bool]:
    return lambda data: bytes(data[: len(mark)]) == mark


FORMATS: tuple[tuple[Callable[[memoryview], bool], Callable[[memoryview], Raster]], ...] = (
    (_begins(pictures.PNG), pictures.png),
    (_begins(pictures.JPEG), pictures.jpeg),
    (_begins(npy.MAGIC), npy.npy),
    (_begins(nifti.GZIP), nifti.packed),
    (dicom_elements.recognised, dicom.dicom),
    (nifti.recognised, nifti.nifti),
)
KNOWN = "PNG, JPEG, DICOM, NIfTI and .npy files are read"


def decoded(data: bytes) -> Raster:
    """What a file holds. Raises Unreadable."""
    view = memoryview(data)
    for mine, read in FORMATS:
        if mine(view):
            return read(view)
    raise Unreadable(f"is of no kind that is known: {KNOWN}")


def array(data: bytes) -> Raster:
    """The same of a file that is an array. Raises Unreadable."""
    if not data.startswith(npy.MAGIC):
        raise Unreadable("is no .npy file")
    return npy.npy(memoryview(data))
