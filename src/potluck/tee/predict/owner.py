"""The owner's half of a prediction in an enclave: challenge, verify, seal the model for one parcel of rows.

The client's parcel comes first. The owner hears from the enclave itself how many rows are in it, writes that down, and
seals its model for that parcel alone: no host, with the client or without, has a second set of rows scored by it, not
even with an enclave that it put back to an earlier state. That is why the owner need not remember which enclave a run
began with: before its model leaves it has given nothing, afterwards it gives nothing more in this run.

It does NOT protect from who opens the machine or breaks the vendor's key.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from potluck.core.party import SERVER
from potluck.core.predicting import Meeting, Net, Trees, scored
from potluck.core.rounds import Abort, Cause, Credentials, Exchange, Half, Parcel
from potluck.core.steps import blaming
from potluck.core.wire import Message, dump, load
from potluck.secret.box import box_key
from potluck.secret.stream import digest
from potluck.tee.attestation.judge import Judge, challenged
from potluck.tee.attestation.messages import EVIDENCE, check_enclave, evidence_hash
from potluck.tee.predict import messages as p
from potluck.tee.predict.server import WAITS, agreed_by
from potluck.tee.sum import messages as m


def respond(judge: Judge, meeting: Meeting, me: Credentials, net: Net) -> Half[None]:
    """See `core.predicting.Predict`. Raises Abort: EVIDENCE, refused; SIGNATURE; REFUSED, too many rows; REPLAY."""
    layers = tuple(
        p.Layer(one.weights.shape[1], one.weights.shape[0], _bytes(one.weights), _bytes(one.bias)) for one in net.layers
    )
    yield from _sealed(judge, meeting, me, lambda rows: p.Weights(rows, p.Layers(net.activation, layers)))


def respond_trees(judge: Judge, meeting: Meeting, me: Credentials, trees: Trees) -> Half[None]:
    """The same of a model that is trees."""
    each = tuple(
        p.Tree(_bytes(asked.features, "<i8"), _bytes(asked.cuts), _bytes(asked.left, "|u1"), _bytes(leaves))
        for asked, leaves in zip(trees.asked, trees.leaves, strict=True)
    )
    forest = p.Forest(trees.first, trees.outputs, _bytes(trees.flags, "<i8"), each)
    yield from _sealed(judge, meeting, me, lambda rows: p.Weights(rows, forest))


def respond_graph(judge: Judge, meeting: Meeting, me: Credentials, graph: bytes) -> Half[None]:
    """The same of a model that is a graph."""
    yield from _sealed(judge, meeting, me, lambda rows: p.Drawn(rows, graph))


def _sealed(judge: Judge, meeting: Meeting, me: Credentials, model: Callable[[int], Message]) -> Half[None]:
    """model: for so many rows."""
    agreed = p.session(agreed_by(meeting, me))
    shown = yield from challenged(judge, meeting.label, me, agreed, WAITS)
    inbox = yield Exchange(meeting.label(p.COUNTED), expect=frozenset({SERVER}), at_least=1, hops=WAITS)
    counted = _counted(meeting, me, agreed, shown.sign, inbox.got[SERVER])
    said = dump(model(counted.rows))
    info = p.model_info(agreed, evidence_hash(shown), judge.hash, counted.hash)
    sealed = box_key(SERVER, shown.box, EVIDENCE).seal(said, info)
    signature = me.sign(p.model_statement(agreed, shown.sign, counted.hash, digest(sealed)))
    label = meeting.label(p.MODEL)
    send = {SERVER: Parcel(label, dump(m.Input(sealed, signature)))}
    yield Exchange(label, send=send, record=scored(meeting, counted.rows))


def _bytes(values: NDArray[np.generic], kind: str = "<f8") -> bytes:
    return np.ascontiguousarray(values, kind).tobytes()


def _counted(meeting: Meeting, me: Credentials, agreed: bytes, sign: bytes, body: bytes) -> p.Counted:
    """What this very enclave found in a parcel that the client signed for it. Raises Abort naming the server."""
    said = load(body, p.Counted, SERVER)
    with blaming(SERVER, p.COUNTED, f"the parcel of {meeting.client}"):
        me.verify(meeting.client, p.rows_statement(agreed, sign, said.hash), said.client)
    with blaming(SERVER, p.COUNTED, "the enclave did not sign this"):
        check_enclave(sign, p.counted_statement(agreed, sign, said.hash, said.rows), said.enclave)
    if said.rows > meeting.rows:
        detail = f"{said.rows} rows, {meeting.rows} are allowed"
        raise Abort(Cause.REFUSED, party=meeting.client, step=p.COUNTED, detail=detail)
    return said
