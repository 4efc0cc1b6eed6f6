"""Shares among those who compute: among three replicated, x = x0 + x1 + x2 mod 2^64, and party i holds x_i and x_{i+1}
(indices mod 3); between two x = x0 + x1, and party i holds x_i.

Reference: Araki, Furukawa, Lindell, Nof, Ohara, High-Throughput Semi-Honest Secure Three-Party Computation with an
Honest Majority, CCS 2016; the form in which the engine's ABY3 takes shares. Sums of two are what its CHEETAH takes
(Huang, Lu, Hong, Ding, Cheetah: Lean and Fast Secure Two-Party Deep Neural Network Inference, USENIX Security 2022).
All parts but the last are the keystream of a fresh seed, so they travel as 32 bytes. A commitment is a hash that covers
the seed: it says nothing about the part to who does not hold it, and two holders can see that they hold the same.

It does NOT hide anything from two parties together, be they two of three or all two. Between two no part is held twice,
so nothing shows that a share was changed.
"""

from collections.abc import Mapping, Sequence
from typing import Annotated, TypeVar

import msgspec
import numpy as np
from numpy.typing import NDArray

from potluck.core.fixed import signed
from potluck.core.party import Draw, Party
from potluck.core.rounds import Abort, Cause, Words
from potluck.core.wire import Message
from potluck.secret.container import Secret
from potluck.secret.stream import Keystream, derive, digest

PARTIES = 3
TWO = 2
"""The fewest that compute."""
SEED = 32
Ring = NDArray[np.uint64]
T = TypeVar("T")


class Piece(Message, frozen=True):
    """One part: the keystream of `seed`, plus `rest`, as little-endian words of 8 bytes; an empty rest is zero."""

    seed: Annotated[bytes, msgspec.Meta(min_length=SEED, max_length=SEED)]
    rest: bytes

    def __repr__(self) -> str:
        return "Piece(hidden)"


def lifted(words: Words) -> Ring:
    """words of 32 or 64 bits -> the same signed numbers mod 2^64."""
    return signed(words).view(np.uint64)


def split(words: Ring, info: bytes, draw: Draw, count: int = PARTIES) -> tuple[Piece, ...]:
    """words [d] -> a part for each of `count` parties. info: what they are for; draw: fresh randomness, 32 bytes each.

    Every part has a seed of its own, so that its commitment hides it.
    """
    seeds = [draw(SEED) for _ in range(count)]
    rest = words.astype(np.uint64)
    for seed in seeds:
        rest -= _stream(seed, info, len(words))
    return (*(Piece(seed, b"") for seed in seeds[:-1]), Piece(seeds[-1], rest.astype("<u8").tobytes()))


def places(rank: int, count: int = PARTIES) -> tuple[int, ...]:
    """Which parts the party of this rank holds, of `count` parties."""
    return (rank, (rank + 1) % PARTIES) if count == PARTIES else (rank,)


def held(pieces: Sequence[T], rank: int) -> tuple[T, ...]:
    """What the party of this rank gets."""
    return tuple(pieces[place] for place in places(rank, len(pieces)))


def width(count: int) -> int:
    """Bytes of a party's share, a word, where so many compute."""
    return 8 * len(places(0, count))


def commitment(piece: Piece, info: bytes) -> bytes:
    """32 bytes that fix a part and, since its seed is random, hide it."""
    return digest(b"potluck share part 1", info, piece.seed, piece.rest)


def expanded(piece: Piece, info: bytes, length: int) -> Ring:
    """The part's words [length]. Raises Abort(MALFORMED): its rest has another length."""
    if len(piece.rest) not in (0, 8 * length):
        raise Abort(Cause.MALFORMED, detail="a part has another length than the vector")
    stream = _stream(piece.seed, info, length)
    return stream + np.frombuffer(piece.rest, "<u8") if piece.rest else stream


def share(*parts: Ring) -> bytes:
    """A party's parts, as the engine takes them: `width` bytes a word."""
    return np.ascontiguousarray(np.stack(parts, axis=1), "<u8").tobytes()


def join(shares: Mapping[Party, bytes], ranks: Sequence[Party], length: int) -> Ring:
    """The words [length] from the shares of all parties, each part compared where two hold it.

    Reveals: the words. Raises Abort: MALFORMED, naming whose share has another length; COMMITMENT, they do not fit.
    """
    parts, bytes_ = [], width(len(ranks))
    for party in ranks:
        if len(shares[party]) != bytes_ * length:
            raise Abort(Cause.MALFORMED, party=party, detail="a share has another length than its value")
        parts.append(np.frombuffer(shares[party], "<u8").reshape(length, -1 if length else bytes_ // 8))
    for rank in range(len(ranks) if len(ranks) == PARTIES else 0):
        if not np.array_equal(parts[rank][:, 1], parts[(rank + 1) % PARTIES][:, 0]):
            two = " and ".join(str(ranks[(rank + more) % PARTIES]) for more in (0, 1))
            raise Abort(Cause.COMMITMENT, detail=f"{two} hold different parts of one value")
    total: Ring = np.sum([one[:, 0] for one in parts], axis=0, dtype=np.uint64)
    return total


def _stream(seed: bytes, info: bytes, length: int) -> Ring:
    key = derive(Secret(seed), b"potluck share stream 1\0" + info)
    return np.frombuffer(Keystream(key).read(8 * length), "<u8").astype(np.uint64)
