"""How words share the slots of a ciphertext: a word is cut into limbs, and limbs lie side by side in a slot.

A slot carries an integer below the plaintext modulus t. Adding up slots adds up all their fields at once, so a field
has room for the sum of n limbs: fields never carry into each other, and the sum is exact. A word of `bits` bits is cut
into limbs because t has fewer bits than a word plus its headroom, and because smaller limbs may fill a slot better.
Limbs of one width share slots with their like, and a word may have limbs of several widths.
Wrapping words add up mod 2^bits: what the limbs' sums overflow is dropped when they are put together again.

It does NOT notice a slot that was shifted by less than a field's room: only sums that no n words can give are refused.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import cache

import numpy as np
from numpy.typing import NDArray

from potluck.core.rounds import Abort, Cause, Words


@dataclass(frozen=True, slots=True)
class Cut:
    """A word's limbs of one width. low: the bit of the word where the first begins; limbs: how many, side by side;
    limb_bits: of each; field_bits: of a field, which holds the sum of all sites' limbs; fields: a slot.
    """

    low: int
    limbs: int
    limb_bits: int
    field_bits: int
    fields: int

    def slots(self, length: int) -> int:
        """Slots that so many words' limbs of this width fill."""
        return -(-length * self.limbs // self.fields)


@dataclass(frozen=True, slots=True)
class Layout:
    """Where each limb lies.

    bits: of a word (1 to 64; sums are mod 2^bits); sites: how many words are added up at most; cuts: of a word, from
    its lowest bit up; ring: slots a ciphertext; length: words in the vector.
    """

    bits: int
    sites: int
    cuts: tuple[Cut, ...]
    ring: int
    length: int

    @property
    def slots(self) -> int:
        """Slots that the vector fills."""
        return sum(cut.slots(self.length) for cut in self.cuts)

    @property
    def ciphertexts(self) -> int:
        """Ciphertexts that the vector fills; the rest of the last one is zero."""
        return -(-self.slots // self.ring)

    @property
    def dtype(self) -> np.dtype[np.unsignedinteger]:
        """The word that carries `bits` bits: u32 up to 32 bits, else u64."""
        return np.dtype("<u4") if self.bits <= 32 else np.dtype("<u8")

    def most(self, cut: Cut) -> int:
        """The largest sum that a field of this cut can come to."""
        return self.sites * ((1 << cut.limb_bits) - 1)


def arrange(bits: int, length: int, sites: int, ring: int, plain: int) -> Layout | None:
    """The layout that needs the fewest slots a word (then the fewest limbs) in slots below `plain`, or None.

    Raises ValueError: bits not 1 to 64, or nothing to carry.
    """
    if not 1 <= bits <= 64 or length < 1 or sites < 1:
        raise ValueError(f"no layout for {length} words of {bits} bits from {sites} sites")
    cuts = _cuts(bits, sites, plain)
    return Layout(bits, sites, cuts, ring, length) if cuts else None


@cache
def _cuts(bits: int, sites: int, plain: int) -> tuple[Cut, ...]:
    """A word's cuts, widest limbs last; none where a slot has no room for a sum of single bits."""
    room: dict[int, tuple[int, int]] = {}
    for width in range(1, bits + 1):
        most = sites * ((1 << width) - 1)
        fields = _fields(most, most.bit_length(), plain)
        if fields:
            room[width] = (most.bit_length(), fields)
    if not room:
        return ()
    best: list[tuple[Fraction, tuple[int, ...]]] = [(Fraction(0), ())]  # for each number of bits: slots, limbs' widths
    for size in range(1, bits + 1):
        options = [
            (best[size - width][0] + Fraction(1, fields), (*best[size - width][1], width))
            for width, (_, fields) in room.items()
            if width <= size
        ]
        best.append(min(options, key=lambda option: (option[0], len(option[1]))))
    found, low = [], 0
    for width, count in sorted(Counter(best[bits][1]).items()):
        found.append(Cut(low, count, width, *room[width]))
        low += count * width
    return tuple(found)


def _fields(most: int, field_bits: int, plain: int) -> int:
    """How many fields, each as large as `most`, stay below `plain` together."""
    count = full = 0
    while (full << field_bits) + most < plain:
        full = (full << field_bits) + most
        count += 1
    return count


def pack(words: Words, layout: Layout) -> NDArray[np.uint64]:
    """words [d] -> slots [ciphertexts, ring], each below the plaintext modulus.

    Cut by cut: limb j of word w is number j * d + w; number k lies in field k // S of slot k % S, where S is the number
    of the cut's slots: whole planes are moved, which is quick.

    Raises ValueError: another length, or a word beyond `bits`.
    """
    if words.shape != (layout.length,):
        raise ValueError(f"{words.shape} words where {layout.length} were expected")
    wide = words.astype(np.uint64)
    if layout.bits < 64 and bool((wide >> np.uint64(layout.bits)).any()):
        raise ValueError(f"a word has more than {layout.bits} bits")
    packed = np.zeros((layout.ciphertexts, layout.ring), np.uint64)
    for cut, slots in _strips(packed, layout):
        planes = np.zeros((cut.fields, slots.size), np.uint64)
        limbs = planes.reshape(-1)[: layout.length * cut.limbs].reshape(cut.limbs, layout.length)
        below = np.uint64((1 << cut.limb_bits) - 1)
        for j, limb in enumerate(limbs):
            np.right_shift(wide, np.uint64(cut.low + j * cut.limb_bits), out=limb)
            limb &= below
        for plane in planes[::-1]:
            slots <<= np.uint64(cut.field_bits)
            slots |= plane
    return packed


def unpack(slots: NDArray[np.uint64], layout: Layout) -> Words:
    """slots [ciphertexts, ring] of a SUM -> words [d], mod 2^bits.

    Raises Abort(RANGE): a field or the padding holds what no sum of this layout can give (a partial decryption was
    wrong or missing, or another ciphertext was decrypted). Raises ValueError: another shape.
    """
    if slots.shape != (layout.ciphertexts, layout.ring):
        raise ValueError(f"slots of shape {slots.shape} do not fit the layout")
    rest = slots.astype(np.uint64)
    total = np.zeros(layout.length, np.uint64)
    for cut, strip in _strips(rest, layout):
        planes = np.empty((cut.fields, strip.size), np.uint64)
        below = np.uint64((1 << cut.field_bits) - 1)
        for plane in planes:
            np.bitwise_and(strip, below, out=plane)
            strip >>= np.uint64(cut.field_bits)
        carried, flat = layout.length * cut.limbs, planes.reshape(-1)
        if flat[carried:].any() or flat[:carried].max() > layout.most(cut):
            raise _impossible()
        for j, limb in enumerate(flat[:carried].reshape(cut.limbs, layout.length)):
            total += limb << np.uint64(cut.low + j * cut.limb_bits)  # beyond 64 bits it wraps, as it should
    if rest.any():  # above the fields, or behind the last strip
        raise _impossible()
    if layout.bits < 64:
        total &= np.uint64((1 << layout.bits) - 1)
    words: Words = total.astype(layout.dtype)
    return words


def _strips(slots: NDArray[np.uint64], layout: Layout) -> Iterator[tuple[Cut, NDArray[np.uint64]]]:
    """Each cut with the part of the slots where its limbs lie, one after another."""
    flat, at = slots.reshape(-1), 0
    for cut in layout.cuts:
        size = cut.slots(layout.length)
        yield cut, flat[at : at + size]
        at += size


def _impossible() -> Abort:
    return Abort(Cause.RANGE, detail="the decryption is no sum of this layout")
