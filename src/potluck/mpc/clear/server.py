"""The server's half of a sum without protection: it adds up what it reads."""

from functools import partial

import numpy as np

from potluck.core.party import Party
from potluck.core.rounds import Half, Terms
from potluck.core.stages import Opened
from potluck.core.steps import hear
from potluck.core.wire import unpack
from potluck.mpc.clear.site import INPUT


def open_sum(terms: Terms) -> Half[Opened]:
    """The server's half: the sum [d] over those who answered, at least `terms.fewest`."""
    check = partial(_checked, terms)
    inbox = yield hear(terms.label(INPUT), terms.sites, check, at_least=terms.fewest, contributes=True)
    total = np.zeros(terms.length, terms.dtype)
    for site, body in inbox.got.items():
        total += unpack(body, terms.length, terms.bits, site)
    return Opened(total, frozenset(inbox.got))


def _checked(terms: Terms, sender: Party, body: bytes) -> bytes:
    unpack(body, terms.length, terms.bits, sender)
    return body
