"""The elements of a DICOM file, as far as a picture needs them: PS3.5, section 7, and PS3.10, section 7.

Elements are walked one after another, never into one another: what stands within sequences is passed over, however
deep they are, with a stack of a few marks. So a file costs as many steps as it has elements, and these are bounded.
"""

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

from potluck.learning.data.files.raster import MOST_BYTES, Unreadable

PREAMBLE, MAGIC = 128, b"DICM"
MOST_ELEMENTS, DEEPEST = 1 << 17, 32
IMPLICIT, EXPLICIT, DEFLATED, RLE = (
    "1.2.840.10008.1.2",
    "1.2.840.10008.1.2.1",
    "1.2.840.10008.1.2.1.99",
    "1.2.840.10008.1.2.5",
)
SYNTAX, PIXELS = 0x00020010, 0x7FE00010
ITEM, ITEM_END, SEQUENCE_END = 0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD
OPEN = 0xFFFFFFFF
"""The length of what ends with a mark of its own."""
_LONG = frozenset((b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"SQ", b"SV", b"UC", b"UN", b"UR", b"UT", b"UV"))
DAMAGED = "is a DICOM file that breaks off or is damaged"


@dataclass(frozen=True, slots=True)
class Element:
    """start: where its value begins; length: its bytes, or OPEN."""

    tag: int
    kind: bytes
    start: int
    length: int


@dataclass(frozen=True, slots=True, eq=False)
class Elements:
    """The elements of a file outside sequences, up to its pixels, by tag. data: where their values lie."""

    syntax: str
    data: memoryview
    by_tag: dict[int, Element]

    def text(self, tag: int) -> str:
        """A text without padding; empty where the element is absent."""
        one = self.by_tag.get(tag)
        if one is None:
            return ""
        found = bytes(self.data[one.start : one.start + min(one.length, 1024)])
        return found.decode("latin-1").strip(" \0")

    def number(self, tag: int, otherwise: int | None = None) -> int:
        """A whole number of 16 bits. Raises Unreadable: there is none."""
        one = self.by_tag.get(tag)
        if one is None and otherwise is not None:
            return otherwise
        if one is None or one.length != 2:
            raise Unreadable("is a DICOM file without a picture")
        return int(struct.unpack("<H", self.data[one.start : one.start + 2])[0])


def recognised(data: memoryview) -> bool:
    """Whether it is one."""
    return bytes(data[PREAMBLE : PREAMBLE + 4]) == MAGIC


def elements(data: memoryview) -> Elements:
    """What a file holds. Raises Unreadable: it is damaged, or its transfer syntax is not read."""
    meta: dict[int, Element] = {}
    at = PREAMBLE + 4
    for one in _walk(data, at, explicit=True, meta=True):
        meta[one.tag] = one
        at = one.start + one.length
    syntax = Elements("", data, meta).text(SYNTAX)
    if syntax not in (IMPLICIT, EXPLICIT, DEFLATED, RLE):
        known = "uncompressed, deflated and RLE files are read"
        name = syntax if syntax.replace(".", "").isdigit() and len(syntax) <= 64 else "unknown"
        raise Unreadable(f"is a DICOM file of the transfer syntax {name}: {known}")
    rest = data[at:] if syntax != DEFLATED else _inflated(data[at:])
    found: dict[int, Element] = {}
    for one in _walk(rest, 0, explicit=syntax != IMPLICIT):
        if found.setdefault(one.tag, one) is not one:
            raise Unreadable("is a DICOM file with an element twice")
    return Elements(syntax, rest, found)


def _inflated(data: memoryview) -> memoryview:
    unpack = zlib.decompressobj(wbits=-15)
    try:
        whole = unpack.decompress(data, MOST_BYTES)
    except zlib.error:
        raise Unreadable(DAMAGED) from None
    if not unpack.eof:
        raise Unreadable(f"is a DICOM file that breaks off, or unpacks to more than {MOST_BYTES:,} bytes")
    return memoryview(whole)


def _walk(data: memoryview, at: int, explicit: bool, meta: bool = False) -> Iterator[Element]:
    """Elements outside sequences, the pixels last. meta: those of the file itself alone, which come first."""
    within: list[int] = []  # the marks that end what is open
    for _ in range(MOST_ELEMENTS):
        if not within and (at == len(data) or (meta and bytes(data[at : at + 2]) != b"\2\0")):
            return
        one = _element(data, at, explicit)
        at = one.start
        if one.tag in (ITEM_END, SEQUENCE_END):
            if not within or within.pop() != one.tag or one.length:
                raise Unreadable(DAMAGED)
            continue
        if not within and one.tag == PIXELS:
            yield one
            return
        if one.length == OPEN:
            if one.kind == b"UN" or len(within) == DEEPEST:
                raise Unreadable("is a DICOM file with sequences that are not read")
            if not within:
                yield one
            within.append(ITEM_END if one.tag == ITEM else SEQUENCE_END)
            continue
        if one.length > len(data) - at:
            raise Unreadable(DAMAGED)
        if not within:
            yield one
        at += one.length
    raise Unreadable(f"is a DICOM file of more than {MOST_ELEMENTS:,} elements")


def tag_at(data: memoryview, at: int) -> int:
    """Group and number of an element, as one number."""
    return int.from_bytes(data[at : at + 2], "little") << 16 | int.from_bytes(data[at + 2 : at + 4], "little")


def _element(data: memoryview, at: int, explicit: bool) -> Element:
    if len(data) - at < 8:
        raise Unreadable(DAMAGED)
    tag, kind = tag_at(data, at), bytes(data[at + 4 : at + 6])
    if not explicit or tag >> 16 == 0xFFFE:
        return Element(tag, b"", at + 8, struct.unpack("<I", data[at + 4 : at + 8])[0])
    if not (kind.isalpha() and kind.isupper()):
        raise Unreadable(DAMAGED)
    if kind not in _LONG:
        return Element(tag, kind, at + 8, struct.unpack("<H", data[at + 6 : at + 8])[0])
    if len(data) - at < 12:
        raise Unreadable(DAMAGED)
    return Element(tag, kind, at + 12, struct.unpack("<I", data[at + 8 : at + 12])[0])
