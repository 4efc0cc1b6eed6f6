"""What a party believes an enclave by: its owner's policy, a fresh nonce, and the code that it expects."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import cast, get_args

from potluck.core.party import SERVER
from potluck.core.rounds import Abort, Cause, Credentials, Half
from potluck.core.steps import Named, ask_server
from potluck.core.wire import dump, load
from potluck.secret.statement import named
from potluck.tee.attestation.binding import Keys, report_data
from potluck.tee.attestation.evidence import Asked, Evidence, Format
from potluck.tee.attestation.messages import EVIDENCE, NONCE, Nonce, Shown, nonce_statement
from potluck.tee.attestation.policy import Policy
from potluck.tee.attestation.verify import verify


@dataclass(frozen=True, slots=True)
class Judge:
    """What a site judges evidence with. policy: its owner's, hashed as written; workload: digest of the code expected.

    now: Unix seconds. Certificates and collateral must be valid then.
    """

    policy: Policy
    hash: bytes
    workload: bytes
    now: Callable[[], int] = field(repr=False)


def challenged(judge: Judge, label: Named, me: Credentials, agreed: bytes, hops: int = 2) -> Half[Shown]:
    """The enclave's keys, once its evidence for a fresh nonce is one that this party's own policy believes.

    agreed: the session that evidence is to speak of. Raises Abort(EVIDENCE) naming the server.
    """
    nonce = me.draw(32)
    signature = me.sign(nonce_statement(agreed, named(me.party), nonce, judge.hash))
    body = yield from ask_server(label, NONCE, dump(Nonce(nonce, judge.hash, signature)), EVIDENCE, hops=hops)
    shown = load(body, Shown, SERVER)
    believe(judge, agreed, nonce, shown)
    return shown


def believe(judge: Judge, agreed: bytes, nonce: bytes, shown: Shown) -> None:
    """Raises Abort(EVIDENCE) naming the server: refused under this owner's policy, or not about this round and keys."""
    if shown.format not in get_args(Format):
        raise Abort(Cause.EVIDENCE, party=SERVER, step=EVIDENCE, detail="no known format")
    bound = report_data(nonce, Keys(shown.box, shown.sign), judge.workload, agreed, judge.hash)
    evidence = Evidence(cast(Format, shown.format), shown.raw, shown.endorsements)
    verdict = verify(evidence, judge.policy, Asked(judge.now(), report_data=bound))
    if not verdict.accepted:
        detail = "; ".join(str(reason) for reason in verdict.reasons)
        raise Abort(Cause.EVIDENCE, party=SERVER, step=EVIDENCE, detail=detail)
