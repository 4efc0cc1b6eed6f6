"""Masks on words of one's own."""

from collections.abc import Iterable

from potluck.core.rounds import Words
from potluck.mpc.mask.pairs import mask
from potluck.secret.container import Secret


def masked(words: Words, plus: Iterable[Secret] = (), minus: Iterable[Secret] = ()) -> Words:
    """New words under these masks."""
    out = words.copy()
    mask(out, plus, minus)
    return out
