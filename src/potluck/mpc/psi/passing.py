"""One step of an intersection: every owner hands the server its notes, the server hands every owner those for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise

from potluck.core.party import SERVER, Party
from potluck.core.rounds import KEYS, Abort, Cause, Exchange, Half, Parcel
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


def routed(gathering: m.Gathering, step: str, hops: int) -> Half[None]:
    """The server's half. Reveals: to the server, who has something for whom, and how much.

    Raises Abort naming who does not answer, or answers with something else.
    """
    label, owners = gathering.label(step), gathering.owners
    everyone = frozenset(owners)
    inbox = yield Exchange(label, expect=everyone, at_least=len(owners), hops=hops, stands=KEYS)
    bundles = {party: _notes(inbox.got[party], party, len(owners), step) for party in owners}
    boxes: dict[int, list[m.Note]] = {number: [] for number in range(len(owners))}
    for number, party in enumerate(owners):
        for note in bundles[party]:
            boxes[note.who].append(m.Note(number, note.box, note.signature))
    send = {party: Parcel(label, dump(m.Bundle(tuple(boxes[number])))) for number, party in enumerate(owners)}
    yield Exchange(label, send=send)


def _notes(body: bytes, sender: Party, owners: int, step: str) -> Sequence[m.Note]:
    notes = load(body, m.Bundle, sender).notes
    to = [note.who for note in notes]
    if any(low >= high for low, high in pairwise(to)) or (to and to[-1] >= owners):
        raise Abort(Cause.MALFORMED, party=sender, step=step, detail="notes for nobody, or not in order")
    return notes
