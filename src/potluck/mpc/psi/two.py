"""Two owners' intersection on a curve: each blinds its keys once, the other once more; one of them compares.

`first` learns of the other's keys how many there are, and how many it has itself; where members are revealed, which of
its own. For a size alone the other shuffles what it sends back, so that `first` cannot tell which of its own matched.
"""

import numpy as np
from numpy.typing import NDArray

from potluck.core.rounds import Abort, Cause, Half
from potluck.mpc.psi import messages as m
from potluck.mpc.psi.curve import Blind, mapped, order, read_points, split, tags
from potluck.mpc.psi.passing import hear_found, passed, tell_found
from potluck.mpc.spu import DIGEST

Numbers = NDArray[np.int64]
PLACE = 4


def two(circle: m.Circle, digests: bytes) -> Half[tuple[int | None, Numbers | None]]:
    """An owner's half. Gives the size and the numbers of its own common keys, in no order; None: not its to learn."""
    gathering, me = circle.gathering, circle.me
    (other,) = (party for party in gathering.owners if party != me.party)
    mine, theirs = circle.counts[me.party], circle.counts[other]
    blind = Blind(circle.commitment.draw("scalar"))
    # The other sees whole lists: their order must not be the file's.
    places = order(circle.commitment.draw("order"), mine)
    keys = split(digests, DIGEST)
    blinded = blind.times(mapped(gathering.lasting, [keys[one] for one in places]))
    got = yield from passed(circle, m.SETS, {other: b"".join(blinded)}, frozenset({other}))
    twice = blind.times(read_points(got[other], theirs, other), other)
    if me.party != gathering.first:
        return (yield from _helped(circle, twice, places))
    got = yield from passed(circle, m.BACK, {}, frozenset({other}))
    common, found = _compared(gathering.lasting, read_points(got[other], mine, other), twice)
    members = gathering.reveal == "members"
    told = m.Found(len(found), np.array(found, "<u4").tobytes() if members else b"")
    yield from tell_found(circle, told, PLACE)
    return told.size, places[common] if members else None


def _helped(circle: m.Circle, twice: list[bytes], places: Numbers) -> Half[tuple[int | None, Numbers | None]]:
    """The half of who does not compare: `twice`, the first's points, go back, and the result comes where it is due."""
    members, first = circle.gathering.reveal == "members", circle.gathering.first
    back = twice if members else [twice[one] for one in order(circle.commitment.draw("back"), len(twice))]
    yield from passed(circle, m.BACK, {first: b"".join(back)}, frozenset())
    found = yield from hear_found(circle, PLACE)
    if found is None:
        return None, None
    if not members:
        return found.size, None
    listed = np.frombuffer(found.members, "<u4").astype(np.int64)
    if len(set(listed.tolist())) != found.size or (found.size and int(listed.max()) >= len(places)):
        raise Abort(Cause.MALFORMED, party=first, step=m.FOUND, detail="a result that names no keys of this owner")
    return found.size, places[listed]


def _compared(lasting: bytes, own: list[bytes], others: list[bytes]) -> tuple[Numbers, list[int]]:
    """The places of common keys in this owner's list, and in the other's, by turns the same keys."""
    where = {tag: place for place, tag in enumerate(tags(lasting, others))}
    pairs = [(place, where[tag]) for place, tag in enumerate(tags(lasting, own)) if tag in where]
    return np.array([place for place, _ in pairs], np.int64), [place for _, place in pairs]
