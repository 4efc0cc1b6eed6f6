"""How owner and client deal their numbers to who computes, what is computed of them, and how long that takes."""

from collections.abc import Iterator, Mapping

from potluck.core.party import Party
from potluck.core.rounds import Abort, Cause, Credentials
from potluck.mpc.dealing import Dealt, sealed
from potluck.mpc.predict import messages as m
from potluck.mpc.predict import scale as s
from potluck.mpc.replicated import PARTIES, Ring, commitment, split
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
    return promise, sealed(boxes, ranks, pieces, Dealt, lambda to: m.box_info(agreed, me.party, to, promise))
