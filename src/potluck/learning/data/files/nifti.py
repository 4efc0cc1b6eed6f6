"""NIfTI-1 in one file (.nii, and .nii.gz): https://nifti.nimh.nih.gov/pub/dist/src/niftilib/nifti1.h.

Values are scaled by the file's slope and intercept. A volume [x, y, z] becomes [1, z, y, x]; it is NOT turned to the
axes of the body, which its affine matrix states. A packed file is unpacked as far as its header says that it reaches.
"""

import math
import struct
import zlib

import numpy as np

from potluck.learning.data.files.raster import MOST_BYTES, Raster, Unreadable, array, fits

GZIP = b"\x1f\x8b"
HEADER, MAGIC = 348, b"n+1\0"
FARTHEST = 1 << 20
"""Where values begin at the latest: before them extensions may stand."""
KINDS = {
    2: "u1",
    4: "i2",
    8: "i4",
    16: "f4",
    64: "f8",
    256: "i1",
    512: "u2",
    768: "u4",
    1024: "i8",
    1280: "u8",
}
"""Types by their code."""


def recognised(data: memoryview) -> bool:
    """Whether it is one, not packed."""
    return len(data) >= HEADER and bytes(data[344:348]) == MAGIC


def nifti(data: memoryview) -> Raster:
    """A file that is not packed. Raises Unreadable."""
    header = _Header(data)
    return header.raster(data[header.start :])


def packed(data: memoryview) -> Raster:
    """A packed one. Raises Unreadable."""
    unpack = zlib.decompressobj(wbits=31)
    try:
        start = unpack.decompress(data, HEADER)
        if not recognised(memoryview(start)):
            raise Unreadable("is a packed file of no kind that is read")
        header = _Header(memoryview(start))
        whole = start + unpack.decompress(unpack.unconsumed_tail, header.end - len(start))
        more = unpack.decompress(unpack.unconsumed_tail, 1)
    except zlib.error:
        raise Unreadable("is a damaged packed file") from None
    if more or not unpack.eof:
        raise Unreadable("is longer or shorter than its header says")
    return header.raster(memoryview(whole)[header.start :])


class _Header:
    """What a header says. Raises Unreadable."""

    def __init__(self, data: memoryview) -> None:
        order = next((one for one in "<>" if struct.unpack(f"{one}i", data[:4])[0] == HEADER), None)
        if order is None:
            raise Unreadable("is a NIfTI file of another version than 1")
        sizes = struct.unpack(f"{order}8h", data[40:56])
        code, bits = struct.unpack(f"{order}2h", data[70:74])
        offset, slope, intercept = struct.unpack(f"{order}3f", data[108:120])
        if code not in KINDS:
            raise Unreadable("is a NIfTI file of a type of numbers that is not read")
        self.kind = np.dtype(order + KINDS[code])
        if bits != 8 * self.kind.itemsize or not 1 <= sizes[0] <= 7:
            raise Unreadable("is a NIfTI file whose header contradicts itself")
        shape = list(sizes[1 : sizes[0] + 1])
        while len(shape) > 2 and shape[-1] == 1:
            shape.pop()
        if len(shape) not in (2, 3):
            raise Unreadable("is a NIfTI file of other than two or three axes")
        count = fits(*shape)
        self.shape = (1, *shape[::-1])
        if not (math.isfinite(offset) and HEADER + 4 <= offset <= FARTHEST and offset == int(offset)):
            raise Unreadable("is a NIfTI file whose values begin nowhere")
        self.start, self.end = int(offset), int(offset) + count * self.kind.itemsize
        if self.end > MOST_BYTES:
            raise Unreadable(f"unpacks to more than {MOST_BYTES:,} bytes")
        self.slope: float = 1.0
        self.intercept: float = 0.0
        scaled = not math.isnan(slope) and slope != 0
        if scaled and not (math.isfinite(slope) and math.isfinite(intercept)):
            raise Unreadable("is a NIfTI file whose slope or intercept is no number")
        if scaled:
            self.slope, self.intercept = float(slope), float(intercept)

    def raster(self, values: memoryview) -> Raster:
        """The values, x being what follows one another in the file."""
        return Raster(array(values, self.kind, self.shape), self.slope, self.intercept)
