"""The client's half of a prediction in an enclave: challenge, verify, seal the rows, read the scores.

It does NOT protect from who opens the machine or breaks the vendor's key.
"""

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from potluck.core.party import SERVER
from potluck.core.predicting import FEATURES, Columns, Meeting, Scored, check_columns, check_features
from potluck.core.rounds import Abort, Cause, Credentials, Half
from potluck.core.stages import Floats
from potluck.core.steps import ask_server, blaming
from potluck.core.wire import dump, load
from potluck.secret.box import SEED, BoxKey, box_key
from potluck.secret.container import Secret
from potluck.secret.stream import digest
from potluck.tee.attestation.judge import Judge, challenged
from potluck.tee.attestation.messages import EVIDENCE, check_enclave, evidence_hash
from potluck.tee.predict import messages as p
from potluck.tee.predict.server import WAITS, agreed_by
from potluck.tee.sum import messages as m

IN_FLOAT64 = "computed in an enclave, in float64: another machine's margin may differ by {bound:g} at most"
BY_GRAPH = (
    "computed in an enclave by the graph, in its own type: the same torch on such a processor gives the same bits, "
    "another one may turn last digits of that type, and no bound of that is proved"
)


def query(judge: Judge, meeting: Meeting, me: Credentials, features: Floats) -> Half[Scored]:
    """See `core.predicting.Predict`. Raises Abort: EVIDENCE, refused; SIGNATURE, BOX, not theirs; RANGE."""
    check_features(meeting, features)
    return (yield from _asked(judge, meeting, me, {FEATURES: features}))


def query_graph(judge: Judge, meeting: Meeting, me: Credentials, columns: Columns) -> Half[Scored]:
    """The same of what a graph takes."""
    check_columns(meeting, columns)
    return (yield from _asked(judge, meeting, me, columns))


def _asked(judge: Judge, meeting: Meeting, me: Credentials, columns: Columns) -> Half[Scored]:
    agreed = p.session(agreed_by(meeting, me))
    shown = yield from challenged(judge, meeting.label, me, agreed, WAITS)
    own = BoxKey(Secret(me.draw(SEED)))
    rows = len(next(iter(columns.values())))
    said = dump(p.Rows(own.public, rows, tuple(_column(name, one) for name, one in columns.items())))
    sealed = box_key(SERVER, shown.box, EVIDENCE).seal(said, p.rows_info(agreed, evidence_hash(shown), judge.hash))
    mine = digest(sealed)
    signature = me.sign(p.rows_statement(agreed, shown.sign, mine))
    body = yield from ask_server(meeting.label, p.ROWS, dump(m.Input(sealed, signature)), p.SCORES, hops=WAITS)
    return _read(meeting, me, (agreed, shown.sign, mine), own, load(body, p.Output, SERVER), rows)


def _column(name: str, values: NDArray[np.float32] | NDArray[np.float64]) -> p.Column:
    kind: Literal["float32", "float64"] = "float32" if values.dtype == np.float32 else "float64"
    body = np.ascontiguousarray(values, np.dtype(kind).newbyteorder("<")).tobytes()
    return p.Column(name, kind, values.shape[1:], body)


def _read(
    meeting: Meeting, me: Credentials, mine: tuple[bytes, bytes, bytes], own: BoxKey, said: p.Output, rows: int
) -> Scored:
    """The scores. mine: (session, the enclave's key, my parcel's hash). Raises Abort."""
    with blaming(SERVER, p.SCORES, f"the parcel of {meeting.owner}"):
        me.verify(meeting.owner, p.model_statement(*mine, said.model), said.owner)
    with blaming(SERVER, p.SCORES, "the enclave did not sign this"):
        check_enclave(mine[1], p.scores_statement(*mine, said.model, digest(said.sealed)), said.enclave)
    with blaming(SERVER, p.SCORES, "the scores are not for my key"):
        told = load(own.unseal(said.sealed, p.scores_info(*mine, said.model)), p.Margins, SERVER)
    if len(told.values) != 8 * rows * told.outputs:
        raise Abort(Cause.MALFORMED, party=SERVER, step=p.SCORES, detail="not a score a row")
    margins = np.frombuffer(told.values, "<f8").reshape(rows, told.outputs).astype(np.float64)
    if not (np.isfinite(margins).all() and (told.bound is None or np.isfinite(told.bound))):
        raise Abort(Cause.RANGE, party=meeting.owner, detail="a score overflows, or is not a number")
    note = BY_GRAPH if told.bound is None else IN_FLOAT64.format(bound=told.bound)
    return Scored(margins, told.bound, (note,))
