"""Bytes on the wire: packed words, fixed schemas, checked lengths, one version.

Whatever comes from outside is hostile: a body is decoded against a strict schema, and one that does not fit is
`Abort(MALFORMED)`, never a crash.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import Annotated, Any, TypeVar

import msgspec
import numpy as np

from potluck.core.fixed import word
from potluck.core.party import Party
from potluck.core.rounds import Abort, Cause, Words
from potluck.core.schema import readable
from potluck.core.slices import Bytes, Sliced, slices, whole

VERSION = 1
Hash = Annotated[bytes, msgspec.Meta(min_length=32, max_length=32)]
Signature = Annotated[bytes, msgspec.Meta(min_length=64, max_length=64)]
Index = Annotated[int, msgspec.Meta(ge=0, lt=2**32)]
"""A site's place in the plan's order."""
S = TypeVar("S", bound=msgspec.Struct)
L = TypeVar("L", bound="OfSite")
_DECODERS: dict[type[msgspec.Struct], msgspec.msgpack.Decoder[Any]] = {}


class Message(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """What travels: its fields in their order, none beside them, so that a value is the same bytes everywhere."""


class OfSite(Message, frozen=True):
    """An item of a list that has one a site."""

    site: Index


class Signer(OfSite, frozen=True):
    """Whose signature it is."""

    signature: Signature


class Giver(OfSite, frozen=True):
    """Whose contribution arrived, its hash, and the giver's signature over that."""

    hash: Hash
    signature: Signature


def pack(words: Words) -> Bytes:
    """words [d] -> d little-endian words of 4 or 8 bytes: a view of the same memory, whose words change no more."""
    flat = np.ascontiguousarray(words).astype(words.dtype.newbyteorder("<"), copy=False)
    return flat.view(np.uint8).data.toreadonly()


def unpack(body: Bytes, length: int, bits: int, sender: Party | None = None) -> Words:
    """The words [length] that `sender` packed. Raises Abort(MALFORMED) for any other length."""
    dtype = word(bits)
    if len(body) != length * dtype.itemsize:
        raise _another_length(len(body), length * dtype.itemsize, sender)
    return np.frombuffer(body, dtype=dtype)


def _another_length(found: int, wanted: int, sender: Party | None) -> Abort:
    return Abort(Cause.MALFORMED, party=sender, detail=f"{found} bytes where {wanted} were expected")


def add(total: Words, body: Sliced, sender: Party | None = None) -> None:
    """Add to `total` [d] the words that `sender` packed, slice by slice. Raises Abort(MALFORMED): of another length;
    then nothing was added."""
    size = total.dtype.itemsize
    if len(body) != len(total) * size:
        raise _another_length(len(body), len(total) * size, sender)
    for part in slices(len(total)):
        total[part] += np.frombuffer(body[part.start * size : part.stop * size], dtype=total.dtype)


def dump(value: msgspec.Struct) -> bytes:
    """A struct as bytes, always the same bytes for the same value (MessagePack)."""
    return msgspec.msgpack.encode(value)


def load(body: Sliced, schema: type[S], sender: Party | None = None) -> S:
    """The struct of type `schema` in `body`. Raises Abort(MALFORMED) where it does not fit, byte for byte."""
    raw = whole(body)
    try:
        value: S = _decoder(schema).decode(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError, OverflowError, RecursionError):
        raise Abort(Cause.MALFORMED, party=sender, detail=schema.__name__) from None
    if msgspec.msgpack.encode(value) != raw:
        raise Abort(Cause.MALFORMED, party=sender, detail=f"{schema.__name__} is not canonical")
    return value


def _decoder(schema: type[S]) -> msgspec.msgpack.Decoder[S]:
    found = _DECODERS.get(schema)
    if found is None:
        found = _DECODERS.setdefault(schema, msgspec.msgpack.Decoder(readable(schema), strict=True))
    return found


def ascending(values: tuple[int, ...], below: int, sender: Party) -> frozenset[int]:
    """The set of sites that `values` list by index. Raises Abort(MALFORMED): not ascending (or there twice), or beyond
    the plan's sites.
    """
    if any(low >= high for low, high in pairwise(values)) or (values and not 0 <= values[0] <= values[-1] < below):
        raise Abort(Cause.MALFORMED, party=sender, detail="a list of sites is not in the plan's order")
    return frozenset(values)


def by_site(items: Sequence[L], below: int, sender: Party) -> dict[int, L]:
    """The items of a list by site. Raises Abort(MALFORMED): as `ascending`."""
    ascending(tuple(item.site for item in items), below, sender)
    return {item.site: item for item in items}
