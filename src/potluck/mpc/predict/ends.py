"""The owner's, the client's and the server's half of a prediction over secret shares. None of them needs an engine.

Owner and client cut their numbers into shares here and seal two of three parts, or one of two, to each compute party.
The client puts the shares of its scores together: nobody else gets them. The owner writes down how many rows are
scored before any share of a score leaves. It does NOT keep two compute parties from reading model, rows and scores
together.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial

from potluck.core.errors import PlanError
from potluck.core.party import Party
from potluck.core.predicting import Meeting, Net, Scored, check_features
from potluck.core.rounds import Abort, Cause, Credentials, Exchange, Half, Parcel, Record
from potluck.core.stages import Floats
from potluck.core.wire import dump, load
from potluck.mpc.predict import messages as m
from potluck.mpc.predict import scale as s
from potluck.mpc.replicated import PARTIES, Ring, commitment, held, join, split
from potluck.secret.box import SEED, BoxKey, PublicBoxKey, box_key
from potluck.secret.container import Secret

SCORED = "scored/"
"""Prefix of the owner's `Record`, durable before any share of a score leaves: key "scored/<run>/<number>", value: how
many rows, in decimal ASCII."""
TOO_LARGE = "the model's weights are too large, or its layers too many, for numbers of 64 bits"
Ranks = tuple[Party, ...]
SLOWER = 6
"""How many times as long two who compute are waited for as three."""


def respond(ranks: Ranks, meeting: Meeting, me: Credentials, net: Net) -> Half[None]:
    """See `core.predicting.Predict`. Raises PlanError: no room for such weights; Abort: REFUSED, too many rows."""
    try:
        offer = m.Offer(s.widths(net), net.activation, s.norms(net))
        found = s.scale(offer.widths, offer.activation, offer.norms)
    except s.NoRoom as error:
        raise PlanError(f"{TOO_LARGE}: {error}", where="share", hint='protect.with = "tee"') from None
    agreed = m.session(meeting, ranks)
    inbox = yield Exchange(meeting.label(m.KEYS), expect=frozenset(ranks), at_least=len(ranks), hops=2, read=_read_keys)
    boxes = {party: PublicBoxKey(load(body, m.Keys, party).box) for party, body in inbox.got.items()}
    promise, sealed = _dealt(ranks, agreed, me, s.weights(net, found), boxes)
    model = m.Model(offer, promise, me.sign(m.model_statement(agreed, offer, promise)))
    label = meeting.label(m.MODEL)
    send = {party: Parcel(label, dump(m.Given(model, box))) for party, box in sealed}
    waits = _hops(ranks, 16)
    counted = yield Exchange(meeting.label(m.COUNTED), send, frozenset(ranks), len(ranks), waits, read=_read_rows)
    rows = _counted(meeting, me, agreed, model, counted.got)
    record = Record(f"{SCORED}{meeting.round.run}/{meeting.round.number}", str(rows.count).encode())
    said = Parcel(meeting.label(m.AGREED), dump(m.Agreed(m.agreed_statement(agreed, rows))))
    yield Exchange(said.label, dict.fromkeys(ranks, said), record=record)


def query(ranks: Ranks, meeting: Meeting, me: Credentials, features: Floats) -> Half[Scored]:
    """See `core.predicting.Predict`. Raises Abort: RANGE, REFUSED, of its own rows; COMMITMENT, the owner deals
    different models; SIGNATURE, MALFORMED, BOX, naming whose letter it is."""
    check_features(meeting, features)
    agreed, own = m.session(meeting, ranks), BoxKey(Secret(me.draw(SEED)))
    every = frozenset(ranks)
    inbox = yield Exchange(
        meeting.label(m.OFFER),
        expect=every,
        at_least=len(ranks),
        hops=6,
        read=partial(_read_shown, meeting, me, agreed),
    )
    shown = {party: load(body, m.Shown, party) for party, body in inbox.got.items()}
    model = shown[ranks[0]].model
    if any(one.model != model for one in shown.values()):
        raise Abort(Cause.COMMITMENT, party=meeting.owner, step=m.OFFER, detail="it dealt more than one model")
    found = scale_of(model.offer, meeting.owner)
    if model.offer.widths[0] != features.shape[1]:
        raise Abort(Cause.MALFORMED, party=meeting.owner, step=m.OFFER, detail="a model of other columns than its card")
    boxes = {party: PublicBoxKey(one.box) for party, one in shown.items()}
    promise, sealed = _dealt(ranks, agreed, me, s.features(features), boxes)
    bare = m.Rows(len(features), own.public, promise, bytes(64))
    signature = me.sign(m.rows_statement(agreed, model, bare))
    rows = m.Rows(bare.count, bare.box, promise, signature)
    label = meeting.label(m.ROWS)
    send = {party: Parcel(label, dump(m.Asked(rows, box))) for party, box in sealed}
    answer = yield Exchange(meeting.label(m.SCORES), send, every, len(ranks), _hops(ranks, 20))
    shares = {}
    for party, body in answer.got.items():
        try:
            info = m.scores_info(agreed, party, model, rows)
            shares[party] = own.unseal(load(body, m.Scores, party).sealed, info)
        except Abort as abort:
            raise Abort(abort.cause, party=party, step=m.SCORES, detail=abort.detail) from None
    margins = s.margins(join(shares, ranks, len(features) * found.outputs), found)
    note = f"computed on secret shares, in whole numbers: a margin is off by at most {found.bound:g}"
    return Scored(margins, found.bound, (note,))


def relay(ranks: Ranks, meeting: Meeting, me: Credentials) -> Half[None]:
    """The server's half: hear that all who compute have sent their shares. It carries nothing, and sees nothing."""
    yield Exchange(meeting.label(m.DONE), expect=frozenset(ranks), at_least=len(ranks), hops=_hops(ranks, 24))


