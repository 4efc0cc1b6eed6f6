"""How owner and client deal their numbers to who computes: parts, a promise of them, and a box for each.

What is dealt says nothing to one compute party. It does NOT keep two of them from reading it together.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from potluck.core.party import Party
from potluck.core.rounds import Abort, Cause, Credentials
from potluck.core.wire import dump
from potluck.mpc.predict import messages as m
from potluck.mpc.predict import scale as s
from potluck.mpc.replicated import PARTIES, Ring, commitment, held, split
from potluck.secret.box import PublicBoxKey

Ranks = tuple[Party, ...]
SLOWER = 6
"""How many times as long two who compute are waited for as three."""


def waits(ranks: Ranks, hops: int) -> int:
    """For how many steps' time those who compute are waited for."""
    return hops if len(ranks) == PARTIES else SLOWER * hops


def scale_of(offer: m.Offer, owner: Party) -> s.Scale:
    """What is computed. Raises Abort(MALFORMED) naming the owner: it cannot be."""
    try:
        return s.scale(offer.widths, offer.activation, offer.norms)
    except s.NoRoom as error:
        raise Abort(Cause.MALFORMED, party=owner, step=m.OFFER, detail=f"no such model: {error}") from None


def dealt(
    ranks: Ranks, agreed: bytes, me: Credentials, words: Ring, boxes: Mapping[Party, PublicBoxKey]
) -> tuple[m.Promise, Iterator[tuple[Party, bytes]]]:
    """words -> commitments to their parts, and by compute party those that it gets, sealed."""
    info = m.part_info(agreed, me.party)
    pieces = split(words, info, me.draw, len(ranks))
    promise = m.Promise(tuple(commitment(piece, info) for piece in pieces))

    def sealed() -> Iterator[tuple[Party, bytes]]:
        for rank, party in enumerate(ranks):
            dealt = dump(m.Dealt(*held(pieces, rank)))
            yield party, boxes[party].seal(dealt, m.box_info(agreed, me.party, party, promise))

    return promise, sealed()
