"""PNG and JPEG, through Pillow's own readers of these two and no other.

Pixels are taken as they are stored: 0 to 255, of grey PNG files of 16 bits to 65 535. A palette becomes its colours, an
alpha channel is left away. The orientation that EXIF may state is NOT applied, nor is a colour profile. Animations,
CMYK, and 16 bits in colour or beside an alpha channel, which Pillow would shorten to 8, are refused by name. So is a
picture that ends early, whose rest Pillow would make up; NOT found is a progressive JPEG file that lacks whole scans.
"""

import re
import struct
import zlib
from importlib.util import find_spec
from io import BytesIO
from typing import TYPE_CHECKING

import numpy as np

from potluck.core.errors import UsageError
from potluck.core.slices import PIECE
from potluck.learning.data.files.raster import Raster, Unreadable, fits
from potluck.learning.graph.steps import INSTALL

if TYPE_CHECKING:
    from PIL.ImageFile import ImageFile

PNG, JPEG = b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff"
CHANNELS, PALETTE = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}, 3
"""Of PNG's types of colour."""
PASSES = (
    (0, 0, 8, 8),
    (4, 0, 8, 8),
    (0, 4, 4, 8),
    (2, 0, 4, 4),
    (0, 2, 2, 4),
    (1, 0, 2, 2),
    (0, 1, 1, 2),
)
"""Of PNG's interlacing: where each begins, and how far its pixels are apart."""
MOST_PIECES = 1 << 16
"""Chunks of a PNG file, and segments of a JPEG file before its pixels."""
MOST_SCANS = 100
"""Of a JPEG file: each may go over all pixels again."""
SCAN, APART = 0xDA, frozenset((0x00, 0x01, *range(0xD0, 0xDA)))
"""Marks of a JPEG file: of its pixels, and those that have no content or do not stand before pixels."""
NOTES = frozenset((*range(0xE0, 0xF0), 0xFE)) - {0xE0, 0xEE}
"""Marks of what programs add, and of comments: but for JFIF's and Adobe's, which say how colours are stored."""
ARITHMETIC = frozenset((0xC9, 0xCA, 0xCB, 0xCD, 0xCE, 0xCF))
"""Marks of frames that are packed by arithmetic coding, which hardly any program writes or reads."""
END = 0xD9
_MARK = re.compile(rb"\xff+[^\x00\xd0-\xd7\xff]")
"""A mark of a JPEG file, but for those that stand among pixels."""
FILL = b"\xaa" * 64
"""What may stand behind a JPEG file's pixels, and means other pixels where some are missing."""
EARLY = "is a picture that ends early"
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
    parts = _chunks(data, colour)
    found = _pixels(PngImageFile, memoryview(b"".join(parts)))
    bits = depth * (1 if colour == PALETTE else CHANNELS.get(colour, 4))
    packed = [part[8:-4] for part in parts if bytes(part[4:8]) == b"IDAT"]
    if _unpacks_to_less(packed, _raw(width, height, bits, interlaced=data[28] == 1)):
        raise Unreadable(EARLY)
    return found


def _raw(width: int, height: int, bits: int, *, interlaced: bool) -> int:
    """Bytes that the lines of a PNG file unpack to, each with the byte that says how it is filtered."""
    total = 0
    for x, y, across, down in PASSES if interlaced else ((0, 0, 1, 1),):
        wide, high = -(-(width - x) // across), -(-(height - y) // down)
        total += high * (1 + -(-wide * bits // 8)) if wide > 0 and high > 0 else 0
    return total


def _unpacks_to_less(packed: list[memoryview], wanted: int) -> bool:
    """Whether fewer bytes come of it. Raises Unreadable: its checksum is another, at which Pillow does not look."""
    unpack = zlib.decompressobj()
    try:
        for part in packed:
            rest: bytes | memoryview = part
            while wanted > 0 and len(rest) and not unpack.eof:
                wanted -= len(unpack.decompress(rest, PIECE))
                rest = unpack.unconsumed_tail
        return wanted > len(unpack.flush(PIECE))
    except zlib.error:
        raise Unreadable("is a damaged picture") from None


def _chunks(data: memoryview, colour: int) -> list[memoryview]:
    """Those chunks alone of a PNG file that its pixels are made of, behind its first bytes: Pillow unpacks each profile
    and text that it meets. Raises Unreadable."""
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
    return parts


def jpeg(data: memoryview) -> Raster:
    """A JPEG file. Raises Unreadable."""
    from PIL.JpegImagePlugin import JpegImageFile

    if bytes(data).count(b"\xff\xda") > MOST_SCANS:
        raise Unreadable(f"is a JPEG file of more than {MOST_SCANS} scans")
    plain = _without_notes(data)
    found, end = _pixels(JpegImageFile, memoryview(plain)), _end(plain)
    # Where pixels are missing, what stands behind the others is taken for them.
    again = _pixels(JpegImageFile, memoryview(b"".join((plain[:end], FILL, plain[end:]))))
    if not np.array_equal(found.values, again.values):
        raise Unreadable(EARLY)
    return found


def _end(data: bytes) -> int:
    """Where the pixels of a JPEG file end. Raises Unreadable."""
    at = 2
    for _ in range(MOST_PIECES):
        mark = _MARK.search(data, at)
        if mark is None:
            break
        if data[mark.end() - 1] == END:
            return mark.start()
        at = mark.end() + int.from_bytes(data[mark.end() : mark.end() + 2], "big")
    raise Unreadable("is a damaged picture")


def _without_notes(data: memoryview) -> bytes:
    """A JPEG file up to its pixels without what does not bear on them: Pillow joins EXIF from any number of segments,
    each time copying all, and reads as much of it as it says that there is. Raises Unreadable."""
    parts, at = [data[:2]], 2
    for _ in range(MOST_PIECES):
        if len(data) - at < 4 or data[at] != 0xFF:
            break
        mark = data[at + 1]
        if mark == SCAN:
            return b"".join((*parts, data[at:]))
        if mark == 0xFF:  # fills
            at += 1
            continue
        end = at + 2 + int.from_bytes(data[at + 2 : at + 4], "big")
        if mark in APART or end < at + 4:
            break
        if mark in ARITHMETIC:
            raise Unreadable("is a JPEG file of arithmetic coding, which is not read")
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
