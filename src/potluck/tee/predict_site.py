"""The two sites' halves of a prediction in an enclave: challenge, verify, seal; the client reads the scores.

The client's parcel comes first. The owner hears from the enclave itself how many rows are in it, writes that down, and
seals its model for that parcel alone: no host, with the client or without, has a second set of rows scored by it, not
even with an enclave that it put back to an earlier state. That is why the owner need not remember which enclave a run
began with: before its model leaves it has given nothing, afterwards it gives nothing more in this run.

It does NOT protect from who opens the machine or breaks the vendor's key.
"""

from __future__ import annotations

import numpy as np

from potluck.core.party import SERVER, Party
from potluck.core.predicting import Meeting, Net, Scored, check_features
from potluck.core.rounds import Abort, Cause, Credentials, Exchange, Half, Parcel, Record
from potluck.core.stages import Floats
from potluck.core.wire import dump, load
from potluck.secret.box import SEED, BoxKey, PublicBoxKey
from potluck.secret.container import Secret
from potluck.secret.statement import named
from potluck.secret.stream import digest
from potluck.tee import messages as m
from potluck.tee import predict_messages as p
from potluck.tee.predict_server import HOPS, agreed_by
from potluck.tee.site import Judge, believe

SCORED = "scored/"
"""Prefix of the owner's `Record`, durable before its model leaves: key "scored/<run>/<number>", value: how many rows,
in decimal ASCII."""
_HOPS = HOPS + 2
"""A site waits for the host, which waits for the other site."""


def query(judge: Judge, meeting: Meeting, me: Credentials, features: Floats) -> Half[Scored]:
    """See `core.predicting.Predict`. Raises Abort: EVIDENCE, refused; SIGNATURE, BOX, not theirs; RANGE."""
    check_features(meeting, features)
    agreed = p.session(agreed_by(meeting, me))
    shown = yield from _believed(judge, meeting, me, agreed)
    own = BoxKey(Secret(me.draw(SEED)))
    values = np.ascontiguousarray(features, "<f8").tobytes()
    said = dump(p.Rows(own.public, len(features), features.shape[1], values))
    sealed = _key(shown).seal(said, p.rows_info(agreed, m.evidence_hash(shown), judge.hash))
    mine = digest(sealed)
    signature = me.sign(p.rows_statement(agreed, shown.sign, mine))
    body = yield from _awaiting(meeting, p.ROWS, dump(m.Input(sealed, signature)), p.SCORES)
    return _read(meeting, me, (agreed, shown.sign, mine), own, load(body, p.Output, SERVER), len(features))


def respond(judge: Judge, meeting: Meeting, me: Credentials, net: Net) -> Half[None]:
    """See `core.predicting.Predict`. Raises Abort: EVIDENCE, refused; SIGNATURE; REFUSED, too many rows; REPLAY."""
    agreed = p.session(agreed_by(meeting, me))
    shown = yield from _believed(judge, meeting, me, agreed)
    inbox = yield Exchange(meeting.label(p.COUNTED), expect=frozenset({SERVER}), at_least=1, hops=_HOPS)
    counted = _counted(meeting, me, agreed, shown.sign, inbox.got[SERVER])
    layers = tuple(
        p.Layer(one.weights.shape[1], one.weights.shape[0], _bytes(one.weights), _bytes(one.bias)) for one in net.layers
    )
    said = dump(p.Weights(counted.rows, net.activation, layers))
    info = p.model_info(agreed, m.evidence_hash(shown), judge.hash, counted.hash)
    sealed = _key(shown).seal(said, info)
    signature = me.sign(p.model_statement(agreed, shown.sign, counted.hash, digest(sealed)))
    label = meeting.label(p.MODEL)
    send = {SERVER: Parcel(label, dump(m.Input(sealed, signature)))}
    record = Record(f"{SCORED}{meeting.round.run}/{meeting.round.number}", str(counted.rows).encode())
    yield Exchange(label, send=send, record=record)


