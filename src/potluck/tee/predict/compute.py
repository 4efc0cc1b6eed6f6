"""How an enclave scores a client's rows with an owner's model: one prediction at a time, and nothing else.

It believes nothing of its host. Rows and model count if the pinned key of whoever sends them signed them over this
very enclave's key, and the model only for the rows over whose parcel its owner signed. So an enclave that a host puts
back to an earlier state and asks again can only score the same rows by the same model for the same key. Nothing of what
is refused depends on rows and model together, but for their shapes: a score that overflows is sealed to the client like
any other.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from math import prod

import numpy as np
from numpy.typing import NDArray

from potluck.core.errors import GraphError
from potluck.core.party import Draw, Party, Role
from potluck.core.predicting import FEATURES, Columns
from potluck.core.rounds import Abort, Cause
from potluck.core.wire import dump, load
from potluck.secret.box import SEED, BoxKey, PublicBoxKey
from potluck.secret.container import Secret
from potluck.secret.keys import Roster, SigningKey
from potluck.secret.stream import digest
from potluck.tee.attestation import messages as a
from potluck.tee.attestation.binding import Keys, report_data
from potluck.tee.attestation.evidence import Evidence
from potluck.tee.predict import messages as p
from potluck.tee.predict.graphs import Graphs
from potluck.tee.predict.margins import Layer, margins
from potluck.tee.sum.compute import HOST, Op, answering

OWNER, CLIENT = Party(Role.SITE, "owner"), Party(Role.SITE, "client")
ENDS = {"owner": OWNER, "client": CLIENT}
Floats = NDArray[np.float64]


@dataclass(slots=True)
class _Asked:
    """The client's rows. count: how many; hash, signature: of its parcel; box: the key to which scores are sealed."""

    count: int
    hash: bytes
    signature: bytes
    box: PublicBoxKey
    columns: Columns = field(repr=False)


@dataclass(slots=True)
class _Now:
    """One prediction. shown: hash of the evidence shown to each end."""

    agreed: p.Agreed
    session: bytes
    roster: Roster
    shown: dict[Party, bytes] = field(default_factory=dict)
    asked: _Asked | None = None


