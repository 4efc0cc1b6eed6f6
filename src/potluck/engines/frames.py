"""Frames between Potluck and an engine: an operation's name and a list of byte buffers, each with its length in front.

Both ends use this file, in two interpreters, so it needs the standard library alone. Every length is held against a
limit before anything of that length is read.

    head     magic "PLE1" | kind u8 | length of the name u8 | number u64 | count of buffers u32      little-endian
    name     of the operation; in an `ERROR` the words
    lengths  count x u64
    buffers  one after the other

It promises no secrecy and no proof of origin: a pipe has two ends, and both are ours.
"""

import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

MAGIC = b"PLE1"
REQUEST, REPLY, ERROR = 1, 2, 3
LARGEST = 2 << 30
"""Bytes of all buffers of a frame together."""
MOST = 1 << 16
"""Buffers in a frame."""

_HEAD = struct.Struct("<4sBBQI")


class FrameError(Exception):
    """These bytes are no frame, or one beyond the limits."""


class OpError(Exception):
    """An operation refuses its input. The words leave the worker: they hold no private value."""


@dataclass(frozen=True, slots=True)
class Frame:
    """A request (`name` is the operation), a reply, or an error (`name` is the words). number: a reply repeats it."""

    kind: int
    name: str
    number: int
    buffers: tuple[bytes, ...] = field(default=(), repr=False)


def pack(kind: int, name: str, number: int, buffers: Sequence[bytes | memoryview]) -> list[memoryview]:
    """The pieces of a frame in the order in which they are written; the buffers are not copied.

    name: beyond 255 letters it is cut; what is not printable ASCII becomes `?`. Raises FrameError: a limit is exceeded.
    """
    word = bytes(letter if 32 <= letter < 127 else 63 for letter in name.encode("ascii", "replace")[:255])
    views = [memoryview(buffer).cast("B") for buffer in buffers]
    lengths = [len(view) for view in views]
    if len(views) > MOST or sum(lengths) > LARGEST:
        raise FrameError("too many or too long buffers for one frame")
    head = _HEAD.pack(MAGIC, kind, len(word), number, len(views)) + word + struct.pack(f"<{len(views)}Q", *lengths)
    return [memoryview(head), *(view for view in views if len(view))]


def read(take: Callable[[int], bytes], largest: int = LARGEST, most: int = MOST) -> Frame:
    """The frame that comes next. take: gives exactly so many bytes (at least 1); whatever it raises goes through.

    Raises FrameError: not a frame, or beyond `largest` bytes or `most` buffers.
    """
    magic, kind, size, number, count = _HEAD.unpack(take(_HEAD.size))
    if magic != MAGIC or kind not in (REQUEST, REPLY, ERROR):
        raise FrameError("not a frame")
    if count > most:
        raise FrameError("too many buffers")
    word = take(size) if size else b""
    lengths = struct.unpack(f"<{count}Q", take(8 * count)) if count else ()
    if sum(lengths) > largest:
        raise FrameError("too long")
    if any(not 32 <= letter < 127 for letter in word):
        raise FrameError("a name must be printable")
    return Frame(kind, word.decode("ascii"), number, tuple(take(length) if length else b"" for length in lengths))