def _believed(judge: Judge, meeting: Meeting, me: Credentials, agreed: bytes) -> Half[m.Shown]:
    """The enclave's keys, once its evidence for a fresh nonce is one that this site's own policy believes."""
    nonce = me.draw(32)
    signature = me.sign(m.nonce_statement(agreed, named(me.party), nonce, judge.hash))
    body = yield from _awaiting(meeting, m.NONCE, dump(m.Nonce(nonce, judge.hash, signature)), m.EVIDENCE)
    shown = load(body, m.Shown, SERVER)
    believe(judge, agreed, nonce, shown)
    return shown


def _awaiting(meeting: Meeting, step: str, body: bytes, answer: str) -> Half[bytes]:
    """Send a step to the server and wait for its answer."""
    send = {SERVER: Parcel(meeting.label(step), body)}
    inbox = yield Exchange(meeting.label(answer), send=send, expect=frozenset({SERVER}), at_least=1, hops=_HOPS)
    return inbox.got[SERVER]


def _key(shown: m.Shown) -> PublicBoxKey:
    try:
        return PublicBoxKey(shown.box)
    except Abort as abort:
        raise Abort(abort.cause, party=SERVER, step=m.EVIDENCE, detail=abort.detail) from None


def _bytes(values: Floats) -> bytes:
    return np.ascontiguousarray(values, "<f8").tobytes()


def _counted(meeting: Meeting, me: Credentials, agreed: bytes, sign: bytes, body: bytes) -> p.Counted:
    """What this very enclave found in a parcel that the client signed for it. Raises Abort naming the server."""
    said = load(body, p.Counted, SERVER)
    _signed_by(me, meeting.client, p.rows_statement(agreed, sign, said.hash), said.client, p.COUNTED)
    _enclave(sign, p.counted_statement(agreed, sign, said.hash, said.rows), said.enclave, p.COUNTED)
    if said.rows > meeting.rows:
        detail = f"{said.rows} rows, {meeting.rows} are allowed"
        raise Abort(Cause.REFUSED, party=meeting.client, step=p.COUNTED, detail=detail)
    return said


def _read(
    meeting: Meeting, me: Credentials, mine: tuple[bytes, bytes, bytes], own: BoxKey, said: p.Output, rows: int
) -> Scored:
    """The scores. mine: (session, the enclave's key, my parcel's hash). Raises Abort."""
    _signed_by(me, meeting.owner, p.model_statement(*mine, said.model), said.owner, p.SCORES)
    _enclave(mine[1], p.scores_statement(*mine, said.model, digest(said.sealed)), said.enclave, p.SCORES)
    try:
        told = load(own.unseal(said.sealed, p.scores_info(*mine, said.model)), p.Margins, SERVER)
    except Abort as abort:
        raise Abort(abort.cause, party=SERVER, step=p.SCORES, detail="the scores are not for my key") from None
    if len(told.values) != 8 * rows * told.outputs:
        raise Abort(Cause.MALFORMED, party=SERVER, step=p.SCORES, detail="not a score a row")
    margins = np.frombuffer(told.values, "<f8").reshape(rows, told.outputs).astype(np.float64)
    if not (np.isfinite(margins).all() and np.isfinite(told.bound)):
        raise Abort(Cause.RANGE, party=meeting.owner, detail="a score overflows, or is not a number")
    note = f"computed in an enclave, in float64: another machine's margin may differ by {told.bound:g} at most"
    return Scored(margins, told.bound, (note,))


def _signed_by(me: Credentials, party: Party, statement: bytes, signature: bytes, step: str) -> None:
    try:
        me.verify(party, statement, signature)
    except Abort as abort:
        raise Abort(abort.cause, party=SERVER, step=step, detail=f"the parcel of {party}") from None


def _enclave(sign: bytes, statement: bytes, signature: bytes, step: str) -> None:
    try:
        m.check_enclave(sign, statement, signature)
    except Abort as abort:
        raise Abort(abort.cause, party=SERVER, step=step, detail="the enclave did not sign this") from None
