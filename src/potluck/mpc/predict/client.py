"""The client's half of a prediction over secret shares: it deals its rows, and puts the shares of its scores together.

It needs no engine. Nobody else gets its scores. It does NOT keep two compute parties from reading its rows together.
"""

from functools import partial

from potluck.core.party import Party
from potluck.core.predicting import Meeting, Scored, check_features
from potluck.core.rounds import Abort, Cause, Credentials, Exchange, Half, Parcel
from potluck.core.stages import Floats
from potluck.core.steps import blaming, checked, hear
from potluck.core.wire import dump, load
from potluck.mpc.predict import messages as m
from potluck.mpc.predict import scale as s
from potluck.mpc.predict.dealing import Ranks, dealt, scale_of, waits
from potluck.mpc.replicated import join
from potluck.secret.box import SEED, BoxKey, PublicBoxKey, box_key
from potluck.secret.container import Secret


def query(ranks: Ranks, meeting: Meeting, me: Credentials, features: Floats) -> Half[Scored]:
    """See `core.predicting.Predict`. Raises Abort: RANGE, REFUSED, of its own rows; COMMITMENT, the owner deals
    different models; SIGNATURE, MALFORMED, BOX, naming whose letter it is."""
    check_features(meeting, features)
    agreed, own = m.session(meeting, ranks), BoxKey(Secret(me.draw(SEED)))
    every = frozenset(ranks)
    inbox = yield hear(
        meeting.label(m.OFFER), ranks, checked(m.Shown, partial(_check_shown, meeting, me, agreed)), hops=6
    )
    shown = {party: load(body, m.Shown, party) for party, body in inbox.got.items()}
    model = shown[ranks[0]].model
    if any(one.model != model for one in shown.values()):
        raise Abort(Cause.COMMITMENT, party=meeting.owner, step=m.OFFER, detail="it dealt more than one model")
    found = scale_of(model.offer, meeting.owner)
    if model.offer.widths[0] != features.shape[1]:
        raise Abort(Cause.MALFORMED, party=meeting.owner, step=m.OFFER, detail="a model of other columns than its card")
    boxes = {party: PublicBoxKey(one.box) for party, one in shown.items()}
    promise, sealed = dealt(ranks, agreed, me, s.features(features), boxes)
    bare = m.Rows(len(features), own.public, promise, bytes(64))
    signature = me.sign(m.rows_statement(agreed, model, bare))
    rows = m.Rows(bare.count, bare.box, promise, signature)
    label = meeting.label(m.ROWS)
    send = {party: Parcel(label, dump(m.Asked(rows, box))) for party, box in sealed}
    answer = yield Exchange(meeting.label(m.SCORES), send, every, len(ranks), waits(ranks, 20))
    shares = {}
    for party, body in answer.got.items():
        with blaming(party, m.SCORES):
            info = m.scores_info(agreed, party, model, rows)
            shares[party] = own.unseal(load(body, m.Scores, party).sealed, info)
    margins = s.margins(join(shares, ranks, len(features) * found.outputs), found)
    note = f"computed on secret shares, in whole numbers: a margin is off by at most {found.bound:g}"
    return Scored(margins, found.bound, (note,))


def _check_shown(meeting: Meeting, me: Credentials, agreed: bytes, sender: Party, shown: m.Shown) -> None:
    """Raises Abort naming the compute party: it shows what the owner did not sign."""
    box_key(sender, shown.box)
    me.verify(meeting.owner, m.model_statement(agreed, shown.model.offer, shown.model.promise), shown.model.signature)
