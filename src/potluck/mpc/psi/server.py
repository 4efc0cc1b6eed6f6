"""The server's half of an intersection: it hands on hellos, and in every step each owner's notes to who reads them.

It learns how many keys each owner has, who has something for whom and how much, and nothing of keys or result; it may
do anything, and can only keep letters back.
"""

from collections.abc import Sequence
from itertools import pairwise

from potluck.core.party import Party
from potluck.core.rounds import KEYS, Abort, Cause, Exchange, Half, Parcel
from potluck.core.wire import dump, load
from potluck.mpc.psi import messages as m


def hand_on(gathering: m.Gathering) -> Half[None]:
    """The server's half. Reveals: how many keys each owner has; whether they take a kept alignment; sizes of letters.

    Raises Abort naming who does not answer.
    """
    label, owners = gathering.label(m.HELLO), gathering.owners
    hops = gathering.hops(0) + 2
    inbox = yield Exchange(label, expect=frozenset(owners), at_least=len(owners), hops=hops, stands=KEYS)
    hellos = tuple(load(inbox.got[party], m.Hello, party) for party in owners)
    every = dump(m.Hellos(hellos))
    yield Exchange(label, send={party: Parcel(label, every) for party in owners})
    for step, hops in m.steps(gathering, hellos):
        yield from routed(gathering, step, hops)


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
