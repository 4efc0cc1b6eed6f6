"""Public draws by keys: SipHash's own test vector, and how draws are spread."""

import numpy as np

from potluck.core.seeded import marks, siphash


def test_it_is_siphash_as_published():
    """The reference implementation's vector of the message 00 01 .. 07 under the key 00 01 .. 0f."""
    message = np.frombuffer(bytes(range(8)), "<u8").astype(np.uint64)
    found = siphash(message, bytes(range(16)))
    assert found.astype("<u8").tobytes().hex() == "6224939a79f5f593"


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
