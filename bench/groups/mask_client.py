"""What masking costs a site: 20 pair masks and its own, over a million words of 32 bits.

Floor: the AES-256-CTR keystream of the same bytes, in chunks that stay in the cache. Peer: Flower's own mask
functions for as many masks. Agreeing on keys is left out on all three sides.
"""

import os
from collections.abc import Iterator

import numpy as np
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from harness.measure import Row, in_turns, less
from peers.libraries import FLOWER, MOD_RANGE, Arrays, flower
from potluck.mpc.mask.pairs import mask
from potluck.secret.container import Secret

LENGTH = 1_000_000
NEIGHBOURS = 20
CHUNK = 256 * 1024


def rows() -> Iterator[Row]:
    """The masking step beside its floor, then beside Flower."""
    words = np.frombuffer(bytearray(os.urandom(4 * LENGTH)), "<u4")
    raw = [os.urandom(32) for _ in range(NEIGHBOURS + 1)]
    keys = [Secret(key) for key in raw]
    half = NEIGHBOURS // 2 + 1
    plain = [words.astype(np.int64)]

    def ours() -> object:
        mask(words, plus=keys[:half], minus=keys[half:])
        return words

    ours_s, floor_s = in_turns(41, ours, lambda: _keystreams(raw))
    what = f"mask client d=1e6 k={NEIGHBOURS} u32"
    floor = "AES-256-CTR keystream of the same bytes (floor)"
    yield less(what, (ours_s * 1e3, floor_s * 1e3), floor, "ms", goal=1 / 1.5)
    ours_s, flower_s = in_turns(7, ours, lambda: _flower(raw, plain))
    yield less(f"{what}, masks", (ours_s * 1e3, flower_s * 1e3), f"{FLOWER} mask functions", "ms")


def _keystreams(keys: list[bytes]) -> None:
    zeros, buffer = memoryview(bytes(CHUNK)), bytearray(CHUNK)
    view, size = memoryview(buffer), 4 * LENGTH
    for key in keys:
        stream = Cipher(algorithms.AES256(key), modes.CTR(bytes(16))).encryptor()
        for start in range(0, size, CHUNK):
            count = min(CHUNK, size - start)
            stream.update_into(zeros[:count], view[:count])


def _flower(keys: list[bytes], words: Arrays) -> Arrays:
    peer = flower()
    dimensions: list[tuple[int, ...]] = [(LENGTH,)]
    for index, key in enumerate(keys):
        mask = peer.pseudo_rand_gen(key, MOD_RANGE, dimensions)
        words = (peer.parameters_subtraction if index % 2 else peer.parameters_addition)(words, mask)
    return peer.parameters_mod(words, MOD_RANGE)
