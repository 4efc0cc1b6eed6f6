"""How an enclave scores a client's rows with an owner's model: one prediction at a time, and nothing else.

It believes nothing of its host. Rows and model count if the pinned key of whoever sends them signed them over this
very enclave's key, and the model only for the rows over whose parcel its owner signed. So an enclave that a host puts
back to an earlier state and asks again can only score the same rows by the same model for the same key. Nothing of what
is refused depends on rows and model together, but for their shapes: a score that overflows is sealed to the client like
any other.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from potluck.core.party import Draw, Party
from potluck.core.predicting import Columns
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
from potluck.tee.predict.opened import CLIENT, OWNER, columns_of, drawn, tabular, weighed
from potluck.tee.sum.compute import HOST, Op, answering

ENDS = {"owner": OWNER, "client": CLIENT}


@dataclass(slots=True)
class _Asked:
    """The client's rows. hash, signature: of its parcel; box: the key to which scores are sealed."""

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
    nothing else; None: by layers and trees.
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
        columns = columns_of(said)
        if self._graphs is None:
            tabular(columns)
        now.asked = _Asked(hashed, handed.input.signature, PublicBoxKey(said.box), columns)
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
        graphs, columns = self._graphs, asked.columns
        ready = weighed(opened, columns) if graphs is None else drawn(graphs, opened, columns)
        self._now = None
        found, bound = ready()
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


def scoring(scorer: Scorer) -> dict[str, Op]:
    """What a host may ask beside sums, as `room.operations`."""
    return {
        "tee.predict.begin": answering(scorer.begin),
        "tee.predict.show": answering(scorer.show),
        "tee.predict.rows": answering(scorer.rows),
        "tee.predict.score": answering(scorer.score),
    }
