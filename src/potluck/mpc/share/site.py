"""A site's half of the three-server sum: part its words, seal two parts to each compute party, stand by one set.

It needs no engine. A site stands by one set of sites for what may be opened once, written down before it says so. It
does NOT check whether others' contributions are sensible; the compute parties do, in secret, as far as ranges go.
"""

from potluck.core.party import SERVER, Party
from potluck.core.rounds import Abort, Cause, Credentials, Exchange, Half, Inbox, Parcel, Terms, charge
from potluck.core.stages import Guarded
from potluck.core.steps import hear, own_words, with_me
from potluck.core.wire import dump, load
from potluck.mpc.dealing import Dealt, boxes_of, keys_read, sealed
from potluck.mpc.replicated import commitment, lifted, split
from potluck.mpc.share import messages as m
from potluck.secret.statement import survived

LEFT_OUT = (Cause.RANGE, Cause.COMMITMENT, Cause.MALFORMED, Cause.BOX, Cause.SIGNATURE)
"""Why compute parties leave a site out of the sum."""


def give(ranks: tuple[Party, ...], terms: Terms, me: Credentials, guarded: Guarded) -> Half[None]:
    """One site's half. Reveals: its words to nobody; two of the three compute parties together could open them."""
    words = own_words(terms, guarded)
    computes = frozenset(ranks)
    inbox = yield hear(terms.label(m.KEYS), ranks, keys_read(m.KEYS), hops=2)
    boxes = boxes_of(inbox.got)
    info = m.part_info(terms, me.party)
    pieces = split(lifted(words), info, me.draw)
    first, second, third = (commitment(piece, info) for piece in pieces)
    promise = m.Promise((first, second, third), me.sign(m.promise_statement(terms, me.party, (first, second, third))))
    label = terms.label(m.INPUT)
    send = {SERVER: Parcel(label, dump(promise))}
    for party, box in sealed(boxes, ranks, pieces, Dealt, lambda to: m.box_info(terms, me.party, to, promise.parts)):
        send[party] = Parcel(label, dump(m.Input(box, promise)))
    del pieces
    answer = yield Exchange(
        terms.label(m.SURVIVORS), send, computes, hops=16, record=charge(terms, guarded), contributes=True
    )
    givers = _stood_by(ranks, terms, me.party, answer)
    agreed = frozenset(terms.sites[one] for one in givers)
    confirmed = Parcel(terms.label(m.CONFIRM), dump(m.Confirmed(m.survivors_statement(terms, givers))))
    yield Exchange(
        terms.label(m.CONFIRM), dict.fromkeys(ranks, confirmed), record=survived(terms, agreed), fixes=agreed
    )


def _stood_by(ranks: tuple[Party, ...], terms: Terms, me: Party, answer: Inbox) -> tuple[int, ...]:
    """The set that all three compute parties name. Raises Abort: why this site was left out; or naming who departs."""
    for cause in LEFT_OUT:
        if cause in answer.gone.values():
            raise Abort(cause, party=me, step=m.SURVIVORS, detail="the compute parties did not accept what I gave")
    if answer.gone:
        silent = [party for party in ranks if answer.gone.get(party) is Cause.SILENT]
        one = silent[0] if len(silent) == 1 else None
        raise Abort(Cause.SILENT if silent else Cause.STOPPED, party=one, step=m.SURVIVORS)
    said = {party: load(body, m.Survivors, party).givers for party, body in answer.got.items()}
    if len(set(said.values())) != 1:
        raise Abort(Cause.SURVIVORS, step=m.SURVIVORS, detail="the compute parties name different sets")
    givers = said[ranks[0]]
    with_me(terms, me, givers, m.SURVIVORS, ranks[0])
    return givers
