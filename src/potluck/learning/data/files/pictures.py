"""PNG and JPEG, through Pillow's own readers of these two and no other.

Pixels are taken as they are stored: 0 to 255, of grey PNG files of 16 bits to 65 535. A palette becomes its colours, an
alpha channel is left away. The orientation that EXIF may state is NOT applied, nor is a colour profile. Animations,
CMYK, and 16 bits in colour or beside an alpha channel, which Pillow would shorten to 8, are refused by name.
"""

import struct
import zlib
from importlib.util import find_spec
from io import BytesIO
from typing import TYPE_CHECKING

import numpy as np

from potluck.core.errors import UsageError
from potluck.learning.data.files.raster import Raster, Unreadable, fits
from potluck.learning.graph.steps import INSTALL

if TYPE_CHECKING:
    from PIL.ImageFile import ImageFile

PNG, JPEG = b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff"
CHANNELS, PALETTE = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}, 3
"""Of PNG's types of colour."""
MOST_PIECES = 1 << 16
"""Chunks of a PNG file, and segments of a JPEG file before its pixels."""
MOST_SCANS = 100
"""Of a JPEG file: each may go over all pixels again."""
SCAN, APART = 0xDA, frozenset((0x00, 0x01, *range(0xD0, 0xDA)))
"""Marks of a JPEG file: of its pixels, and those that have no content or do not stand before pixels."""
NOTES = frozenset((*range(0xE0, 0xF0), 0xFE)) - {0xE0, 0xEE}
"""Marks of what programs add, and of comments: but for JFIF's and Adobe's, which say how colours are stored."""
_FAULTS = (
    OSError,
    SyntaxError,
    ValueError,
    EOFError,
    LookupError,
    TypeError,
    ArithmeticError,
    struct.error,
    zlib.error,
)
"""What Pillow raises where a file is damaged."""


def ready() -> None:
    """Raises UsageError: Pillow is missing."""
    if find_spec("PIL") is None:
        raise UsageError("columns of images need Pillow, which is not installed", hint=INSTALL)


def png(data: memoryview) -> Raster:
    """A PNG file. Raises Unreadable."""
    from PIL.PngImagePlugin import PngImageFile

    if bytes(data[12:16]) != b"IHDR" or len(data) < 33:
        raise Unreadable("is a PNG file without a header")
    width, height, depth, colour = struct.unpack(">IIBB", data[16:26])
    fits(width, height, 3 if colour == PALETTE else CHANNELS.get(colour, 4))
    if depth == 16 and CHANNELS.get(colour, 1) > 1:
        raise Unreadable("is a picture of 16 bits in colour or with an alpha channel, where 8 are read")
    return _pixels(PngImageFile, _chunks(data, colour))


def _chunks(data: memoryview, colour: int) -> memoryview:
    """A PNG file of those chunks alone that its pixels are made of: Pillow unpacks each profile and text that it
    meets. Raises Unreadable."""
    parts, at, names = [data[:8]], 8, set[bytes]()
    for _ in range(MOST_PIECES):
        if len(data) - at < 12:
            break
        length, name = struct.unpack(">I4s", data[at : at + 8])
        end = at + 12 + length
        if end > len(data):
            break
        if name == b"acTL" and bytes(data[at + 8 : at + 12]) != b"\0\0\0\1":
            raise Unreadable("is an animation")
        if name in (b"IHDR", b"PLTE", b"IDAT", b"IEND"):
            parts.append(data[at:end])
            names.add(name)
        at = end
        if name == b"IEND":
            break
    if b"IEND" not in names or (colour == PALETTE and b"PLTE" not in names):
        raise Unreadable("is a damaged picture")
    return memoryview(b"".join(parts))


def jpeg(data: memoryview) -> Raster:
    """A JPEG file. Raises Unreadable."""
    from PIL.JpegImagePlugin import JpegImageFile

    if bytes(data).count(b"\xff\xda") > MOST_SCANS:
        raise Unreadable(f"is a JPEG file of more than {MOST_SCANS} scans")
    return _pixels(JpegImageFile, _without_notes(data))


def _without_notes(data: memoryview) -> memoryview:
    """A JPEG file up to its pixels without what does not bear on them: Pillow joins EXIF from any number of segments,
    each time copying all, and reads as much of it as it says that there is. Raises Unreadable."""
    parts, at = [data[:2]], 2
    for _ in range(MOST_PIECES):
        if len(data) - at < 4 or data[at] != 0xFF:
            break
        mark = data[at + 1]
        if mark == SCAN:
            return memoryview(b"".join((*parts, data[at:])))
        if mark == 0xFF:  # fills
            at += 1
            continue
        end = at + 2 + int.from_bytes(data[at + 2 : at + 4], "big")
        if mark in APART or end < at + 4:
            break
        if mark not in NOTES:
            parts.append(data[at:end])
        at = end
    raise Unreadable("is a damaged picture")


def _pixels(kind: "type[ImageFile]", data: memoryview) -> Raster:
    try:
        with kind(BytesIO(data)) as image:
            fits(*image.size, len(image.getbands()))
            if getattr(image, "n_frames", 1) != 1:
                raise Unreadable("is an animation")
            plain = image.mode in ("L", "I;16", "I", "RGB")
            if not plain and image.mode not in ("1", "P", "LA", "PA", "RGBA"):
                raise Unreadable(f"is a picture of mode {image.mode}, where grey and RGB are read")
            image.load()
            if plain:
                found = np.array(image)
            elif image.mode in ("1", "LA"):
                found = np.array(image.convert("L") if image.mode == "1" else image.getchannel(0))
            else:
                found = np.array(image.convert("RGB"))
    except _FAULTS:
        raise Unreadable("is a damaged picture") from None
    return Raster(found[None] if found.ndim == 2 else np.moveaxis(found, 2, 0))
