"""Polynomials in and out of the engine: its objects, serialised, are templates whose residues are read or replaced.

OpenFHE gives no access to the residues of a polynomial, but a serialised object holds them as they are, tower by tower,
in evaluation order: `N u64 | N residues, u64 each | modulus u64`, all little-endian. They are found by
the length in front and the modulus behind.

It is made for OpenFHE 1.6.1. Another layout is noticed (a tower is missing, or the self-test of the parameters fails).
"""

import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import openfhe
from numpy.typing import NDArray

from potluck.engines.frames import OpError

Residues = NDArray[np.uint64]
WORD = 8
OTHERS = "the engine's moduli are others than the table's"


@dataclass(frozen=True, slots=True)
class Template:
    """One shape of object. places: where each tower's residues begin in its bytes; ring: N."""

    blob: bytes = field(repr=False)
    ring: int
    places: tuple[int, ...]

    def fill(self, residues: Residues, make: Callable[[bytes, Any], Any]) -> Any:
        """An object of this shape with these residues [towers, N], reduced; made by one of the engine's functions."""
        blob = bytearray(self.blob)
        for place, row in zip(self.places, residues, strict=True):
            blob[place : place + self.ring * WORD] = np.ascontiguousarray(row, "<u8").data.cast("B")
        return deserialise(bytes(blob), make)


def template(thing: Any, ring: int, moduli: Sequence[int]) -> Template:
    """The shape of an object that holds exactly these towers in this order. Raises OpError: it does not."""
    blob = serialise(thing)
    return Template(blob, ring, _places(blob, ring, moduli))


def take(thing: Any, ring: int, moduli: Sequence[int]) -> Residues:
    """The residues [towers, N] of an object that holds exactly these towers. Raises OpError: it does not.

    Objects that were made from filled templates lie elsewhere than those that the engine made alone: they are looked
    for each time, which takes no time since whole towers are skipped.
    """
    blob = serialise(thing)
    return np.stack([np.frombuffer(blob, "<u8", ring, place) for place in _places(blob, ring, moduli)])


def serialise(thing: Any) -> bytes:
    """The engine's bytes for one of its objects."""
    blob: bytes = openfhe.Serialize(thing, openfhe.BINARY)
    return blob


def deserialise(blob: bytes, make: Callable[[bytes, Any], Any]) -> Any:
    """One of the engine's objects. Its context is there already: tables that go with a new one are not made again."""
    openfhe.DisablePrecomputeCRTTablesAfterDeserializaton()
    try:
        return make(blob, openfhe.BINARY)
    finally:
        openfhe.EnablePrecomputeCRTTablesAfterDeserializaton()


def residues(buffer: bytes, shape: tuple[int, ...], moduli: Sequence[int]) -> Residues:
    """A buffer as residues [..., towers, N]; a first dimension of -1 takes what there is.

    Raises OpError: another length, or a residue that is not below its prime.
    """
    try:
        array = np.frombuffer(buffer, "<u8").reshape(shape)
    except ValueError:
        raise OpError("residues of another length") from None
    if any((array[..., k, :] >= np.uint64(modulus)).any() for k, modulus in enumerate(moduli[: shape[-2]])):
        raise OpError("a residue is not below its prime")
    return array


def _places(blob: bytes, ring: int, moduli: Sequence[int]) -> tuple[int, ...]:
    """Where the residues of each tower begin. Raises OpError: these are not the towers."""
    length, size, known = struct.pack("<Q", ring), ring * WORD, set(moduli)
    places, found = [], []
    at = blob.find(length)
    while at >= 0:
        place = at + WORD
        behind = int.from_bytes(blob[place + size : place + size + WORD], "little")
        if behind in known:
            places.append(place)
            found.append(behind)
            at = place + size
        at = blob.find(length, at + 1)
    if found != list(moduli):
        raise OpError(OTHERS)
    return tuple(places)
