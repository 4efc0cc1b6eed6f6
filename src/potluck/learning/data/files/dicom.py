"""Pictures in DICOM files: grey ones of one or several frames, and RGB. PS3.3, sections C.7.6.3 and C.11.1.

Values are what slope and intercept make of them (of CT: Hounsfield units). The window is the plan's own range: what a
file says of windows differs from maker to maker. MONOCHROME1, where small values are bright, is turned round. Values
that a file says stand for padding are no measurement. What is
compressed by a codec is refused by the name of its transfer syntax; so are palettes, tables of values, and files that
state slopes frame by frame. Overlays and annotations are NOT drawn.
"""

import math
import struct

import numpy as np
from numpy.typing import NDArray

from potluck.learning.data.files.dicom_elements import (
    DAMAGED,
    ITEM,
    OPEN,
    PIXELS,
    RLE,
    SEQUENCE_END,
    Elements,
    elements,
    tag_at,
)
from potluck.learning.data.files.raster import MOST_BYTES, Raster, Unreadable, array, fits

SAMPLES, PHOTOMETRIC, PLANAR, FRAMES = 0x00280002, 0x00280004, 0x00280006, 0x00280008
ROWS, COLUMNS, ALLOCATED, STORED, HIGH, SIGNED = (
    0x00280010,
    0x00280011,
    0x00280100,
    0x00280101,
    0x00280102,
    0x00280103,
)
INTERCEPT, SLOPE, TABLE = 0x00281052, 0x00281053, 0x00283000
PADDING, PADDED_TO = 0x00280120, 0x00280121
"""Of stored values, those that fill up a picture: one of them, or all between both."""
BY_FRAME = (0x52009229, 0x52009230)
"""Groups of functions in which enhanced files say of their frames what others say of the whole."""


def dicom(data: memoryview) -> Raster:
    """A file's picture, or its frames as a volume. Raises Unreadable."""
    found = elements(data)
    pixels = found.by_tag.get(PIXELS)
    if pixels is None:
        raise Unreadable("is a DICOM file without a picture")
    if TABLE in found.by_tag or any(tag in found.by_tag for tag in BY_FRAME):
        raise Unreadable("is a DICOM file whose values follow from a table or differ by frame")
    samples, form = found.number(SAMPLES, 1), found.text(PHOTOMETRIC)
    if (samples, form) not in ((1, "MONOCHROME1"), (1, "MONOCHROME2"), (3, "RGB")):
        raise Unreadable("is a DICOM file that is neither MONOCHROME1, MONOCHROME2 nor RGB")
    frames, rows, columns = int(_decimal(found, FRAMES, 1.0)), found.number(ROWS), found.number(COLUMNS)
    if samples == 3 and frames != 1:
        raise Unreadable("is a DICOM file of several frames in colour")
    fits(frames, samples, rows, columns)
    values = _numbers(found, (frames, samples, rows, columns))
    shape = (1, frames, rows, columns) if frames > 1 else (samples, rows, columns)
    slope, intercept = _decimal(found, SLOPE, 1.0), _decimal(found, INTERCEPT, 0.0)
    if samples == 3 and (slope, intercept) != (1.0, 0.0):
        raise Unreadable("is a DICOM file in colour with a slope")
    return Raster(values.reshape(shape), slope, intercept, form == "MONOCHROME1", _padding(found, samples))


def _padding(found: Elements, samples: int) -> tuple[int, int] | None:
    """The first and last stored value of padding; in colour there is none."""
    said = [tag for tag in (PADDING, PADDED_TO) if tag in found.by_tag and found.by_tag[tag].length]
    if samples != 1 or PADDING not in said:
        return None
    signed, ends = found.number(SIGNED) == 1, [found.number(tag) for tag in said]
    ends = [end - (1 << 16) if signed and end >= 1 << 15 else end for end in ends]
    return min(ends), max(ends)


def _decimal(found: Elements, tag: int, otherwise: float) -> float:
    text = found.text(tag)
    try:
        value = float(text) if text else otherwise
    except ValueError:
        value = math.nan
    if not math.isfinite(value) or abs(value) > 1e30 or "_" in text:
        raise Unreadable("is a DICOM file with a number that is none")
    return value


