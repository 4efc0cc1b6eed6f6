"""How words share the slots of a ciphertext: a word is cut into limbs, and limbs lie side by side in a slot.

A slot carries an integer below the plaintext modulus t. Adding up slots adds up all their fields at once, so a field
has room for the sum of n limbs: fields never carry into each other, and the sum is exact. A word of `bits` bits is cut
into limbs because t has fewer bits than a word plus its headroom, and because smaller limbs may fill a slot better.
Wrapping words add up mod 2^bits: what the limbs' sums overflow is dropped when they are put together again.

It does NOT notice a slot that was shifted by less than a field's room: only sums that no n words can give are refused.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from potluck.core.rounds import Abort, Cause, Words


@dataclass(frozen=True, slots=True)
class Layout:
    """Where each limb lies.

    bits: of a word (1 to 64; sums are mod 2^bits); sites: how many words are added up at most; limbs: a word;
    limb_bits: of a limb; field_bits: of a field, which holds the sum of `sites` limbs; fields: a slot;
    ring: slots a ciphertext; length: words in the vector.
    """

    bits: int
    sites: int
    limbs: int
    limb_bits: int
    field_bits: int
    fields: int
    ring: int
    length: int

    @property
    def slots(self) -> int:
        """Slots that the vector fills."""
        return -(-self.length * self.limbs // self.fields)

    @property
    def ciphertexts(self) -> int:
        """Ciphertexts that the vector fills; the rest of the last one is zero."""
        return -(-self.slots // self.ring)

    @property
    def most(self) -> int:
        """The largest sum that a field can come to."""
        return self.sites * ((1 << self.limb_bits) - 1)

    @property
    def dtype(self) -> np.dtype[np.unsignedinteger]:
        """The word that carries `bits` bits: u32 up to 32 bits, else u64."""
        return np.dtype("<u4") if self.bits <= 32 else np.dtype("<u8")


def arrange(bits: int, length: int, sites: int, ring: int, plain: int) -> Layout | None:
    """The layout that needs the fewest slots a word (then the fewest limbs) in slots below `plain`, or None.

    Raises ValueError: bits not 1 to 64, or nothing to carry.
    """
    if not 1 <= bits <= 64 or length < 1 or sites < 1:
        raise ValueError(f"no layout for {length} words of {bits} bits from {sites} sites")
    found = None
    for limbs in range(1, bits + 1):
        limb_bits = -(-bits // limbs)
        if (limbs - 1) * limb_bits >= bits:
            continue  # the last limb would be empty
        field_bits = (sites * ((1 << limb_bits) - 1)).bit_length()
        fields = _fields(sites * ((1 << limb_bits) - 1), field_bits, plain)
        if fields and (found is None or limbs * found.fields < found.limbs * fields):
            found = Layout(bits, sites, limbs, limb_bits, field_bits, fields, ring, length)
    return found


def _fields(most: int, field_bits: int, plain: int) -> int:
    """How many fields, each as large as `most`, stay below `plain` together."""
    count = full = 0
    while (full << field_bits) + most < plain:
        full = (full << field_bits) + most
        count += 1
    return count


def pack(words: Words, layout: Layout) -> NDArray[np.uint64]:
    """words [d] -> slots [ciphertexts, ring], each below the plaintext modulus.

    Limb j of word w is number j * d + w; number k lies in field k // S of slot k % S, where S is the number of all
    slots: whole planes are moved, which is quick.

    Raises ValueError: another length, or a word beyond `bits`.
    """
    if words.shape != (layout.length,):
        raise ValueError(f"{words.shape} words where {layout.length} were expected")
    wide = words.astype(np.uint64)
    if layout.bits < 64 and bool((wide >> np.uint64(layout.bits)).any()):
        raise ValueError(f"a word has more than {layout.bits} bits")
    planes = np.zeros((layout.fields, layout.ciphertexts * layout.ring), np.uint64)
    limbs = planes.reshape(-1)[: layout.length * layout.limbs].reshape(layout.limbs, layout.length)
    below = np.uint64((1 << layout.limb_bits) - 1)
    for j, limb in enumerate(limbs):
        np.right_shift(wide, np.uint64(j * layout.limb_bits), out=limb)
        limb &= below
    total = planes[-1].copy()
    for plane in planes[-2::-1]:
        total <<= np.uint64(layout.field_bits)
        total |= plane
    packed: NDArray[np.uint64] = total.reshape(layout.ciphertexts, layout.ring)
    return packed


def unpack(slots: NDArray[np.uint64], layout: Layout) -> Words:
    """slots [ciphertexts, ring] of a SUM -> words [d], mod 2^bits.

    Raises Abort(RANGE): a field or the padding holds what no sum of this layout can give (a partial decryption was
    wrong or missing, or another ciphertext was decrypted). Raises ValueError: another shape.
    """
    if slots.shape != (layout.ciphertexts, layout.ring):
        raise ValueError(f"slots of shape {slots.shape} do not fit the layout")
    rest = slots.reshape(-1).astype(np.uint64)
    planes = np.empty((layout.fields, rest.size), np.uint64)
    below = np.uint64((1 << layout.field_bits) - 1)
    for plane in planes:
        np.bitwise_and(rest, below, out=plane)
        rest >>= np.uint64(layout.field_bits)
    carried = layout.length * layout.limbs
    flat = planes.reshape(-1)
    if rest.any() or flat[carried:].any() or flat[:carried].max() > layout.most:
        raise Abort(Cause.RANGE, detail="the decryption is no sum of this layout")
    limbs = flat[:carried].reshape(layout.limbs, layout.length)
    total = limbs[-1].copy()
    for limb in limbs[-2::-1]:
        total <<= np.uint64(layout.limb_bits)
        total += limb
    if layout.bits < 64:
        total &= np.uint64((1 << layout.bits) - 1)
    words: Words = total.astype(layout.dtype)
    return words
