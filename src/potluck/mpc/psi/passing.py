"""An owner's half of one step: it hands the server its notes for others, and is handed the others' notes for it."""

from collections.abc import Mapping

from msgspec.structs import replace

from potluck.core.party import SERVER, Party
from potluck.core.rounds import Abort, Cause, Exchange, Half, Parcel
from potluck.core.wire import dump, load
from potluck.mpc.psi import messages as m


def passed(
    circle: m.Circle, step: str, send: Mapping[Party, bytes], awaited: frozenset[Party]
) -> Half[Mapping[Party, bytes]]:
    """An owner's half: what it has for others goes out, what others have for it comes back, opened and verified.

    What was heard before is written down first: another thing is not answered in the same run.
    Raises Abort: a note is not from whom it says, or those that came are not those that this step has.
    """
    label = circle.gathering.label(step)
    owners = circle.gathering.owners
    notes = tuple(circle.sealed(step, party, send[party]) for party in owners if party in send)
    parcel = Parcel(label, dump(m.Bundle(notes)))
    record = circle.commitment.heard(step)
    inbox = yield Exchange(label, {SERVER: parcel}, frozenset({SERVER}), 1, circle.waits(step), record)
    read = [circle.unsealed(step, note) for note in load(inbox.got[SERVER], m.Bundle, SERVER).notes]
    found = dict(read)
    if len(found) != len(read) or found.keys() != awaited:
        raise Abort(Cause.MALFORMED, party=SERVER, step=step, detail="not the notes that this step has")
    circle.commitment.hear(step, found)
    return found


def tell_found(circle: m.Circle, found: m.Found, width: int) -> Half[None]:
    """From who compares to all others who learn the result. width: bytes of a member, where members are revealed."""
    gathering = circle.gathering
    width = width * min(circle.counts.values()) if gathering.reveal == "members" else 0
    body = dump(replace(found, members=found.members.ljust(width, b"\0")))  # a letter's size must not say the result's
    others = (party for party in gathering.to if party != gathering.first)
    yield from passed(circle, m.FOUND, dict.fromkeys(others, body), frozenset())


def hear_found(circle: m.Circle, width: int) -> Half[m.Found | None]:
    """At who does not compare: the result, where it is this owner's to learn. width: as of `tell_found`."""
    gathering = circle.gathering
    reads, first = circle.me.party in gathering.to, gathering.first
    got = yield from passed(circle, m.FOUND, {}, frozenset({first}) if reads else frozenset())
    width = width if gathering.reveal == "members" else 0
    return m.read_found(got[first], first, width, min(circle.counts.values())) if reads else None