class Scorer:
    """An enclave's second room, with keys of its own, from boot to end.

    attest: 64 bytes of report data -> evidence; workload: digest of its code. graphs: what it scores by, and then by
    nothing else; None: by layers.
    """

    def __init__(
        self, draw: Draw, attest: Callable[[bytes], Evidence], workload: bytes, graphs: Graphs | None = None
    ) -> None:
        self._box = BoxKey(Secret(draw(SEED)))
        self._sign = SigningKey(Secret(draw(32)))
        self._attest = attest
        self._graphs = graphs
        self.workload = workload
        self.keys = Keys(self._box.public, self._sign.public)
        self._rounds: set[tuple[str, int]] = set()
        self._now: _Now | None = None

    def begin(self, body: bytes) -> None:
        """Take on a prediction; what is unfinished is given up. Raises Abort: MALFORMED, TERMS, KEYS; REPLAY."""
        agreed = load(body, p.Agreed, HOST)
        if (agreed.run, agreed.number) in self._rounds:
            raise Abort(Cause.REPLAY, party=HOST, detail="a round's number is used once")
        if agreed.owner.site == agreed.client.site or agreed.owner.key == agreed.client.key:
            raise Abort(Cause.TERMS, party=HOST, detail="owner and client are one")
        try:
            roster = Roster({OWNER: agreed.owner.key, CLIENT: agreed.client.key})
        except ValueError:
            raise Abort(Cause.KEYS, party=HOST, detail="a pinned key is malformed") from None
        self._rounds.add((agreed.run, agreed.number))
        self._now = _Now(agreed, p.session(agreed), roster)

    def show(self, end: bytes, body: bytes) -> bytes:
        """Evidence for the nonce of the owner or of the client. Raises Abort: MALFORMED, SIGNATURE, REPLAY."""
        now, asked, who = self._current(), load(body, a.Nonce, HOST), _end(end)
        statement = a.nonce_statement(now.session, _name(now, who), asked.nonce, asked.policy)
        now.roster.verify(who, statement, asked.signature)
        if who in now.shown:
            raise Abort(Cause.REPLAY, party=HOST, detail="each end is shown evidence once a round")
        evidence = self._attest(report_data(asked.nonce, self.keys, self.workload, now.session, asked.policy))
        shown = a.Shown(self.keys.box, self.keys.sign, evidence.format, evidence.raw, evidence.endorsements)
        now.shown[who] = digest(a.evidence_hash(shown), asked.policy)
        return dump(shown)

    def rows(self, body: bytes) -> bytes:
        """The client's parcel; gives what the owner is told of it, signed.

        Raises Abort: MALFORMED, SIGNATURE, EVIDENCE, BOX, KEYS, REPLAY; REFUSED, too many; RANGE, not within [-1, 1].
        """
        now, handed = self._current(), load(body, p.Handed, HOST)
        hashed = digest(handed.input.sealed)
        now.roster.verify(CLIENT, p.rows_statement(now.session, self.keys.sign, hashed), handed.input.signature)
        self._expected(now, CLIENT, handed)
        if now.asked is not None:
            raise Abort(Cause.REPLAY, party=HOST, detail="one parcel of rows a round")
        info = p.rows_info(now.session, handed.evidence, handed.policy)
        said = load(self._box.unseal(handed.input.sealed, info), p.Rows, CLIENT)
        if said.rows > now.agreed.rows:
            detail = f"{said.rows} rows, {now.agreed.rows} are allowed"
            raise Abort(Cause.REFUSED, party=CLIENT, detail=detail)
        columns = _columns(said)
        if self._graphs is None and {name: (one.dtype, one.ndim) for name, one in columns.items()} != _TABLE:
            raise Abort(Cause.MALFORMED, party=CLIENT, detail="layers take the encoded table, and nothing else")
        now.asked = _Asked(said.rows, hashed, handed.input.signature, PublicBoxKey(said.box), columns)
        statement = p.counted_statement(now.session, self.keys.sign, hashed, said.rows)
        return dump(p.Counted(said.rows, hashed, handed.input.signature, self._sign.sign(statement)))

    def score(self, body: bytes) -> bytes:
        """The owner's parcel; gives the scores, sealed to the client, once.

        Raises Abort: MALFORMED, SIGNATURE, EVIDENCE, BOX, REPLAY; TERMS, a model for other rows; RANGE, no numbers;
        REFUSED, a graph that may not run.
        """
        now, handed = self._current(), load(body, p.Handed, HOST)
        asked = now.asked
        if asked is None:
            raise Abort(Cause.REPLAY, party=HOST, detail="no rows are here: the model comes after them")
        hashed = digest(handed.input.sealed)
        statement = p.model_statement(now.session, self.keys.sign, asked.hash, hashed)
        now.roster.verify(OWNER, statement, handed.input.signature)
        self._expected(now, OWNER, handed)
        info = p.model_info(now.session, handed.evidence, handed.policy, asked.hash)
        opened = self._box.unseal(handed.input.sealed, info)
        scored = _layered(opened, asked) if self._graphs is None else _drawn(self._graphs, opened, asked)
        self._now = None
        found, bound = scored()
        told = dump(p.Margins(found.shape[1], bound, np.ascontiguousarray(found, "<f8").tobytes()))
        sealed = asked.box.seal(told, p.scores_info(now.session, self.keys.sign, asked.hash, hashed))
        said = p.scores_statement(now.session, self.keys.sign, asked.hash, hashed, digest(sealed))
        return dump(p.Output(sealed, hashed, handed.input.signature, self._sign.sign(said)))

    def _expected(self, now: _Now, who: Party, handed: p.Handed) -> None:
        if now.shown.get(who) != digest(handed.evidence, handed.policy):
            raise Abort(Cause.EVIDENCE, party=HOST, detail="sealed under evidence that this enclave did not show")

    def _current(self) -> _Now:
        if self._now is None:
            raise Abort(Cause.REPLAY, party=HOST, detail="no prediction is open")
        return self._now


def _end(word: bytes) -> Party:
    found = ENDS.get(word.decode("ascii", "replace"))
    if found is None:
        raise Abort(Cause.MALFORMED, party=HOST, detail="neither owner nor client")
    return found