def _hops(ranks: Ranks, hops: int) -> int:
    """For how many steps' time those who compute are waited for."""
    return hops if len(ranks) == PARTIES else SLOWER * hops


def scale_of(offer: m.Offer, owner: Party) -> s.Scale:
    """What is computed. Raises Abort(MALFORMED) naming the owner: it cannot be."""
    try:
        return s.scale(offer.widths, offer.activation, offer.norms)
    except s.NoRoom as error:
        raise Abort(Cause.MALFORMED, party=owner, step=m.OFFER, detail=f"no such model: {error}") from None


def _dealt(
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


def _read_keys(sender: Party, body: bytes) -> bytes:
    box_key(sender, load(body, m.Keys, sender).box)
    return body


def _read_shown(meeting: Meeting, me: Credentials, agreed: bytes, sender: Party, body: bytes) -> bytes:
    """Raises Abort naming the compute party: it shows what the owner did not sign."""
    shown = load(body, m.Shown, sender)
    box_key(sender, shown.box)
    me.verify(meeting.owner, m.model_statement(agreed, shown.model.offer, shown.model.promise), shown.model.signature)
    return body


def _read_rows(sender: Party, body: bytes) -> bytes:
    load(body, m.Rows, sender)
    return body


def _counted(meeting: Meeting, me: Credentials, agreed: bytes, model: m.Model, said: Mapping[Party, bytes]) -> m.Rows:
    """How many rows the client asks for, in its own signed words. Raises Abort: SIGNATURE, SURVIVORS; REFUSED."""
    rows = {party: load(body, m.Rows, party) for party, body in said.items()}
    for party, one in rows.items():
        try:
            me.verify(meeting.client, m.rows_statement(agreed, model, one), one.signature)
        except Abort as abort:
            raise Abort(abort.cause, party=party, step=m.COUNTED, detail="the client did not sign this") from None
    first = next(iter(rows.values()))
    if any(one != first for one in rows.values()):
        raise Abort(Cause.COMMITMENT, party=meeting.client, step=m.COUNTED, detail="it dealt more than one set of rows")
    if first.count > meeting.rows:
        detail = f"{first.count} rows, {meeting.rows} are allowed"
        raise Abort(Cause.REFUSED, party=meeting.client, step=m.COUNTED, detail=detail)
    return first
