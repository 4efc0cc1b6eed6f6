"""Arrays of NumPy (.npy): https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html.

The header is matched, not evaluated. Numbers alone are read: no objects, no structures, no texts.
"""

import re
import struct

import numpy as np

from potluck.learning.data.files.raster import Raster, Unreadable, array, fits

MAGIC = b"\x93NUMPY"
LONGEST, DEEPEST = 4096, 8
"""Bytes of a header, axes of an array."""
_HEADER = re.compile(
    rb"\{'descr': '([<>|=](?:[iu][1248]|f[248]|b1))', 'fortran_order': (True|False), 'shape': \(([0-9, ]*)\), ?\} *\n"
)


def npy(data: memoryview) -> Raster:
    """The array, in the order of its own axes, whichever of them is first in the file. Raises Unreadable."""
    version = bytes(data[6:8])
    if version not in (b"\1\0", b"\2\0", b"\3\0"):
        raise Unreadable("is a NumPy array of an unknown version")
    form, start = ("<H", 10) if version == b"\1\0" else ("<I", 12)
    if len(data) < start:
        raise Unreadable("is a NumPy array that breaks off in its header")
    (length,) = struct.unpack(form, data[8:start])
    if length > LONGEST or len(data) < start + length:
        raise Unreadable("is a NumPy array with a header that is too long or breaks off")
    found = _HEADER.fullmatch(bytes(data[start : start + length]))
    if found is None:
        raise Unreadable("is a NumPy array of something other than numbers")
    kind, fortran, sizes = np.dtype(found[1].decode()), found[2] == b"True", _sizes(found[3])
    fits(*sizes)
    body = data[start + length :]
    values = array(body, kind, sizes[::-1]).T if fortran else array(body, kind, sizes)
    return Raster(values)


def _sizes(text: bytes) -> tuple[int, ...]:
    """The sizes of a shape. Raises Unreadable."""
    words = [word.strip() for word in text.split(b",")]
    words = words[:-1] if words[-1] == b"" else words
    if len(words) > DEEPEST or not all(word.isdigit() and len(word) <= 12 for word in words):
        raise Unreadable("is a NumPy array of a shape that is none")
    return tuple(map(int, words))