def _name(now: _Now, who: Party) -> bytes:
    return (now.agreed.owner if who is OWNER else now.agreed.client).site


def _columns(said: p.Rows) -> Columns:
    """The client's rows by column. Raises Abort naming it: MALFORMED, RANGE."""
    found = {one.name: _numbers(one.values, (said.rows, *one.shape), CLIENT, one.kind) for one in said.columns}
    if len(found) < len(said.columns):
        raise Abort(Cause.MALFORMED, party=CLIENT, detail="two columns have one name")
    if not all((np.abs(one) <= 1).all() for one in found.values()):  # nor is what is not a number
        raise Abort(Cause.RANGE, party=CLIENT, detail="an entry is not a number within [-1, 1]")
    return found


_TABLE = {FEATURES: (np.dtype("<f8"), 2)}


def _numbers(body: bytes, shape: tuple[int, ...], sender: Party, kind: str = "float64") -> Floats:
    """Raises Abort(MALFORMED): another length than the shape says."""
    dtype = np.dtype(kind).newbyteorder("<")
    if len(body) != dtype.itemsize * prod(shape):
        detail = f"{len(body)} bytes where {dtype.itemsize * prod(shape)} were expected"
        raise Abort(Cause.MALFORMED, party=sender, detail=detail)
    return np.frombuffer(body, dtype).reshape(shape)


Scoring = Callable[[], tuple[Floats, float | None]]
"""Margins [n, outputs], and a bound of what any of them is off."""


def _layered(opened: bytes, asked: _Asked) -> Scoring:
    model, rows = load(opened, p.Weights, OWNER), asked.columns[FEATURES].astype(np.float64)
    _same(model.rows, asked)
    return partial(margins, _layers(model, rows.shape[1]), model.activation, rows)


def _drawn(graphs: Graphs, opened: bytes, asked: _Asked) -> Scoring:
    """Raises Abort naming the owner: MALFORMED, TERMS; REFUSED, in words that say nothing of the graph: its owner reads
    the same ones at home, from the same reader."""
    model = load(opened, p.Drawn, OWNER)
    _same(model.rows, asked)
    with _refusing():
        scored = graphs.prepared(model.graph, asked.columns)

    def ready() -> tuple[Floats, None]:
        with _refusing():
            return scored(), None

    return ready


@contextmanager
def _refusing() -> Iterator[None]:
    try:
        yield
    except GraphError:
        detail = "its graph is none, is beyond the bounds, or takes other columns"
        raise Abort(Cause.REFUSED, party=OWNER, detail=detail) from None


def _same(rows: int, asked: _Asked) -> None:
    if rows != asked.count:
        raise Abort(Cause.TERMS, party=OWNER, detail=f"a model for {rows} rows, {asked.count} are here")


def _layers(model: p.Weights, width: int) -> list[Layer]:
    """The model, laid out as plain scoring has it. width: columns. Raises Abort naming the owner: MALFORMED, RANGE."""
    if (len(model.layers) > 1) != bool(model.activation):
        raise Abort(Cause.MALFORMED, party=OWNER, detail="an activation stands between layers, and only there")
    found = []
    for one in model.layers:
        if one.inputs != width:
            detail = f"a layer of {one.inputs} inputs, {width} are there"
            raise Abort(Cause.MALFORMED, party=OWNER, detail=detail)
        weights = _numbers(one.weights, (one.outputs, one.inputs), OWNER)
        bias = _numbers(one.bias, (one.outputs,), OWNER)
        if not (np.isfinite(weights).all() and np.isfinite(bias).all()):
            raise Abort(Cause.RANGE, party=OWNER, detail="a weight is not a number")
        found.append(Layer(np.ascontiguousarray(weights.T), bias))
        width = one.outputs
    return found


def scoring(scorer: Scorer) -> dict[str, Op]:
    """What a host may ask beside sums, as `room.operations`."""
    return {
        "tee.predict.begin": answering(scorer.begin),
        "tee.predict.show": answering(scorer.show),
        "tee.predict.rows": answering(scorer.rows),
        "tee.predict.score": answering(scorer.score),
    }
