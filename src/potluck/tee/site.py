"""A site's half of a sum in an enclave: challenge, verify, seal, agree on whose parcels count.

Reference: the key release of confidential federated analytics (Eichner et al., arXiv 2410.08892; arXiv 2510.21684):
data leaves sealed to a key that evidence binds to code which the owner's own policy allows. Evidence is verified
offline, in every round, against a nonce of this round.

What protects beyond the enclave: the owner signs one set of givers for what may be opened once, holds the round's
number and budget, and stays with the enclave that a run began with. So a host that rolls an enclave back, or starts it
again, finds nobody to confirm a second sum. It does NOT protect from who opens the machine or breaks the vendor's key.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import cast, get_args

from potluck.core.party import SERVER
from potluck.core.rounds import ENCLAVE, Abort, Cause, Credentials, Exchange, Half, Parcel, Record, Terms, charge
from potluck.core.stages import Guarded
from potluck.core.wire import ascending, dump, load, pack
from potluck.secret.box import PublicBoxKey
from potluck.secret.statement import named, survived
from potluck.secret.stream import digest
from potluck.tee import messages as m
from potluck.tee.binding import Keys, Member, Spec, report_data, session, spec
from potluck.tee.evidence import Asked, Evidence, Format
from potluck.tee.policy import Policy
from potluck.tee.verify import verify

_SERVER = frozenset({SERVER})


@dataclass(frozen=True, slots=True)
class Judge:
    """What a site judges evidence with. policy: its owner's, hashed as written; workload: digest of the code expected.

    now: Unix seconds. Certificates and collateral must be valid then.
    """

    policy: Policy
    hash: bytes
    workload: bytes
    now: Callable[[], int] = field(repr=False)


def round_of(terms: Terms, me: Credentials) -> Spec:
    """The round as this party knows it: from the terms and the pinned keys alone."""
    return spec(terms, tuple(Member(named(site), me.public(site)) for site in terms.sites))


def give(judge: Judge, terms: Terms, me: Credentials, guarded: Guarded) -> Half[None]:
    """One site's half. Reveals: its words, to the enclave that its owner's policy allows, and to nobody else."""
    agreed = session(round_of(terms, me))
    nonce = me.draw(32)
    signature = me.sign(m.nonce_statement(agreed, named(me.party), nonce, judge.hash))
    body = yield from _ask(terms, m.NONCE, dump(m.Nonce(nonce, judge.hash, signature)), m.EVIDENCE)
    shown = load(body, m.Shown, SERVER)
    believe(judge, agreed, nonce, shown)
    yield Exchange(terms.label(m.INPUT), record=_boot(terms, shown))
    sealed = _seal(judge, terms, me, agreed, shown, guarded)
    mine = digest(sealed)
    signature = me.sign(m.input_statement(agreed, named(me.party), shown.sign, mine))
    body = yield from _ask(terms, m.INPUT, dump(m.Input(sealed, signature)), m.SURVIVORS, charge(terms, guarded))
    message = load(body, m.Survivors, SERVER)
    statement = _agree(terms, me, agreed, shown.sign, mine, message)
    label = terms.label(m.CONFIRM)
    confirmed = Parcel(label, dump(m.Confirmed(me.sign(statement))))
    givers = frozenset(terms.sites[giver.site] for giver in message.givers)
    yield Exchange(label, send={SERVER: confirmed}, record=survived(terms, givers), fixes=givers)


def _ask(terms: Terms, step: str, body: bytes, answer: str, record: Record | None = None) -> Half[bytes]:
    """Send a step to the server and wait for its answer: it waits for the slowest site first, hence two hops."""
    inbox = yield Exchange(
        terms.label(answer),
        send={SERVER: Parcel(terms.label(step), body)},
        expect=_SERVER,
        at_least=1,
        hops=2,
        record=record,
        contributes=step == m.INPUT,
    )
    return inbox.got[SERVER]


def believe(judge: Judge, agreed: bytes, nonce: bytes, shown: m.Shown) -> None:
    """Raises Abort(EVIDENCE) naming the server: refused under this owner's policy, or not about this round and keys."""
    if shown.format not in get_args(Format):
        raise Abort(Cause.EVIDENCE, party=SERVER, step=m.EVIDENCE, detail="no known format")
    bound = report_data(nonce, Keys(shown.box, shown.sign), judge.workload, agreed, judge.hash)
    evidence = Evidence(cast(Format, shown.format), shown.raw, shown.endorsements)
    verdict = verify(evidence, judge.policy, Asked(judge.now(), report_data=bound))
    if not verdict.accepted:
        detail = "; ".join(str(reason) for reason in verdict.reasons)
        raise Abort(Cause.EVIDENCE, party=SERVER, step=m.EVIDENCE, detail=detail)


def _boot(terms: Terms, shown: m.Shown) -> Record:
    """The enclave of this run: the first that this owner believed, and no other after it."""
    return Record(f"{ENCLAVE}{terms.round.run}", digest(shown.box, shown.sign), again=True)


def _seal(judge: Judge, terms: Terms, me: Credentials, agreed: bytes, shown: m.Shown, guarded: Guarded) -> bytes:
    words = guarded.words
    if words.shape != (terms.length,) or words.dtype.itemsize * 8 != terms.bits:
        raise Abort(Cause.TERMS, detail="my words are not what the terms say")
    try:
        key = PublicBoxKey(shown.box)
    except Abort as abort:
        raise Abort(abort.cause, party=SERVER, step=m.EVIDENCE, detail=abort.detail) from None
    return key.seal(pack(words), m.parcel_info(agreed, named(me.party), m.evidence_hash(shown), judge.hash))


def _agree(terms: Terms, me: Credentials, agreed: bytes, sign: bytes, mine: bytes, message: m.Survivors) -> bytes:
    """The statement to sign, once the set is one that hides this site. Raises Abort naming the server."""
    listed = ascending(tuple(giver.site for giver in message.givers), len(terms.sites), SERVER)
    index = terms.sites.index(me.party)
    if index not in listed:
        raise Abort(Cause.SURVIVORS, party=SERVER, step=m.SURVIVORS, detail="I am still here, yet not in the set")
    least = max(terms.fewest, 2)
    if len(listed) < least:
        raise Abort(Cause.COHORT, party=SERVER, step=m.SURVIVORS, detail=f"{len(listed)} sites, {least} needed")
    for giver in message.givers:
        party = terms.sites[giver.site]
        if giver.site == index and giver.hash != mine:
            raise Abort(Cause.SURVIVORS, party=SERVER, step=m.SURVIVORS, detail="my parcel was changed")
        try:  # each giver sealed to the same enclave as I did
            me.verify(party, m.input_statement(agreed, named(party), sign, giver.hash), giver.signature)
        except Abort as abort:
            raise Abort(abort.cause, party=SERVER, step=m.SURVIVORS, detail=f"the parcel of {party}") from None
    statement = m.survivors_statement(agreed, sign, message.givers)
    try:
        m.check_enclave(sign, statement, message.signature)
    except Abort as abort:
        raise Abort(abort.cause, party=SERVER, step=m.SURVIVORS, detail="the enclave did not sign this set") from None
    return statement