def _numbers(found: Elements, shape: tuple[int, int, int, int]) -> NDArray[np.generic]:
    """[frames, samples, rows, columns], without the bits that are not part of a number."""
    bits, stored, high, signed = (found.number(tag) for tag in (ALLOCATED, STORED, HIGH, SIGNED))
    if bits not in (8, 16, 32) or not 1 <= stored <= bits or high != stored - 1 or signed not in (0, 1):
        raise Unreadable("is a DICOM file of a layout of bits that is not read")
    width = bits // 8
    kind = np.dtype(f"<{'i' if signed else 'u'}{width}")
    if found.syntax == RLE:
        body = _unpacked(found, shape, width)
        values = array(body, kind, shape)
    else:
        values = _native(found, shape, kind)
    if stored < bits:  # the bits above may hold anything
        spare = kind.type(bits - stored)
        values = (values << spare) >> spare
    return values


def _native(found: Elements, shape: tuple[int, int, int, int], kind: np.dtype[np.generic]) -> NDArray[np.generic]:
    frames, samples, rows, columns = shape
    pixels, length = found.by_tag[PIXELS], math.prod(shape) * kind.itemsize
    there = len(found.data) - pixels.start
    if pixels.length not in (length, length + length % 2) or there < pixels.length:
        raise Unreadable("is a DICOM file whose pixels are longer or shorter than its header says")
    end = pixels.start + pixels.length
    if there > pixels.length and tag_at(found.data, end) < PIXELS:
        raise Unreadable("is a DICOM file whose elements are out of order")  # a slope may be among them
    body = found.data[pixels.start : pixels.start + length]
    if samples == 1 or found.number(PLANAR, 0) == 1:
        return array(body, kind, shape)
    return np.moveaxis(array(body, kind, (frames, rows, columns, samples)), 3, 1)


def _unpacked(found: Elements, shape: tuple[int, int, int, int], width: int) -> bytes:
    """Frames in run lengths (PS3.5, annex G): planes of bytes, of each number the highest first."""
    frames, samples, rows, columns = shape
    size, packed = rows * columns, _fragments(found)
    if math.prod(shape) * width > MOST_BYTES:
        raise Unreadable(f"unpacks to more than {MOST_BYTES:,} bytes")
    if len(packed) != frames:
        raise Unreadable("is a DICOM file of other frames than its header says")
    out = np.empty((frames, samples, size, width), np.uint8)
    for frame, data in enumerate(packed):
        if len(data) < 64:
            raise Unreadable("is a DICOM file with a damaged frame")
        count, *starts = struct.unpack("<16I", data[:64])
        if count != samples * width:
            raise Unreadable("is a DICOM file with a damaged frame")
        ends = [*starts[1:count], len(data)]
        for plane, (start, end) in enumerate(zip(starts[:count], ends, strict=True)):
            if not 64 <= start <= end <= len(data):
                raise Unreadable("is a DICOM file with a damaged frame")
            sample, place = divmod(plane, width)
            out[frame, sample, :, width - 1 - place] = _runs(data[start:end], size)
    return out.tobytes()


def _fragments(found: Elements) -> list[memoryview]:
    """The fragments of encapsulated pixels behind their table of offsets: of run lengths a frame each."""
    data, at, parts = found.data, found.by_tag[PIXELS].start, list[memoryview]()
    if found.by_tag[PIXELS].length != OPEN:
        raise Unreadable("is a DICOM file whose pixels are not packed as it says")
    while len(data) - at >= 8:
        (length,) = struct.unpack("<I", data[at + 4 : at + 8])
        tag, at = tag_at(data, at), at + 8
        if tag == SEQUENCE_END:
            return parts[1:]
        if tag != ITEM or length > len(data) - at:
            break
        parts.append(data[at : at + length])
        at += length
    raise Unreadable(DAMAGED)


def _runs(data: memoryview, size: int) -> NDArray[np.uint8]:
    """So many bytes from run lengths. Raises Unreadable: they are others."""
    out, at, end = bytearray(), 0, len(data)
    while at < end and len(out) < size:
        head = data[at]
        if head < 128:
            out += data[at + 1 : at + 2 + head]
            at += 2 + head
        elif head > 128:
            out += bytes(data[at + 1 : at + 2]) * (257 - head)
            at += 2
        else:
            at += 1
    if len(out) != size or end - at > 1:  # one byte may fill the last word
        raise Unreadable("is a DICOM file with a damaged frame")
    return np.frombuffer(bytes(out), np.uint8)
