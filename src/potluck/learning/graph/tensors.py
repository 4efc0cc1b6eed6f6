"""Tensors in bytes: the safetensors format, read strictly and written in one way.

A header of JSON names each tensor's type, shape and place; numbers follow, little-endian. The reader takes no file
with a gap, an overlap, a key twice, a type that graphs do not compute with, or a byte left over. It copies nothing.

Reference: the safetensors format, https://github.com/huggingface/safetensors (section "Format").
"""

import hashlib
import struct
from collections.abc import Mapping
from math import prod
from typing import Annotated

import msgspec
import numpy as np
from numpy.typing import NDArray

from potluck.core.errors import GraphError
from potluck.core.schema import readable
from potluck.learning.graph.schema import MOST_RANK, MOST_TEXT
from potluck.learning.graph.strict_json import MOST_HEADER, loads
from potluck.learning.graph.value import WIDTHS, DType

Array = NDArray[np.generic]
_WORDS: dict[str, DType] = {"F32": "float32", "F64": "float64", "I64": "int64", "BOOL": "bool"}
_TYPES = {word: np.dtype(kind).newbyteorder("<") for word, kind in _WORDS.items()}
_LENGTH = struct.Struct("<Q")
_Size = Annotated[int, msgspec.Meta(ge=0, lt=2**48)]


class _Entry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    dtype: str
    shape: Annotated[tuple[_Size, ...], msgspec.Meta(max_length=MOST_RANK)]
    data_offsets: tuple[_Size, _Size]


def unpacked(data: bytes | memoryview, where: str, *, notes: bool = False) -> dict[str, Array]:
    """The tensors by name, views of the bytes. notes: its header may have some, which are not read. Raises
    GraphError."""

    def fault(what: str, hint: str = "") -> GraphError:
        return GraphError(what, where=where, hint=hint or "take the file as it was written")

    if len(data) < _LENGTH.size:
        raise fault("its tensors are cut off")
    (length,) = _LENGTH.unpack_from(data)
    if length > MOST_HEADER or _LENGTH.size + length > len(data):
        raise fault(
            f"the header of its tensors says {length} bytes", f"at most {MOST_HEADER}, and no more than there are"
        )
    said = loads(bytes(data[_LENGTH.size : _LENGTH.size + length]), where)
    if not isinstance(said, dict):
        raise fault("the header of its tensors is no table")
    if said.pop("__metadata__", None) is not None and not notes:
        raise fault("the header of its tensors has notes (__metadata__)", "no digest would cover them")
    entries = {name: _entry(name, table, where) for name, table in said.items()}
    start, found = _LENGTH.size + length, {}
    end = start
    for name, entry in sorted(entries.items(), key=lambda item: item[1].data_offsets):
        begin, until = (start + offset for offset in entry.data_offsets)
        if begin != end:
            raise fault(f'before the tensor "{name}" bytes overlap or are left over')
        if until - begin != prod(entry.shape) * WIDTHS[_WORDS[entry.dtype]] or until > len(data):
            raise fault(f'the tensor "{name}" has more or fewer bytes than its shape')
        numbers = np.frombuffer(data, np.uint8, until - begin, begin)
        if entry.dtype == "BOOL" and (numbers > 1).any():
            raise fault(f'the tensor "{name}" has a truth value beyond 1')
        try:
            found[name] = numbers.view(_TYPES[entry.dtype]).reshape(entry.shape)
        except ValueError:  # NumPy takes no such shape, even of nothing
            raise fault(f'the tensor "{name}" has a shape that cannot be') from None
        end = until
    if end != len(data):
        raise fault("bytes are left over after its tensors")
    return found


def _entry(name: str, table: object, where: str) -> _Entry:
    try:
        entry = msgspec.convert(table, readable(_Entry))
    except msgspec.ValidationError:
        raise GraphError(f'the tensor "{name[:MOST_TEXT]}" is not described', where=where) from None
    if len(name) > MOST_TEXT:
        raise GraphError("the name of a tensor is too long", where=where, hint=f"at most {MOST_TEXT} letters")
    if entry.dtype not in _WORDS:
        known = ", ".join(_WORDS)
        raise GraphError(f'the tensor "{name}" is of {entry.dtype[:20]}', where=where, hint=f"known: {known}")
    return entry


def packed(tensors: Mapping[str, Array]) -> bytes:
    """The same tensors in the one order in which they are written: as the mapping has them."""
    entries, end, parts = {}, 0, []
    words = {kind: word for word, kind in _WORDS.items()}
    for name, array in tensors.items():
        word = words[kind_of(array)]
        part = np.ascontiguousarray(array, _TYPES[word]).tobytes()
        entries[name] = _Entry(word, tuple(array.shape), (end, end + len(part)))
        end += len(part)
        parts.append(part)
    header = msgspec.json.encode(entries)
    header += b" " * (-len(header) % 8)
    return b"".join((_LENGTH.pack(len(header)), header, *parts))


def kind_of(array: Array) -> DType:
    """The type of an array's entries. Raises GraphError: graphs do not compute with it."""
    for kind in WIDTHS:
        if array.dtype == np.dtype(kind):
            return kind
    raise GraphError(f"a tensor is of {array.dtype}", hint=f"known: {', '.join(WIDTHS)}")


def digest(*parts: bytes | Array) -> str:
    """SHA-256 of parts, each after its length, as digests are written."""
    found = hashlib.sha256()
    for part in parts:
        data = part if isinstance(part, bytes) else np.ascontiguousarray(part).tobytes()
        found.update(_LENGTH.pack(len(data)))
        found.update(data)
    return f"sha256:{found.hexdigest()}"
