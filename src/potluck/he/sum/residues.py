"""Polynomials as bytes: residues mod each tower's prime, little-endian u64, in the engine's evaluation order.

Whatever comes from a peer is checked here, in numpy, before any engine sees it: exact length, every residue below its
prime. Sums of ciphertexts and of keys are made here too, so that whoever needs a sum makes it himself.
"""

import math

import numpy as np
from numpy.typing import NDArray

from potluck.core.party import Party
from potluck.core.rounds import Abort, Cause
from potluck.he.sum.parameters import WORD, Parameters
from potluck.secret.container import Secret
from potluck.secret.stream import Keystream, derive

Residues = NDArray[np.uint64]


def common(seed: bytes, parameters: Parameters) -> Residues:
    """The common polynomial a [towers, ring] of a PUBLIC seed of 32 bytes: everybody expands the same, nobody chose it.

    HKDF-SHA256 gives an AES-256-CTR key; of each 8 bytes of keystream (little-endian) the low bits, as many as the
    prime has, are taken if they are below the prime and left out if not: uniform.

    Raises ValueError: a seed of another length.
    """
    if len(seed) != 32:
        raise ValueError(f"a seed has 32 bytes, not {len(seed)}")
    moduli = b"".join(q.to_bytes(WORD, "big") for q in parameters.moduli)
    info = b"potluck he common polynomial v1\0" + parameters.ring.to_bytes(WORD, "big") + moduli
    stream = Keystream(derive(Secret(seed), info))
    return np.stack([_uniform(stream, q, parameters.ring) for q in parameters.moduli])


def _uniform(stream: Keystream, modulus: int, count: int) -> Residues:
    found = np.empty(count, np.uint64)
    have = 0
    while have < count:
        drawn = np.frombuffer(stream.read(WORD * (count - have)), "<u8") & np.uint64((1 << modulus.bit_length()) - 1)
        drawn = drawn[drawn < np.uint64(modulus)]
        found[have : have + len(drawn)] = drawn
        have += len(drawn)
    return found


def read(body: bytes | memoryview, shape: tuple[int, ...], parameters: Parameters, sender: Party | None) -> Residues:
    """The residues [..., towers, ring] in `body`, as a view of it. The towers are the first of the set's.

    Raises Abort(MALFORMED) naming the sender: another length, or a residue that is not below its prime.
    """
    size = math.prod(shape) * WORD
    if len(body) != size:
        detail = f"{len(body)} bytes of residues where {size} were expected"
        raise Abort(Cause.MALFORMED, party=sender, detail=detail)
    array = np.frombuffer(body, "<u8").reshape(shape)
    for k, q in enumerate(parameters.moduli[: shape[-2]]):
        if not bool((array[..., k, :] < np.uint64(q)).all()):
            raise Abort(Cause.MALFORMED, party=sender, detail="a residue is not below its prime")
    return array


def add(total: Residues, more: Residues, parameters: Parameters) -> None:
    """total += more, mod the prime of each tower. Both [..., towers, ring], reduced; `total` is written."""
    for k, q in enumerate(parameters.moduli[: total.shape[-2]]):
        tower = total[..., k, :]
        tower += more[..., k, :]  # below 2^61
        # Where the sum is below q the difference wraps to something huge, so the smaller of the two is reduced.
        np.minimum(tower, tower - np.uint64(q), out=tower)


def dump(array: Residues) -> bytes:
    """Residues as bytes, as `read` takes them."""
    return np.ascontiguousarray(array, "<u8").tobytes()
