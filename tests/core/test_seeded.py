"""Public draws: by keys AES-128 as published, and how draws are spread; a stream as numpy's own."""

import numpy as np
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from potluck.core.seeded import generator, marks, scrambled, stream

SECRET = bytes.fromhex("00000000000000000000000000000000")


def test_it_is_half_of_aes_128_as_published():
    """NIST's known answers for variable plaintext (AESAVS, appendix D): ones from the left, and zeros after them."""
    known = {
        "80": "3ad78e726c1ec02b7ebfe92b23d9ec34",
        "c0": "aae5939c8efdf2f04e60b9fe7117b2c2",
    }
    keys = np.array([int.from_bytes(bytes.fromhex(text).ljust(8, b"\0"), "little") for text in known], np.uint64)
    found = scrambled(keys, SECRET)
    assert [one.astype("<u8").tobytes().hex() for one in found] == [text[:16] for text in known.values()]


def test_each_key_is_a_block_of_its_own():
    secret, keys = bytes(range(16)), np.array([0, 1, 2**63 + 5, 1], np.uint64)
    found = scrambled(keys, secret)
    for key, one in zip(keys, found, strict=True):
        cipher = Cipher(algorithms.AES128(secret), modes.CBC(bytes(16))).encryptor()
        block = cipher.update(int(key).to_bytes(8, "little") + bytes(8))
        assert int(one) == int.from_bytes(block[:8], "little")


def test_each_key_is_drawn_by_itself_and_by_every_label():
    keys = np.arange(20_000, dtype=np.uint64)
    found = marks(keys, 3, "a", 1)
    assert (marks(keys[::-1], 3, "a", 1) == found[::-1]).all()
    assert keys.tolist() == list(range(20_000))
    others = [marks(keys, 4, "a", 1), marks(keys, 3, "a", 2), marks(keys, 3, "b", 1)]
    share = [(one < np.uint64(1 << 62)).mean() for one in (found, *others)]
    assert all(abs(one - 0.25) < 0.015 for one in share)  # five standard errors
    both = [((one < np.uint64(1 << 62)) & (found < np.uint64(1 << 62))).mean() for one in others]
    assert all(abs(one - 0.0625) < 0.009 for one in both)


def test_a_stream_of_whole_words_is_that_of_numpy_and_of_others_begins_like_it():
    draw, known = stream(5, "a"), generator(5, "a")
    for count in (8, 1_472, 24, 1 << 16):
        assert draw(count) == known.bytes(count)
    assert [len(draw(count)) for count in (0, 1, 7, 9)] == [0, 1, 7, 9]
    assert stream(5, "a")(5) == generator(5, "a").bytes(8)[:5]
    assert stream(5, "b")(64) != stream(5, "a")(64)
