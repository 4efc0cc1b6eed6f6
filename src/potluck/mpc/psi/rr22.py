"""Two owners' members by RR22 (Rindal and Raghuraman, Blazing Fast PSI, CCS 2022), never in its mode of low
communication, which loses matches: their engines talk to each other over mutual TLS, under certificates of the round.

An engine waits for the other, so neither is waited for before both have said that they have asked theirs. Where one
fails, whose it was is named; a round that ends ends both.
"""

from typing import TypeVar

import numpy as np

from potluck.core.party import Party
from potluck.core.rounds import Abort, Cause, Exchange, Half
from potluck.mpc.credentials import EngineCredentials
from potluck.mpc.engine import Engine, own_fault
from potluck.mpc.psi import messages as m
from potluck.mpc.psi.curve import order
from potluck.mpc.psi.passing import passed
from potluck.mpc.psi.two import Numbers
from potluck.mpc.spu import BOTH, DIGEST, Pending

T = TypeVar("T")


def matched(
    circle: m.Circle, digests: bytes, engine: Engine, own: EngineCredentials
) -> Half[tuple[int | None, Numbers | None]]:
    """An owner's half. Gives the size and the numbers of its own common keys, in no order; None: not its to learn."""
    gathering, me = circle.gathering, circle.me.party
    certificates = {party: circle.hellos[party].certificate for party in gathering.owners}
    at = [circle.hellos[party].address for party in gathering.owners]
    try:
        linking = engine.link(gathering.round, gathering.owners.index(me), own, certificates, at)
        yield from _together(circle, m.LINK, linking)
        both = len(gathering.to) == len(gathering.owners)
        # Engines draw for themselves, so another try could be over other keys unseen: there is none in this run.
        yield Exchange(gathering.label(m.ASKED), record=circle.commitment.once(gathering.round.number))
        places = order(circle.me.draw, len(digests) // DIGEST)  # the engines' codes must not come in a file's order
        mixed = np.frombuffer(digests, f"V{DIGEST}")[places].tobytes()
        asking = engine.intersect(mixed, BOTH if both else gathering.owners.index(gathering.first))
        found = yield from _together(circle, m.ASKED, asking)
        # Keep the engine until the peer has all its data.
        yield from passed(circle, m.FOUND, {}, frozenset())
    finally:
        engine.close()
    return (len(found), places[found]) if me in gathering.to else (None, None)


def _together(circle: m.Circle, step: str, pending: Pending[T]) -> Half[T]:
    """What the engine gives once both have asked theirs. Raises Abort(ENGINE), naming whose failed."""
    yield from passed(circle, step, {}, frozenset())
    try:
        return pending.result()
    except Abort as abort:
        who = circle.me.party if own_fault(abort) else _other(circle)
        raise Abort(Cause.ENGINE, party=who, step=step, detail=abort.detail) from None


def _other(circle: m.Circle) -> Party:
    (other,) = (party for party in circle.gathering.owners if party != circle.me.party)
    return other
