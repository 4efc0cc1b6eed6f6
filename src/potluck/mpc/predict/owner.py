"""The owner's half of a prediction over secret shares: it deals its weights, and agrees to so many rows.

It needs no engine. It writes down how many rows are scored before any share of a score leaves. It does NOT keep two
compute parties from reading its model together.
"""

from collections.abc import Mapping

from potluck.core.errors import PlanError
from potluck.core.party import Party
from potluck.core.predicting import Meeting, Net, scored
from potluck.core.rounds import Abort, Cause, Credentials, Exchange, Half, Parcel
from potluck.core.steps import blaming, checked, hear
from potluck.core.wire import dump, load
from potluck.mpc.dealing import boxes_of, keys_read
from potluck.mpc.predict import messages as m
from potluck.mpc.predict import scale as s
from potluck.mpc.predict.dealing import Ranks, dealt, waits

TOO_LARGE = "the model's weights are too large, or its layers too many, for numbers of 64 bits"


def respond(ranks: Ranks, meeting: Meeting, me: Credentials, net: Net) -> Half[None]:
    """See `core.predicting.Predict`. Raises PlanError: no room for such weights; Abort: REFUSED, too many rows."""
    try:
        offer = m.Offer(s.widths(net), net.activation, s.norms(net))
        found = s.scale(offer.widths, offer.activation, offer.norms)
    except s.NoRoom as error:
        raise PlanError(f"{TOO_LARGE}: {error}", where="share", hint='protect.with = "tee"') from None
    agreed = m.session(meeting, ranks)
    inbox = yield hear(meeting.label(m.KEYS), ranks, keys_read(m.KEYS), hops=2)
    boxes = boxes_of(inbox.got)
    promise, sealed = dealt(ranks, agreed, me, s.weights(net, found), boxes)
    model = m.Model(offer, promise, me.sign(m.model_statement(agreed, offer, promise)))
    label = meeting.label(m.MODEL)
    send = {party: Parcel(label, dump(m.Given(model, box))) for party, box in sealed}
    hops = waits(ranks, 16)
    read = checked(m.Rows, lambda sender, rows: None)  # what all say is compared when all have said it
    counted = yield Exchange(meeting.label(m.COUNTED), send, frozenset(ranks), len(ranks), hops, read=read)
    rows = _counted(meeting, me, agreed, model, counted.got)
    said = Parcel(meeting.label(m.AGREED), dump(m.Agreed(m.agreed_statement(agreed, rows))))
    yield Exchange(said.label, dict.fromkeys(ranks, said), record=scored(meeting, rows.count))


def _counted(meeting: Meeting, me: Credentials, agreed: bytes, model: m.Model, said: Mapping[Party, bytes]) -> m.Rows:
    """How many rows the client asks for, in its own signed words. Raises Abort: SIGNATURE, SURVIVORS; REFUSED."""
    rows = {party: load(body, m.Rows, party) for party, body in said.items()}
    for party, one in rows.items():
        with blaming(party, m.COUNTED, "the client did not sign this"):
            me.verify(meeting.client, m.rows_statement(agreed, model, one), one.signature)
    first = next(iter(rows.values()))
    if any(one != first for one in rows.values()):
        raise Abort(Cause.COMMITMENT, party=meeting.client, step=m.COUNTED, detail="it dealt more than one set of rows")
    if first.count > meeting.rows:
        detail = f"{first.count} rows, {meeting.rows} are allowed"
        raise Abort(Cause.REFUSED, party=meeting.client, step=m.COUNTED, detail=detail)
    return first
