"""Adding one-time keystreams to words of a ring, chunk by chunk, so that everything stays in the cache.

It does NOT know whose masks these are: `pairs` makes the keys, the two halves decide on signs.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from potluck.core.rounds import Words
from potluck.secret.container import Secret
from potluck.secret.stream import CHUNK, Keystream


def masked(words: Words, plus: Iterable[Secret] = (), minus: Iterable[Secret] = ()) -> Words:
    """words [d] + the keystreams of `plus` - those of `minus`, mod 2^bits, as new words. Every key is used once."""
    out = words.astype(words.dtype.newbyteorder("<"), copy=True)
    streams = [(Keystream(key), np.add) for key in plus] + [(Keystream(key), np.subtract) for key in minus]
    buffer = bytearray(CHUNK)
    stream_words = np.frombuffer(buffer, dtype=out.dtype)
    view = memoryview(buffer)
    for start in range(0, len(out), len(stream_words)):
        piece = out[start : start + len(stream_words)]
        taken = stream_words[: len(piece)]
        for stream, combine in streams:
            stream.read_into(view[: piece.nbytes])
            combine(piece, taken, out=piece)
    return out
