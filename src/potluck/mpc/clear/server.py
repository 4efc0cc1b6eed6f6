"""The server's half of a sum without protection: it adds up what it reads."""

from __future__ import annotations

from functools import partial

import numpy as np

from potluck.core.party import Party
from potluck.core.rounds import Exchange, Half, Terms
from potluck.core.stages import Opened
from potluck.core.wire import unpack
from potluck.mpc.clear.messages import INPUT


def open_sum(terms: Terms) -> Half[Opened]:
    """The server's half: the sum [d] over those who answered, at least `terms.fewest`."""
    inbox = yield Exchange(
        terms.label(INPUT),
        expect=frozenset(terms.sites),
        at_least=terms.fewest,
        read=partial(_checked, terms),
        contributes=True,
    )
    total = np.zeros(terms.length, terms.dtype)
    for site, body in inbox.got.items():
        total += unpack(body, terms.length, terms.bits, site)
    return Opened(total, frozenset(inbox.got))


def _checked(terms: Terms, sender: Party, body: bytes) -> bytes:
    unpack(body, terms.length, terms.bits, sender)
    return body
