"""The server's half of a sum without protection: it adds up what it reads."""

from functools import partial

import numpy as np

from potluck.core.party import Party
from potluck.core.rounds import Half, Terms, Words
from potluck.core.slices import Sliced
from potluck.core.stages import Opened
from potluck.core.steps import hear
from potluck.core.wire import add
from potluck.mpc.clear.site import INPUT


def open_sum(terms: Terms) -> Half[Opened]:
    """The server's half: the sum [d] over those who answered, at least `terms.fewest`."""
    total = np.zeros(terms.length, terms.dtype)
    take = partial(_added, total)
    inbox = yield hear(terms.label(INPUT), terms.sites, at_least=terms.fewest, contributes=True, take=take)
    return Opened(total, frozenset(inbox.got))


def _added(total: Words, sender: Party, body: Sliced) -> Sliced:
    add(total, body, sender)
    return body
