"""An owner's arrays as parts for two or three compute parties: ring words as in `replicated`, and bits, parted by XOR.

All parts but the last are seeds: what travels to who holds no other is 64 or 128 bytes, and to the others 8 bytes a
number and a bit a bit. Bits are for three: the engine's protocol for two has none that are 0 or 1 whatever is shared.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from potluck.core.fitting import Array, Take
from potluck.core.party import Draw
from potluck.core.rounds import Abort, Cause
from potluck.core.wire import Message
from potluck.mpc.replicated import PARTIES, SEED, Piece, Ring, expanded, share, split
from potluck.mpc.replicated import commitment as one_commitment
from potluck.secret.container import Secret
from potluck.secret.stream import Keystream, derive, digest

STEP = 1 << 18
"""Steps of a real number."""
Bytes = NDArray[np.uint8]


class InputShare(Message, frozen=True):
    """One of the parts of everything that an owner gives. bits: eight a byte."""

    words: Piece
    bits: Piece


class Sizes(NamedTuple):
    """How many numbers and how many bits an owner gives."""

    words: int
    bits: int

    @property
    def packed(self) -> int:
        """Bytes of the bits."""
        return -(-self.bits // 8)

    @property
    def bytes(self) -> int:
        """Bytes of the part that is no seed."""
        return 8 * self.words + self.packed


def sizes(takes: Iterable[Take]) -> Sizes:
    """Of these arguments."""
    each = [(take.kind == "bit", take.size) for take in takes]
    return Sizes(sum(size for bit, size in each if not bit), sum(size for bit, size in each if bit))


def dealt(
    takes: Sequence[Take], arrays: Sequence[Array], info: bytes, draw: Draw, count: int = PARTIES
) -> tuple[InputShare, ...]:
    """An owner's arrays -> a part for each of `count` parties. info: what they are for.

    Raises ValueError: an array of another shape, no number, or beyond the ring, or bits for two: the owner's own code
    is wrong.
    """
    if count != PARTIES and any(take.kind == "bit" for take in takes):
        raise ValueError("bits are parted among three")
    if [array.shape for array in arrays] != [take.shape for take in takes]:
        raise ValueError("arrays of other shapes than the program takes")
    words = [_ring(take, one) for take, one in zip(takes, arrays, strict=True) if take.kind != "bit"]
    bits = [np.ravel(one) != 0 for take, one in zip(takes, arrays, strict=True) if take.kind == "bit"]
    numbers = split(np.concatenate([*words, np.empty(0, np.uint64)]), info, draw, count)
    packed = _parted(np.packbits(np.concatenate([*bits, np.empty(0, np.bool_)])), info, draw, count)
    return tuple(InputShare(one, other) for one, other in zip(numbers, packed, strict=True))


def _ring(take: Take, array: Array) -> Ring:
    flat = np.ravel(array)
    if take.kind == "integer":
        return flat.astype(np.int64).view(np.uint64)
    if not (np.abs(flat) < 1 << 26).all():
        raise ValueError("a number beyond what products carry")
    return np.rint(flat * STEP).astype(np.int64).view(np.uint64)


def _parted(packed: Bytes, info: bytes, draw: Draw, count: int) -> tuple[Piece, ...]:
    seeds = [draw(SEED) for _ in range(count)]
    rest = packed.copy()
    for seed in seeds:
        rest ^= _stream(seed, info, len(rest))
    return (*(Piece(seed, b"") for seed in seeds[:-1]), Piece(seeds[-1], rest.tobytes()))


def _stream(seed: bytes, info: bytes, length: int) -> Bytes:
    key = derive(Secret(seed), b"potluck fit bits 1\0" + info)
    return np.frombuffer(Keystream(key).read(length), np.uint8)


def commitment(part: InputShare, info: bytes) -> bytes:
    """32 bytes that fix a part and, since its seeds are random, hide it."""
    return digest(b"potluck fit part 1", one_commitment(part.words, info), one_commitment(part.bits, info))


def fits(part: InputShare, size: Sizes) -> bool:
    """Whether a part has the lengths that the arguments say."""
    return len(part.words.rest) in (0, 8 * size.words) and len(part.bits.rest) in (0, size.packed)


def shares(takes: Sequence[Take], parts: Sequence[InputShare], info: bytes) -> list[bytes]:
    """A compute party's parts, as many as it holds -> its share of each argument, as the engine takes them."""
    size = sizes(takes)
    words = [expanded(part.words, info, size.words) for part in parts]
    bits = [_bits(part.bits, info, size) for part in parts]
    found, at, bit = [], 0, 0
    for take in takes:
        if take.kind == "bit":
            found.append(np.stack([one[bit : bit + take.size] for one in bits], axis=1).tobytes())
            bit += take.size
        else:
            found.append(share(*(one[at : at + take.size] for one in words)))
            at += take.size
    return found


def _bits(piece: Piece, info: bytes, size: Sizes) -> Bytes:
    if len(piece.rest) not in (0, size.packed):
        raise Abort(Cause.MALFORMED, detail="a part has another length than its bits")
    stream = _stream(piece.seed, info, size.packed)
    packed = stream ^ np.frombuffer(piece.rest, np.uint8) if piece.rest else stream
    return np.unpackbits(packed, count=size.bits)


def opened(kind: str, words: Ring, shape: tuple[int, ...]) -> Array:
    """Ring words of a result -> its numbers."""
    numbers = words.view(np.int64).reshape(shape)
    return numbers.astype(np.float64) / STEP if kind == "fixed" else numbers
