"""The host's half of a prediction in an enclave: it carries sealed bytes between two sites and its enclave.

It sees nonces, evidence, sealed parcels, signatures, and how many rows there are. What it can do is keep letters back.
"""

from collections.abc import Mapping

from potluck.core.party import Party
from potluck.core.predicting import Meeting
from potluck.core.rounds import Credentials, Exchange, Half, Parcel
from potluck.core.steps import blaming
from potluck.core.wire import dump, load
from potluck.secret.statement import named
from potluck.tee.attestation import messages as a
from potluck.tee.attestation.binding import Member
from potluck.tee.host import Enclave
from potluck.tee.predict import messages as p
from potluck.tee.sum import messages as m

HOPS = 4
"""Times the runner's patience that the host waits for a site, which encodes rows, verifies evidence, or seals."""
WAITS = HOPS + 2
"""The same of a site, which waits for the host, which waits for the other site."""


class Scoring(Enclave):
    """The enclave's room for predictions, as its host sees it. Every call raises Abort as `Enclave`."""

    def agree(self, agreed: p.Agreed) -> None:
        """Take on a prediction."""
        self.keys()  # notes which boot the prediction began with
        self._call("predict.begin", dump(agreed))

    def shown(self, end: str, nonce: bytes) -> bytes:
        """`messages.Shown` for the `messages.Nonce` of the "owner" or the "client", as bytes."""
        return self._call("predict.show", end.encode(), nonce)[0]

    def counted(self, handed: p.Handed, client: Party) -> bytes:
        """`Counted`, as bytes, for the client's parcel. The Abort names the client."""
        return self._handed("predict.rows", handed, client, p.ROWS)

    def scored(self, handed: p.Handed, owner: Party) -> bytes:
        """`Output`, as bytes, for the owner's parcel. The Abort names the owner."""
        return self._handed("predict.score", handed, owner, p.MODEL)

    def _handed(self, op: str, handed: p.Handed, sender: Party, step: str) -> bytes:
        with blaming(sender, step):
            return self._call(op, dump(handed))[0]


def agreed_by(meeting: Meeting, me: Credentials) -> p.Agreed:
    """The prediction as this party knows it: from the meeting and the pinned keys alone."""
    owner, client = (Member(named(party), me.public(party)) for party in (meeting.owner, meeting.client))
    round_ = meeting.round
    return p.Agreed(round_.run, round_.number, meeting.digest, owner, client, meeting.rows)


def relay(enclave: Scoring, meeting: Meeting, me: Credentials) -> Half[None]:
    """See `core.predicting.Predict.relay`. Raises Abort naming the sender; ENGINE where the enclave died."""
    agreed = agreed_by(meeting, me)
    enclave.agree(agreed)
    ends = {"owner": meeting.owner, "client": meeting.client}
    asked = yield Exchange(meeting.label(a.NONCE), expect=frozenset(ends.values()), at_least=len(ends), hops=HOPS)
    shown, policies = {}, {}
    for end, party in ends.items():
        nonce = load(asked.got[party], a.Nonce, party)
        statement = a.nonce_statement(p.session(agreed), named(party), nonce.nonce, nonce.policy)
        me.verify(party, statement, nonce.signature)
        shown[party], policies[party] = enclave.shown(end, asked.got[party]), nonce.policy
    body = yield from _handed_on(meeting, a.EVIDENCE, shown, p.ROWS, meeting.client)
    counted = enclave.counted(_parcel(shown, policies, meeting.client, body), meeting.client)
    body = yield from _handed_on(meeting, p.COUNTED, {meeting.owner: counted}, p.MODEL, meeting.owner)
    scores = enclave.scored(_parcel(shown, policies, meeting.owner, body), meeting.owner)
    label = meeting.label(p.SCORES)
    yield Exchange(label, send={meeting.client: Parcel(label, scores)})


def _handed_on(meeting: Meeting, step: str, bodies: Mapping[Party, bytes], answer: str, sender: Party) -> Half[bytes]:
    """Send each its body of `step`, and wait for one site's `answer`."""
    label = meeting.label(step)
    send = {party: Parcel(label, body) for party, body in bodies.items()}
    inbox = yield Exchange(meeting.label(answer), send=send, expect=frozenset({sender}), at_least=1, hops=HOPS)
    return inbox.got[sender]


def _parcel(shown: Mapping[Party, bytes], policies: Mapping[Party, bytes], sender: Party, body: bytes) -> p.Handed:
    evidence = a.evidence_hash(load(shown[sender], a.Shown))
    return p.Handed(evidence, policies[sender], load(body, m.Input, sender))
