"""Shares as opaque bytes: made at an owner, rebuilt at a compute party, opened where all parties' shares come together.

A share travels as its ring elements and nothing else, little-endian, 16 bytes an element for ABY3 and 8 for CHEETAH.
A bit under ABY3 is parted by XOR instead: 2 bytes an element, and whatever they hold it is 0 or 1.
What kind of value it belongs to, of which shape, is agreed beforehand; the library's own records around the elements
are made here from that. So whoever sends a share can choose ring elements, and hands nothing to a parser.
"""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from spu import Io, libspu

from potluck.engines.frames import OpError
from potluck.engines.spu.settings import COMPUTE, config, parties

DTYPES = {"integer": np.dtype("<i8"), "fixed": np.dtype("<f8"), "bit": np.dtype(np.bool_)}
TYPES = {"integer": libspu.DataType.DT_I64, "fixed": libspu.DataType.DT_F64, "bit": libspu.DataType.DT_I1}
STORAGE = {"ABY3": "aby3.AShr<FM64>", "CHEETAH": "cheetah.AShr<FM64>"}
WIDTH = {"ABY3": 16, "CHEETAH": 8}
"""Bytes of a share, an element: an ABY3 party holds two of three summands."""
BITS, PAIR = "aby3.BShr<PT_U8,1>", 2
"""How ABY3 stores a bit, and its bytes: a party holds two of three summands mod 2."""
SECRET = libspu.Visibility.VIS_SECRET
MOST = 1 << 26
"""Elements of a value."""
PIECE = 1 << 27


class Kind(NamedTuple):
    """What a value is. kind: `integer`, `fixed` or `bit`."""

    kind: str
    shape: tuple[int, ...]

    @property
    def size(self) -> int:
        """How many elements."""
        return math.prod(self.shape)

    def share_bytes(self, protocol: str) -> int:
        """The length of one party's share."""
        return self.size * (PAIR if self.paired(protocol) else WIDTH[protocol])

    def paired(self, protocol: str) -> bool:
        """Whether its shares add up mod 2, and not mod 2^64."""
        return self.kind == "bit" and protocol == "ABY3"


def make(protocol: str, value: np.ndarray[Any, Any]) -> list[bytes]:
    """One share a party. The library draws its randomness from the operating system."""
    found = Io(parties(protocol, COMPUTE), config(protocol)).make_shares(value, SECRET)
    bits = value.dtype == np.bool_ and protocol == "ABY3"
    return [dump(share, BITS if bits else STORAGE[protocol]) for share in found]


def dump(share: libspu.Share, storage: str) -> bytes:
    """A share's ring elements. Raises OpError: it is not stored as `storage` says (a program's fault)."""
    meta = libspu.ValueMeta()
    if not meta.ParseFromString(bytes(share.meta)) or meta.storage_type != storage:
        raise OpError("a program gives a value that is stored in another way")
    pieces = []
    for body in share.share_chunks:
        chunk = libspu.ValueChunk()
        chunk.ParseFromString(bytes(body))
        pieces.append(bytes(chunk.content))
    return b"".join(pieces)


def load(body: bytes, protocol: str, wanted: Kind) -> libspu.Share:
    """The share of a value of the kind `wanted`. Raises OpError: not of its length."""
    if len(body) != wanted.share_bytes(protocol):
        raise OpError("a share has another length than its value")
    meta = libspu.ValueMeta()
    meta.data_type, meta.visibility, meta.is_complex = TYPES[wanted.kind], SECRET, False
    meta.storage_type = STORAGE[protocol]
    if wanted.paired(protocol):
        meta.storage_type, body = BITS, (np.frombuffer(body, np.uint8) & 1).tobytes()
    meta.shape = list(wanted.shape)
    chunks = []
    for start in range(0, len(body), PIECE):
        chunk = libspu.ValueChunk()
        chunk.total_bytes, chunk.chunk_offset, chunk.content = len(body), start, body[start : start + PIECE]
        chunks.append(chunk.SerializeToString())
    share = libspu.Share()
    share.meta, share.share_chunks = meta.SerializeToString(), chunks
    return share


def join(bodies: Sequence[bytes], protocol: str, wanted: Kind) -> bytes:
    """The value, from the shares of all parties in their order: int64 or float64 elements, little-endian.

    Reveals: the value. Raises OpError: not as many shares as parties, or not of its length.
    """
    count = parties(protocol, COMPUTE)
    if len(bodies) != count:
        raise OpError("a value opens with the shares of all parties")
    found = Io(count, config(protocol)).reconstruct([load(body, protocol, wanted) for body in bodies])
    return np.ascontiguousarray(found, DTYPES[wanted.kind]).tobytes()
